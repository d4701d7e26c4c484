/**
 * An upstream that begins with `initialize`, behind the same interface as any other: one session that all calls share,
 * opened at the first need and anew after its end. To the gateway it looks like a server of 2026-07-28 that serves
 * legacy requests too. Owns the limits of that upstream; `legacy-session.ts` owns the connection.
 */
import { toJsonRpcError, JSON_RPC_ERROR } from '@database-mcp/errors';
import { LOG_FIELD, type Logger } from '@database-mcp/telemetry';
import type { UpstreamConfig } from '../config.ts';
import { ASK_NOTHING, toCapabilities, type AskKey } from '../asks/client-capabilities.ts';
import { MODERN_VERSION } from '../protocol.ts';
import { admitCall, afterFailure, CLOSED, type BreakerState } from '../upstream/breaker.ts';
import type { CallFailure, CallHandle, ReplyReceiver, Upstream, UpstreamRequest } from '../upstream/upstream.ts';
import { AskingCalls } from './asking-calls.ts';
import { BridgedCall, readAsked, type Asked } from './bridged-call.ts';
import { CarrierError, type CreateCarrier } from './carrier.ts';
import { LegacyListeners } from './legacy-listeners.ts';
import { LegacySession } from './legacy-session.ts';
import { editMessage, legacyResultRules, spliceResult } from './message-text.ts';

/** What the bridge to one legacy server needs. */
export interface LegacyUpstreamOptions {
  config: UpstreamConfig;
  /** The gateway's own version. */
  version: string;
  /** Makes the connections that declare the same; of a command each such set is restarted by itself. */
  createCarriers: () => CreateCarrier;
  /** How long opening a session may take. */
  handshakeMs: number;
  logger: Logger;
  /** A session could not be opened, although the server answered: it may be another server now. */
  onRefused?: () => void;
}

/** Answers that say that the server does not know the session any more; the request was not served (G25, 1.9). */
const SESSION_ENDED = new Set([400, 404]);
/** Sessions that declare what clients can be asked, besides the shared one; each is a connection or two. */
const HTTP_SESSIONS = { maxSessions: 32, isShared: false, idleMs: 60_000 };
/** A process is dear, may hold a lock, and may keep in its memory what its calls have done. */
const COMMANDS = { maxSessions: 4, isShared: true };
/** Calls that wait for people must leave room for others. */
const HELD_PART = 0.5;

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
  readonly #listeners = new LegacyListeners();
  readonly #asking: AskingCalls;
  readonly #carriers = new Map<AskKey, CreateCarrier>();
  readonly #waiting = new Set<BridgedCall>();
  #inProgress = 0;
  #breaker: BreakerState = CLOSED;
  #told = '';
  #isTrial = false;
  #isClosed = false;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(options: LegacyUpstreamOptions) {
    this.#options = options;
    const { name, command, maxConcurrency, askTimeoutMs } = options.config;
    this.name = name;
    this.#asking = new AskingCalls({
      pool: {
        create: (canAsk) => this.#createSession(canAsk),
        ...(command === undefined ? HTTP_SESSIONS : COMMANDS),
      },
      maxHeld: Math.max(1, Math.floor(maxConcurrency * HELD_PART)),
      askTimeoutMs,
      onLost: (session, leg, failure) => this.#repeat(session, leg, failure),
      freed: () => this.#freePlace(),
    });
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
    const asked = readAsked(request);
    const isRetry = asked.era === 'modern' && asked.params['requestState'] !== undefined;
    if (isRetry && asked.canAsk !== ASK_NOTHING) return this.#continue(asked, receiver);
    return this.#admit(asked, receiver);
  }

  probe(request: UpstreamRequest, receiver: ReplyReceiver, timeoutMs: number): CallHandle {
    const call = this.#createCall(readAsked(request), receiver, timeoutMs, () => {});
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
    for (const call of this.#waiting) call.fail({ kind: 'cut-off' });
    this.#listeners.fail({ kind: 'cut-off' });
    const sessions = [...this.#retired, this.#session, this.#candidate];
    await Promise.all([this.#asking.close(), ...sessions.map((session) => session?.close())]);
  }

  #admit(asked: Asked, receiver: ReplyReceiver): BridgedCall {
    const { timeoutMs, maxConcurrency, maxQueue } = this.#options.config;
    const isFull = this.#inProgress >= maxConcurrency;
    const call = this.#createCall(asked, receiver, timeoutMs, () => {
      if (!this.#waiting.delete(call) && !refusal) this.#freePlace();
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

  /** What a modern client sends back after it was asked; the call that waits for it has its place already. */
  #continue(asked: Asked, receiver: ReplyReceiver): CallHandle {
    const retry = this.#asking.readRetry(asked);
    if (retry.kind === 'anew') return this.#admit(asked, receiver);
    const call = this.#createCall(asked, receiver, this.#options.config.timeoutMs, () => {});
    if (retry.kind === 'continued') retry.continue(call);
    else if (retry.kind === 'failed') call.fail(retry.failure);
    else {
      const error = toJsonRpcError(null, JSON_RPC_ERROR.INVALID_PARAMS, retry.problem);
      call.reply(editMessage(Buffer.from(JSON.stringify(error)), { id: asked.idText }));
    }
    return call;
  }

  #findRefusal(isBusy: boolean): CallFailure | undefined {
    if (isBusy) return { kind: 'busy', limit: this.#waiting.size };
    if (this.#session || this.#opening) return undefined;
    const admission = admitCall(this.#breaker, performance.now());
    this.#breaker = admission.state;
    return admission.admitted ? undefined : { kind: 'unreachable' };
  }

  #createCall(asked: Asked, receiver: ReplyReceiver, timeoutMs: number, onRelease: () => void): BridgedCall {
    const isListening = asked.method === 'subscriptions/listen';
    return new BridgedCall(
      asked,
      receiver,
      {
        released: (call) => {
          this.#sessionOf.delete(call);
          this.#listeners.delete(call);
          this.#endRetired();
          if (!this.#asking.released(call)) onRelease();
        },
        abandoned: (call) => {
          this.#sessionOf.get(call)?.abandon(call);
          this.#asking.abandon(call);
        },
        failed: (failure) => {
          if (failure.kind === 'protocol-fault') this.#options.onRefused?.();
        },
      },
      isListening ? undefined : timeoutMs,
    );
  }

  /** The next call that waits gets it. */
  #freePlace(): void {
    this.#inProgress--;
    for (const call of this.#waiting) {
      this.#waiting.delete(call);
      this.#inProgress++;
      this.#start(call);
      break;
    }
    if (this.#inProgress === 0) this.#idle?.resolve();
  }

  #start(call: BridgedCall): void {
    if (call.asked.canAsk !== ASK_NOTHING) {
      this.#asking.start(call).catch((error: unknown) => {
        const failure = toFailure(error);
        if (failure.kind !== 'busy') this.#noteNoSession(error);
        call.fail(failure);
      });
      return;
    }
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
    if (asked.era === 'modern' && asked.method === 'subscriptions/listen') return this.#listeners.add(call, session);
    session.run(call, (failure) => this.#repeat(session, call, failure));
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

  #open(): Promise<LegacySession> {
    if (this.#session) return Promise.resolve(this.#session);
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #connect(): Promise<LegacySession> {
    if (this.#isClosed) throw new CarrierError({ kind: 'unreachable' }, 'the upstream is closed');
    const session = this.#createSession(ASK_NOTHING);
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

  #createSession(canAsk: AskKey): LegacySession {
    const { config, version, createCarriers, logger, handshakeMs } = this.#options;
    const createCarrier = this.#carriers.get(canAsk) ?? createCarriers();
    this.#carriers.set(canAsk, createCarrier);
    return new LegacySession({
      name: config.name,
      version,
      createCarrier,
      logger,
      handshakeMs,
      capabilities: toCapabilities(canAsk),
      onNotification: (method, message, parsed) => {
        // The shared session hears of every change; the others would tell it again.
        if (canAsk === ASK_NOTHING) this.#listeners.tell(method, message, parsed);
      },
      onClosed: (closed, failure) => this.#forget(closed, failure),
    });
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

  #forget(session: LegacySession, failure: CallFailure): void {
    if (this.#session === session) this.#session = undefined;
    this.#retired.delete(session);
    this.#asking.retire(session);
    this.#listeners.fail(failure, session);
  }

  /** Sends the call anew when the server did not know the session any more, and so did not serve it. */
  #repeat(session: LegacySession, leg: BridgedCall | undefined, failure: CallFailure): boolean {
    if (failure.kind !== 'not-mcp' || !SESSION_ENDED.has(failure.status)) return false;
    this.#asking.retire(session);
    if (this.#session === session) {
      this.#session = undefined;
      this.#retired.add(session);
      this.#listeners.fail({ kind: 'cut-off' });
    }
    if (!leg || leg.wasRepeated || leg.isSettled || this.#isClosed) return false;
    leg.wasRepeated = true;
    this.#asking.detach(leg);
    this.#start(leg);
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
