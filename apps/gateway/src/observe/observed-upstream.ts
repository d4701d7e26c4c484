/** An upstream whose requests are observed: a CLIENT span and a duration for each that belongs to something. */
import { ATTRIBUTE, METRIC, type Attributes, type Histogram, type Span, type Telemetry } from '@database-mcp/telemetry';
import type { UpstreamConfig } from '../config.ts';
import type {
  CallFailure,
  CallHandle,
  Origin,
  Outcome,
  ReplyHead,
  ReplyReceiver,
  Upstream,
  UpstreamRequest,
} from '../upstream/upstream.ts';
import { endSpan, toLabels, toSpanName } from './observation.ts';
import { clientErrorType, OutcomeReader } from './outcome.ts';
import { injectContext } from './propagation.ts';
import { createSharedAttributes, cutClientText } from './shared-attributes.ts';

/** An upstream, and how many calls are on their way to it. */
export interface ObservedUpstream extends Upstream {
  /** Calls that have begun and not ended: those in progress and those that wait for their turn. */
  readonly openCalls: number;
}

/** The upstream, observed. */
export function observeUpstream(upstream: Upstream, config: UpstreamConfig, telemetry: Telemetry): ObservedUpstream {
  const { tracer, metrics } = telemetry;
  const sharedAttributesOf = createSharedAttributes(peerAttributes(config));
  const duration = metrics?.histogram(METRIC.CLIENT_DURATION);
  let openCalls = 0;
  const startSpan = (request: UpstreamRequest, origin: Origin): Span | undefined => {
    const target = origin.target && { ...origin.target, name: request.targetName ?? origin.target.name };
    return tracer?.start({
      name: toSpanName(origin.method, target),
      kind: 'client',
      parent: origin.span?.context,
      shared: sharedAttributesOf(origin, target),
      attributes: { [ATTRIBUTE.REQUEST_ID]: origin.requestId && cutClientText(origin.requestId) },
    });
  };
  /** Passes the request on as what `origin` has asked for. */
  const observe = (
    request: UpstreamRequest,
    origin: Origin,
    receiver: ReplyReceiver,
    send: (request: UpstreamRequest, receiver: ReplyReceiver) => CallHandle,
    onEnd: () => void,
  ): CallHandle => {
    origin.upstream = config.name;
    const span = startSpan(request, origin);
    if (!span && !duration) return send(request, receiver);
    const observed = new ObservedRequest(receiver, { span, origin, upstream: config.name, duration, onEnd });
    return observed.follow(send(span ? injectContext(request, span.context, origin.baggage) : request, observed));
  };
  const endCall = (): void => {
    openCalls--;
  };
  return {
    get openCalls() {
      return openCalls;
    },
    name: upstream.name,
    isReachable: () => upstream.isReachable(),
    markReachable: () => upstream.markReachable(),
    call: (request, receiver) => {
      const { origin } = request;
      if (!origin) return upstream.call(request, receiver);
      if (duration) openCalls++;
      return observe(request, origin, receiver, (sent, to) => upstream.call(sent, to), duration ? endCall : noop);
    },
    probe: (request, receiver, timeoutMs) => {
      const { origin } = request;
      if (!origin) return upstream.probe(request, receiver, timeoutMs);
      return observe(request, origin, receiver, (sent, to) => upstream.probe(sent, to, timeoutMs), noop);
    },
    ...(upstream.drained && { drained: () => upstream.drained?.() ?? Promise.resolve() }),
    close: () => upstream.close(),
  };
}

function noop(): void {}

/** Who is at the other end; it is the operator's own collector that learns the address. */
function peerAttributes({ name, url, command }: UpstreamConfig): Attributes {
  // A command is spoken to over its standard input and output.
  if (command !== undefined) return { [ATTRIBUTE.UPSTREAM]: name, ...PIPE };
  const { hostname, port, protocol } = new URL(url);
  return {
    [ATTRIBUTE.UPSTREAM]: name,
    [ATTRIBUTE.SERVER_ADDRESS]: hostname,
    [ATTRIBUTE.SERVER_PORT]: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
  };
}

const PIPE: Attributes = {
  [ATTRIBUTE.TRANSPORT]: 'pipe',
  [ATTRIBUTE.NETWORK_PROTOCOL]: undefined,
  [ATTRIBUTE.NETWORK_PROTOCOL_VERSION]: undefined,
};

interface RequestSinks {
  span: Span | undefined;
  origin: Origin;
  upstream: string;
  duration: Histogram | undefined;
  onEnd: () => void;
}

class ObservedRequest implements ReplyReceiver {
  readonly #receiver: ReplyReceiver;
  readonly #sinks: RequestSinks;
  readonly #reader = new OutcomeReader();
  readonly #startedAt = performance.now();
  #isFinished = false;

  constructor(receiver: ReplyReceiver, sinks: RequestSinks) {
    this.#receiver = receiver;
    this.#sinks = sinks;
  }

  /** The handle of the request, whose end by the client is seen too. */
  follow(handle: CallHandle): CallHandle {
    return {
      cancel: () => {
        handle.cancel();
        this.#finish({ kind: 'cancelled' });
      },
      resume: () => handle.resume(),
    };
  }

  start(head: ReplyHead): void {
    this.#reader.start(head);
    this.#receiver.start(head);
  }

  data(chunk: Buffer): boolean {
    this.#reader.push(chunk);
    return this.#receiver.data(chunk);
  }

  end(): void {
    const outcome = this.#reader.finish();
    this.#finish(outcome);
    // Who passes the answer on need not read it again.
    this.#sinks.origin.outcome = outcome;
    this.#receiver.end();
    this.#sinks.origin.outcome = undefined;
  }

  failed(failure: CallFailure): void {
    this.#finish({ kind: 'failure', failure: failure.kind });
    this.#receiver.failed(failure);
  }

  #finish(outcome: Outcome): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    const { span, origin, upstream, duration, onEnd } = this.#sinks;
    onEnd();
    const errorType = clientErrorType(outcome);
    if (span) endSpan(span, outcome, errorType);
    if (!duration) return;
    const seconds = (performance.now() - this.#startedAt) / 1_000;
    duration.record(seconds, { ...toLabels(origin, errorType), [ATTRIBUTE.UPSTREAM]: upstream });
  }
}
