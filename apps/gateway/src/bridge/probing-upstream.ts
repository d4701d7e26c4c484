/**
 * A server at a URL whose era and transport are found out by asking: requests pass through unchanged as long as the
 * server understands them; one that refuses the modern revision is tried with `initialize`, over Streamable HTTP and
 * then over HTTP+SSE, and what was found is remembered. A refusal means that nothing was done, so the request is sent
 * anew in the form that was found. Once a server is known, calls take the plain way without being looked at; only a
 * legacy client that can be asked gets a session of its own at a server that keeps some.
 */
import { JSON_RPC_ERROR } from '@database-mcp/errors';
import { LOG_FIELD, type Logger } from '@database-mcp/telemetry';
import type { UpstreamConfig } from '../config.ts';
import { MODERN_VERSION } from '../protocol.ts';
import type { CallFailure, CallHandle, ReplyReceiver, Upstream, UpstreamRequest } from '../upstream/upstream.ts';
import type { CreateCarrier } from './carrier.ts';
import { isOldRevision } from './down-level.ts';
import { LegacyUpstream } from './legacy-upstream.ts';
import { callDownLevel, callModern } from './modern-only.ts';
import { RefusalWatch, type Refusal } from './refusal-watch.ts';
import { createSseCarriers } from './sse-carrier.ts';
import { keepsSessions } from './session-probe.ts';
import { createStreamableHttpCarriers } from './streamable-http-carrier.ts';

/** What finding out needs. */
export interface ProbingOptions {
  config: UpstreamConfig;
  /** The gateway's own version. */
  version: string;
  logger: Logger;
  /** The pass-through. */
  http: Upstream;
}

/** Lists and probes give up after 5 s; two transports must fit in there. */
const HANDSHAKE_MS = 2_000;
/** A server that is neither is not asked more often than this. */
const DETECT_EVERY_MS = 900;
const NOT_FOUND = 404;
const DISCOVER = 'server/discover';

type Send = (upstream: Upstream, request: UpstreamRequest, receiver: ReplyReceiver) => CallHandle;

/** Creates the upstream; it starts as pass-through. */
export function createProbingUpstream(options: ProbingOptions): Upstream {
  return new ProbingUpstream(options);
}

class ProbingUpstream implements Upstream {
  readonly name: string;
  readonly #options: ProbingOptions;
  readonly #http: Upstream;
  readonly #clientInfo: { name: string; version: string };
  #legacy: LegacyUpstream | undefined;
  readonly #retired = new Set<LegacyUpstream>();
  /** A modern request was answered. */
  #isModern = false;
  /** Whether the server takes legacy requests as they are. */
  #takesLegacy: 'unknown' | 'yes' | 'no' = 'unknown';
  #detecting: Promise<CallFailure | undefined> | undefined;
  #detectedAt = -Infinity;
  #lastFailure: CallFailure | undefined;
  /** Sessions for legacy clients that can be asked, besides the plain way; `none` when the server keeps no sessions. */
  #sessions: LegacyUpstream | 'unknown' | 'none' = 'unknown';
  #findingSessions: Promise<void> | undefined;
  #soughtSessionsAt = -Infinity;

  constructor(options: ProbingOptions) {
    this.#options = options;
    this.#http = options.http;
    this.name = options.config.name;
    this.#clientInfo = { name: 'database-mcp-gateway', version: options.version };
  }

  isReachable(): boolean {
    return (this.#legacy ?? this.#http).isReachable();
  }

  markReachable(): void {
    (this.#legacy ?? this.#http).markReachable();
  }

  call(request: UpstreamRequest, receiver: ReplyReceiver): CallHandle {
    if (request.client && this.#mayKeepSessions()) return this.#callInSession(request, receiver);
    return this.#callPlain(request, receiver);
  }

  #callPlain(request: UpstreamRequest, receiver: ReplyReceiver): CallHandle {
    const isModern = request.headers['mcp-protocol-version'] === MODERN_VERSION;
    const isKnown = isModern ? this.#isModern : this.#takesLegacy === 'yes';
    if (isKnown && !this.#legacy && !this.#isAskedInModernForm(request)) {
      if (!isOld(request)) return this.#http.call(request, receiver);
      return callDownLevel((sent, to) => this.#http.call(sent, to), request, receiver);
    }
    return this.#send(request, receiver, (upstream, sent, to) => upstream.call(sent, to));
  }

  probe(request: UpstreamRequest, receiver: ReplyReceiver, timeoutMs: number): CallHandle {
    return this.#send(request, receiver, (upstream, sent, to) => upstream.probe(sent, to, timeoutMs));
  }

  async drained(): Promise<void> {
    await Promise.all([this.#http.drained?.(), this.#legacy?.drained(), this.#opened()?.drained()]);
  }

  async close(): Promise<void> {
    await Promise.all([this.#detecting, this.#findingSessions]);
    const all = [this.#http, this.#legacy, this.#opened(), ...this.#retired];
    await Promise.all(all.map((upstream) => upstream?.close()));
  }

  #mayKeepSessions(): boolean {
    const { era, transport } = this.#options.config;
    if (this.#legacy || era === MODERN_VERSION || transport === 'sse' || this.#takesLegacy === 'no') return false;
    return this.#sessions !== 'none';
  }

  /** A server that both eras can call asks a legacy client only in the modern form, unless it keeps sessions. */
  #isAskedInModernForm({ client }: UpstreamRequest): boolean {
    return client !== undefined && this.#options.config.era === MODERN_VERSION;
  }

  #opened(): LegacyUpstream | undefined {
    return typeof this.#sessions === 'string' ? undefined : this.#sessions;
  }

  #callInSession(request: UpstreamRequest, receiver: ReplyReceiver): CallHandle {
    const sessions = this.#opened();
    if (sessions) return sessions.call(request, receiver);
    const handle = new LaterCall();
    void this.#findSessions().then(() => {
      if (handle.isCancelled) return;
      const upstream = this.#opened();
      handle.attach(upstream ? upstream.call(request, receiver) : this.#callPlain(request, receiver));
    });
    return handle;
  }

  #findSessions(): Promise<void> {
    if (performance.now() - this.#soughtSessionsAt < DETECT_EVERY_MS) return Promise.resolve();
    this.#findingSessions ??= this.#seekSessions().finally(() => {
      this.#findingSessions = undefined;
      this.#soughtSessionsAt = performance.now();
    });
    return this.#findingSessions;
  }

  async #seekSessions(): Promise<void> {
    const { config, version, logger } = this.#options;
    const found = await keepsSessions(config, this.#clientInfo, HANDSHAKE_MS);
    if (found === undefined) return;
    if (!found) {
      this.#sessions = 'none';
      return;
    }
    const sessions: LegacyUpstream = new LegacyUpstream({
      config,
      version,
      createCarriers: () => createStreamableHttpCarriers(config),
      handshakeMs: HANDSHAKE_MS,
      logger,
      onRefused: () => {
        if (this.#sessions === sessions) this.#forgetSessions();
      },
    });
    this.#sessions = sessions;
  }

  /** Whether it keeps sessions is found out anew. */
  #forgetSessions(): void {
    const sessions = this.#opened();
    this.#sessions = 'unknown';
    this.#soughtSessionsAt = -Infinity;
    if (sessions) this.#closeLater(sessions);
  }

  #send(request: UpstreamRequest, receiver: ReplyReceiver, send: Send): CallHandle {
    if (this.#legacy) return this.#sendKnownLegacy(this.#legacy, request, receiver, send);
    if (this.#options.config.era === 'legacy') {
      const handle = new LaterCall();
      this.#sendLegacy(handle, request, receiver, send, { kind: 'failed', failure: { kind: 'unreachable' } });
      return handle;
    }
    if (request.headers['mcp-protocol-version'] === MODERN_VERSION) return this.#trySendModern(request, receiver, send);
    return this.#trySendAsIs(request, receiver, send);
  }

  /** A server that does not even answer `initialize` any more has become another one. */
  #sendKnownLegacy(legacy: LegacyUpstream, request: UpstreamRequest, receiver: ReplyReceiver, send: Send): CallHandle {
    const handle = new LaterCall();
    const watch = new RefusalWatch(receiver, {
      accepted: () => {},
      refused: (refusal) => {
        if (refusal.kind === 'answer' || this.#options.config.era === 'legacy') return false;
        this.#retire(legacy);
        handle.attach(this.#send(request, receiver, send));
        return true;
      },
    });
    handle.attach(send(legacy, request, watch));
    return handle;
  }

  /** A modern request: refused, it is tried as legacy. */
  #trySendModern(request: UpstreamRequest, receiver: ReplyReceiver, send: Send): CallHandle {
    const handle = new LaterCall();
    const watch = new RefusalWatch(receiver, {
      accepted: () => {
        this.#isModern = true;
      },
      refused: (refusal) => {
        // A server that has been modern refuses much that is the client's own mistake.
        if (!this.#canBeLegacy(refusal, request.headers['mcp-method'])) return false;
        this.#isModern = false;
        this.#forgetSessions();
        this.#sendLegacy(handle, request, receiver, send, refusal);
        return true;
      },
    });
    handle.attach(send(this.#http, request, watch));
    return handle;
  }

  #canBeLegacy(refusal: Refusal, method: string | undefined): boolean {
    if (this.#options.config.era === MODERN_VERSION) return false;
    // Every modern server answers this one; of others it may just not have the method.
    if (method === DISCOVER) return true;
    if (refusal.kind === 'answer') return !this.#isModern && refusal.status !== NOT_FOUND;
    if (!this.#isModern || isVersionRefusal(refusal)) return true;
    return refusal.failure.kind === 'not-mcp' && refusal.failure.status === NOT_FOUND;
  }

  /** A legacy request at a server that may only know the modern revision. */
  #trySendAsIs(request: UpstreamRequest, receiver: ReplyReceiver, send: Send): CallHandle {
    const sendModern = (watched: (to: ReplyReceiver) => ReplyReceiver): CallHandle =>
      callModern((sent, to) => send(this.#http, sent, watched(to)), request, receiver, {
        clientInfo: this.#clientInfo,
        askTimeoutMs: this.#options.config.askTimeoutMs,
      });
    if (this.#takesLegacy === 'no' || this.#isAskedInModernForm(request)) return sendModern((to) => to);
    const handle = new LaterCall();
    const tryModern = (refusal: Refusal): CallHandle =>
      sendModern((to) =>
        // Only the first round finds something out.
        this.#takesLegacy === 'no'
          ? to
          : new RefusalWatch(to, {
              accepted: () => {
                this.#takesLegacy = 'no';
              },
              // Refused in both forms: the fault is not the form.
              refused: () => {
                if (this.#canBeLegacy(refusal, undefined)) this.#sendLegacy(handle, request, receiver, send, refusal);
                else tellRefusal(refusal, receiver);
                return true;
              },
            }),
      );
    const sendAsIs = (sent: UpstreamRequest, to: ReplyReceiver): CallHandle => {
      const watch = new RefusalWatch(to, {
        accepted: () => {
          this.#takesLegacy = 'yes';
        },
        refused: (refusal) => {
          if (this.#isModern && isVersionRefusal(refusal)) this.#takesLegacy = 'no';
          handle.attach(this.#takesLegacy === 'no' ? sendModern((reply) => reply) : tryModern(refusal));
          return true;
        },
      });
      handle.attach(send(this.#http, sent, watch));
      return handle;
    };
    return isOld(request) ? callDownLevel(sendAsIs, request, receiver) : sendAsIs(request, receiver);
  }

  /** Finds the legacy server out and sends the request there; without one the first refusal stands. */
  #sendLegacy(
    handle: LaterCall,
    request: UpstreamRequest,
    receiver: ReplyReceiver,
    send: Send,
    refusal: Refusal,
  ): void {
    void this.#detect().then((failure) => {
      if (handle.isCancelled) return;
      if (this.#legacy) handle.attach(send(this.#legacy, request, receiver));
      else if (this.#options.config.era === 'legacy' && failure) receiver.failed(failure);
      else tellRefusal(refusal, receiver);
    });
  }

  #detect(): Promise<CallFailure | undefined> {
    if (this.#legacy) return Promise.resolve(undefined);
    if (performance.now() - this.#detectedAt < DETECT_EVERY_MS) return Promise.resolve(this.#lastFailure);
    this.#detecting ??= this.#findLegacy().finally(() => {
      this.#detecting = undefined;
      this.#detectedAt = performance.now();
    });
    return this.#detecting;
  }

  async #findLegacy(): Promise<CallFailure | undefined> {
    const { config, version, logger } = this.#options;
    const transports: [string, () => CreateCarrier][] = [
      ['streamable-http', () => createStreamableHttpCarriers(config)],
    ];
    if (config.transport === 'auto') transports.push(['sse', () => createSseCarriers(config)]);
    for (const [transport, createCarriers] of transports) {
      const candidate: LegacyUpstream = new LegacyUpstream({
        config,
        version,
        createCarriers,
        handshakeMs: HANDSHAKE_MS,
        logger,
        onRefused: () => this.#retire(candidate),
      });
      const failure = await candidate.tryConnect();
      if (failure === undefined) {
        this.#legacy = candidate;
        logger.info({ [LOG_FIELD.UPSTREAM]: this.name, transport }, 'the upstream speaks a legacy revision');
        this.#lastFailure = undefined;
        return undefined;
      }
      await candidate.close();
      this.#lastFailure = failure;
      if (failure.kind === 'unreachable') break;
    }
    return this.#lastFailure;
  }

  /** It refuses sessions now: whatever it has become is found out at the next request. */
  #retire(legacy: LegacyUpstream): void {
    if (this.#legacy !== legacy) return;
    this.#legacy = undefined;
    this.#isModern = false;
    this.#takesLegacy = 'unknown';
    this.#detectedAt = -Infinity;
    this.#forgetSessions();
    this.#closeLater(legacy);
  }

  /** Its calls in progress still end. */
  #closeLater(legacy: LegacyUpstream): void {
    this.#retired.add(legacy);
    void legacy.drained().then(async () => {
      await legacy.close();
      this.#retired.delete(legacy);
    });
  }
}

/** Clients that do not name their revision are not looked at: most of them are newer than what that stands for. */
function isOld({ headers }: UpstreamRequest): boolean {
  const version = headers['mcp-protocol-version'];
  return version !== undefined && isOldRevision(version);
}

function isVersionRefusal(refusal: Refusal): boolean {
  if (refusal.kind !== 'failed' || refusal.failure.kind !== 'protocol-fault') return false;
  return refusal.failure.code === JSON_RPC_ERROR.UNSUPPORTED_PROTOCOL_VERSION;
}

function tellRefusal(refusal: Refusal, receiver: ReplyReceiver): void {
  if (refusal.kind === 'answer') refusal.tell(receiver);
  else receiver.failed(refusal.failure);
}

/** A call that may be sent a second time, elsewhere. */
class LaterCall implements CallHandle {
  #current: CallHandle | undefined;
  isCancelled = false;

  attach(call: CallHandle): void {
    this.#current = call;
    if (this.isCancelled) call.cancel();
  }

  cancel(): void {
    this.isCancelled = true;
    this.#current?.cancel();
  }

  resume(): void {
    this.#current?.resume();
  }
}
