/**
 * An upstream that begins with `initialize`, behind the same interface as any other: one session that all calls share,
 * opened at the first need and anew after its end. To the gateway it looks like a server of 2026-07-28 that serves
 * legacy requests too. Owns the limits of that upstream; `legacy-session.ts` owns the connection.
 */
import { SUBSCRIPTION_ID_META_KEY } from '@modelcontextprotocol/server';
import { LOG_FIELD, type Logger } from '@database-mcp/telemetry';
import type { UpstreamConfig } from '../config.ts';
import { isObject, MODERN_VERSION, type JsonObject } from '../edge/classify.ts';
import { admitCall, afterFailure, CLOSED, type BreakerState } from '../upstream/breaker.ts';
import type { CallFailure, CallHandle, ReplyReceiver, Upstream, UpstreamRequest } from '../upstream/upstream.ts';
import { BridgedCall, readAsked } from './bridged-call.ts';
import { CarrierError, type CreateCarrier } from './carrier.ts';
import { LegacySession } from './legacy-session.ts';
import { legacyResultRules, spliceResult, withMeta } from './message-text.ts';

/** What the bridge to one legacy server needs. */
export interface LegacyUpstreamOptions {
  config: UpstreamConfig;
  /** The gateway's own version. */
  version: string;
  createCarrier: CreateCarrier;
  /** How long opening a session may take. */
  handshakeMs: number;
  logger: Logger;
  /** A session could not be opened, although the server answered: it may be another server now. */
  onRefused?: () => void;
}

/** Answers that say that the server does not know the session any more; the request was not served (G25, 1.9). */
const SESSION_ENDED = new Set([400, 404]);
/** Which notification is asked for with which key of a listen request. */
const LISTENED = new Map([
  ['notifications/tools/list_changed', 'toolsListChanged'],
  ['notifications/prompts/list_changed', 'promptsListChanged'],
  ['notifications/resources/list_changed', 'resourcesListChanged'],
]);

/** The bridge to one legacy server. */
export class LegacyUpstream implements Upstream {
  readonly name: string;
  readonly #options: LegacyUpstreamOptions;
  #session: LegacySession | undefined;
  #opening: Promise<LegacySession> | undefined;
  #candidate: LegacySession | undefined;
  /** Sessions that serve no new calls but still have some in progress. */
  readonly #retired = new Set<LegacySession>();
  readonly #sessionOf = new Map<BridgedCall, LegacySession>();
  readonly #listeners = new Set<BridgedCall>();
  readonly #waiting = new Set<BridgedCall>();
  #inProgress = 0;
  #breaker: BreakerState = CLOSED;
  #told = '';
  #isTrial = false;
  #isClosed = false;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(options: LegacyUpstreamOptions) {
    this.#options = options;
    this.name = options.config.name;
  }

  isReachable(): boolean {
    return this.#breaker.kind === 'closed';
  }

  markReachable(): void {
    this.#breaker = CLOSED;
  }

  /** Opens the session, if it is not; the failure if that cannot be. Nothing is logged. */
  async tryConnect(): Promise<CallFailure | undefined> {
    this.#isTrial = true;
    try {
      await this.#open();
      return undefined;
    } catch (error) {
      return toFailure(error);
    } finally {
      this.#isTrial = false;
    }
  }

  call(request: UpstreamRequest, receiver: ReplyReceiver): CallHandle {
    const { timeoutMs, maxConcurrency, maxQueue } = this.#options.config;
    const isFull = this.#inProgress >= maxConcurrency;
    const call = this.#createCall(request, receiver, timeoutMs, () => {
      if (this.#waiting.delete(call) || refusal) return;
      this.#inProgress--;
      this.#startNext();
      if (this.#inProgress === 0) this.#idle?.resolve();
    });
    const refusal = this.#findRefusal(isFull && this.#waiting.size >= maxQueue);
    if (refusal) call.fail(refusal);
    else if (isFull) this.#waiting.add(call);
    else {
      this.#inProgress++;
      this.#start(call);
    }
    return call;
  }

  probe(request: UpstreamRequest, receiver: ReplyReceiver, timeoutMs: number): CallHandle {
    const call = this.#createCall(request, receiver, timeoutMs, () => {});
    this.#start(call);
    return call;
  }

  drained(): Promise<void> {
    this.#idle ??= Promise.withResolvers();
    if (this.#inProgress === 0) this.#idle.resolve();
    return this.#idle.promise;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const call of [...this.#waiting, ...this.#listeners]) call.fail({ kind: 'cut-off' });
    const sessions = [...this.#retired, this.#session, this.#candidate];
    await Promise.all(sessions.map((session) => session?.close()));
  }

  #findRefusal(isBusy: boolean): CallFailure | undefined {
    if (isBusy) return { kind: 'busy', limit: this.#waiting.size };
    if (this.#session || this.#opening) return undefined;
    const admission = admitCall(this.#breaker, performance.now());
    this.#breaker = admission.state;
    return admission.admitted ? undefined : { kind: 'unreachable' };
  }

  #createCall(
    request: UpstreamRequest,
    receiver: ReplyReceiver,
    timeoutMs: number,
    onRelease: () => void,
  ): BridgedCall {
    const asked = readAsked(request);
    const isListening = asked.method === 'subscriptions/listen';
    return new BridgedCall(
      asked,
      receiver,
      {
        released: (call) => {
          this.#sessionOf.delete(call);
          this.#listeners.delete(call);
          this.#endRetired();
          onRelease();
        },
        abandoned: (call) => this.#sessionOf.get(call)?.abandon(call),
        failed: (failure) => {
          if (failure.kind === 'protocol-fault') this.#options.onRefused?.();
        },
      },
      isListening ? undefined : timeoutMs,
    );
  }

  #startNext(): void {
    for (const call of this.#waiting) {
      this.#waiting.delete(call);
      this.#inProgress++;
      return this.#start(call);
    }
  }

  #start(call: BridgedCall): void {
    if (this.#session) return this.#run(call, this.#session);
    this.#open().then(
      (session) => this.#run(call, session),
      (error: unknown) => call.fail(toFailure(error)),
    );
  }

  #run(call: BridgedCall, session: LegacySession): void {
    if (call.isSettled) return;
    const { asked } = call;
    if (asked.idText === undefined) {
      session.notify(asked.body);
      return call.reply(Buffer.alloc(0), 202);
    }
    this.#sessionOf.set(call, session);
    if (asked.era === 'modern' && asked.method === 'server/discover') return this.#discover(call, session);
    if (asked.era === 'modern' && asked.method === 'subscriptions/listen') return this.#listen(call, session);
    session.run(call);
  }

  /** What the handshake told, once the server has shown that it is alive. */
  #discover(call: BridgedCall, session: LegacySession): void {
    session.ask('ping').then(
      () => {
        const { tasks: _tasks, experimental: _experimental, ...capabilities } = session.capabilities;
        const { instructions } = session;
        const result = {
          supportedVersions: [MODERN_VERSION],
          capabilities,
          instructions,
          ttlMs: 0,
          cacheScope: 'private',
        };
        const message = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 0, result }));
        const { idText = 'null', era, method } = call.asked;
        call.reply(spliceResult(message, legacyResultRules({ era, idText, method, serverInfo: session.serverInfo })));
      },
      (error: unknown) => {
        const failure = toFailure(error);
        if (!this.#repeat(session, call, failure)) call.fail(failure);
      },
    );
  }

  /** A legacy server tells its changes without being asked; here they go to those who listen. */
  #listen(call: BridgedCall, session: LegacySession): void {
    const wanted = isObject(call.asked.params['notifications']) ? call.asked.params['notifications'] : {};
    const honoured = Object.fromEntries(
      Object.entries(wanted).filter(([key, value]) => {
        const capability =
          session.capabilities[key.replace(/(ListChanged|Subscriptions)$/, '').replace(/^resource$/, 'resources')];
        const member = key.endsWith('ListChanged') ? 'listChanged' : 'subscribe';
        return isObject(capability) && capability[member] === true && value !== false;
      }),
    );
    const { idText = 'null' } = call.asked;
    const text = JSON.stringify({ notifications: honoured, _meta: {} });
    const message = `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":${text}}`;
    call.notify(withMeta(Buffer.from(message), { [SUBSCRIPTION_ID_META_KEY]: idText }));
    this.#listeners.add(call);
    const uris = honoured['resourceSubscriptions'];
    for (const uri of Array.isArray(uris) ? uris : []) session.ask('resources/subscribe', { uri }).catch(() => {});
  }

  #onNotification(method: string, message: Buffer, parsed: JsonObject): void {
    const key = LISTENED.get(method);
    const uri =
      method === 'notifications/resources/updated' && isObject(parsed['params']) ? parsed['params']['uri'] : undefined;
    for (const call of this.#listeners) {
      const wanted = isObject(call.asked.params['notifications']) ? call.asked.params['notifications'] : {};
      const uris = Array.isArray(wanted['resourceSubscriptions']) ? wanted['resourceSubscriptions'] : [];
      const isWanted = key === undefined ? uris.includes(uri) : wanted[key] === true;
      if (isWanted) call.notify(withMeta(message, { [SUBSCRIPTION_ID_META_KEY]: call.asked.idText }));
    }
  }

  #open(): Promise<LegacySession> {
    if (this.#session) return Promise.resolve(this.#session);
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #connect(): Promise<LegacySession> {
    const { config, version, createCarrier, logger, handshakeMs } = this.#options;
    if (this.#isClosed) throw new CarrierError({ kind: 'unreachable' }, 'the upstream is closed');
    const session = new LegacySession({
      name: config.name,
      version,
      createCarrier,
      logger,
      handshakeMs,
      onNotification: (method, message, parsed) => this.#onNotification(method, message, parsed),
      onClosed: (closed, failure) => this.#forget(closed, failure),
      onLost: (lost, call, failure) => this.#repeat(lost, call, failure),
    });
    this.#candidate = session;
    try {
      await session.open();
    } catch (error) {
      this.#noteNoSession(error);
      throw error;
    } finally {
      this.#candidate = undefined;
    }
    this.#told = '';
    this.#breaker = CLOSED;
    this.#session = session;
    return session;
  }

  #noteNoSession(error: unknown): void {
    this.#breaker = afterFailure(this.#breaker, performance.now());
    if (this.#isTrial || this.#isClosed) return;
    const problem = error instanceof Error ? error.message : String(error);
    if (problem !== this.#told) {
      this.#options.logger.warn({ [LOG_FIELD.UPSTREAM]: this.name, problem }, 'no session with the upstream');
    }
    this.#told = problem;
    if (toFailure(error).kind !== 'unreachable') this.#options.onRefused?.();
  }

  /** The session is gone; whoever listened on it must hear of it, since changes may have been missed. */
  #forget(session: LegacySession, failure: CallFailure): void {
    if (this.#session === session) this.#session = undefined;
    this.#retired.delete(session);
    for (const call of this.#listeners) if (this.#sessionOf.get(call) === session) call.fail(failure);
  }

  /** Sends the call anew when the server did not know the session any more, and so did not serve it. */
  #repeat(session: LegacySession, call: BridgedCall, failure: CallFailure): boolean {
    if (failure.kind !== 'not-mcp' || !SESSION_ENDED.has(failure.status)) return false;
    if (this.#session === session) {
      this.#session = undefined;
      this.#retired.add(session);
      for (const listener of this.#listeners) listener.fail({ kind: 'cut-off' });
    }
    if (call.wasRepeated || call.isSettled || this.#isClosed) return false;
    call.wasRepeated = true;
    this.#start(call);
    return true;
  }

  #endRetired(): void {
    for (const session of this.#retired) {
      if (!session.isIdle) continue;
      this.#retired.delete(session);
      void session.close();
    }
  }
}

function toFailure(error: unknown): CallFailure {
  return error instanceof CarrierError ? error.failure : { kind: 'unreachable' };
}
