/**
 * Begins the observation of each message, and watches its answer pass. What is not asked for costs nothing: without
 * traces, metrics and log lines of calls there is no observer.
 */
import { JSON_RPC_ERROR } from '@database-mcp/errors';
import { ATTRIBUTE, createCallLog, METRIC, toMethodLabel, type Logger, type Telemetry } from '@database-mcp/telemetry';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { Verdict } from '../edge/classify.ts';
import { isObject } from '../protocol.ts';
import type { Message, Outlet } from '../edge/message.ts';
import type { Outcome, Target } from '../upstream/upstream.ts';
import { Observation, toSpanName, type ObservationSinks } from './observation.ts';
import { observeOutlet } from './observed-outlet.ts';
import { readContext } from './propagation.ts';
import { createSharedAttributes, cutClientText } from './shared-attributes.ts';

/** What is to be served in place of a message that is observed. */
export interface ObservedServing {
  message: Message;
  outlet: Outlet;
  /** A fault of our own has ended it. */
  failed(): void;
}

/** Observes messages. */
export interface Observer {
  /** Begins with a message; undefined: it is not observed. */
  begin(message: Message, outlet: Outlet): ObservedServing | undefined;
}

const INTERNAL_ERROR: Outcome = { kind: 'rpc-error', code: JSON_RPC_ERROR.INTERNAL_ERROR, message: 'Internal error.' };
/** The form of a revision. */
const VERSION = /^\d{4}-\d{2}-\d{2}$/;

/** Creates the observer, or undefined if there is nothing to observe. */
export function createObserver(
  { tracer, metrics }: Telemetry,
  catalogue: Pick<Catalogue, 'list'>,
  logger: Logger,
): Observer | undefined {
  const callLog = createCallLog(logger);
  if (!tracer && !metrics && !callLog) return undefined;
  const sinks: ObservationSinks = {
    callLog,
    duration: metrics?.histogram(METRIC.SERVER_DURATION),
    resultSize: metrics?.histogram(METRIC.RESULT_SIZE),
  };
  const sharedAttributesOf = createSharedAttributes({});
  return {
    begin: (message, outlet) => {
      const { verdict } = message;
      const isLogged = callLog !== undefined && verdict.kind === 'call';
      if (!isLogged && !tracer && !metrics) return undefined;
      const method = methodOf(message);
      const target = targetOf(verdict, catalogue);
      const known = {
        method,
        target,
        protocolVersion: versionOf(message),
        requestId: requestIdOf(message.body),
      };
      const context = tracer || isLogged ? readContext(message.body, message.headers) : undefined;
      const span = tracer?.start({
        name: toSpanName(method, target),
        kind: 'server',
        parent: context?.parent,
        links: context?.link && [context.link],
        shared: sharedAttributesOf(known, target),
        attributes: {
          [ATTRIBUTE.REQUEST_ID]: known.requestId && cutClientText(known.requestId),
          [ATTRIBUTE.CLIENT_ADDRESS]: message.peer?.remoteAddress,
          [ATTRIBUTE.CLIENT_PORT]: message.peer?.remotePort,
        },
      });
      // A line of the log tells the caller's trace also where nothing is traced here.
      const trace = span?.context ?? context?.parent;
      const observation = new Observation({ ...known, span, trace, baggage: context?.baggage, isLogged }, sinks);
      return {
        message: { ...message, origin: observation },
        outlet: observeOutlet(outlet, observation),
        failed: () => observation.finish(INTERNAL_ERROR, 0),
      };
    },
  };
}

function methodOf({ verdict, body }: Message): string {
  if (verdict.kind === 'call') return 'tools/call';
  return toMethodLabel(verdict.kind === 'reject' ? (isObject(body) ? body['method'] : undefined) : verdict.method);
}

function versionOf({ headers, verdict }: Message): string | undefined {
  const version =
    verdict.kind === 'request' && verdict.method === 'initialize'
      ? verdict.params['protocolVersion']
      : headers['mcp-protocol-version'];
  return typeof version === 'string' && VERSION.test(version) ? version : undefined;
}

function requestIdOf(body: unknown): string | undefined {
  const id = isObject(body) ? body['id'] : undefined;
  return typeof id === 'string' || typeof id === 'number' ? String(id) : undefined;
}

function targetOf(verdict: Verdict, { list }: Pick<Catalogue, 'list'>): Target | undefined {
  if (verdict.kind === 'call') return { kind: 'tool', name: verdict.name, isListed: list.routes.has(verdict.name) };
  if (verdict.kind !== 'request') return undefined;
  const { name, uri } = verdict.params;
  if (verdict.method === 'prompts/get' && typeof name === 'string') {
    return { kind: 'prompt', name, isListed: list.kinds.prompts.routes.has(name) };
  }
  return verdict.method.startsWith('resources/') && typeof uri === 'string'
    ? { kind: 'uri', name: uri, isListed: false }
    : undefined;
}
