/**
 * Calls at one legacy server whose clients can be asked: chooses their sessions, holds those open that wait for a modern
 * client to come back, and knows them again when it does.
 */
import { createRequestStates, digestOf, expired } from '../asks/request-state.ts';
import { findValue } from '../json-spans.ts';
import { isObject } from '../protocol.ts';
import type { CallFailure } from '../upstream/upstream.ts';
import type { Asked, BridgedCall } from './bridged-call.ts';
import { HeldCall, readResponses, type HeldCallOwner } from './held-call.ts';
import type { LegacySession } from './legacy-session.ts';
import { RelayedCall } from './relayed-call.ts';
import type { ServerCall } from './server-call.ts';
import { SessionPool, type SessionLease, type SessionPoolOptions } from './session-pool.ts';

/** What this needs of its upstream. */
export interface AskingCallsOptions {
  pool: SessionPoolOptions;
  /** Calls that wait for modern clients at one time. */
  maxHeld: number;
  /** How long a client may take for an answer. */
  askTimeoutMs: number;
  /** A call is lost, and the client's request that waits for it, if one does; true when that is sent anew. */
  onLost: (session: LegacySession, leg: BridgedCall | undefined, failure: CallFailure) => boolean;
  /** The place of a call is free; told once for each call that was started here. */
  freed: () => void;
}

/** What a modern client's request with a `requestState` is. */
export type Retry =
  | { kind: 'continued'; continue: (leg: BridgedCall) => void }
  /** Nothing waits for it: it is a call like any other. */
  | { kind: 'anew' }
  | { kind: 'failed'; failure: CallFailure }
  | { kind: 'unusable'; problem: string };

/** The calls of one upstream. */
export class AskingCalls {
  readonly #options: AskingCallsOptions;
  readonly #pool: SessionPool;
  readonly #states = createRequestStates();
  readonly #callOf = new Map<BridgedCall, RelayedCall | HeldCall>();
  readonly #leases = new Map<ServerCall, SessionLease>();
  readonly #held = new Map<string, HeldCall>();

  constructor(options: AskingCallsOptions) {
    this.#options = options;
    this.#pool = new SessionPool(options.pool);
  }

  /** Runs the call in a session that declares what its client can be asked. Rejects when there is none to be had. */
  async start(leg: BridgedCall): Promise<void> {
    const lease = await this.#pool.acquire(leg.asked.canAsk);
    if (leg.isSettled) return lease.release();
    const { askTimeoutMs } = this.#options;
    const { client } = leg.asked;
    const call = client
      ? new RelayedCall(leg, client, lease.session, askTimeoutMs)
      : new HeldCall(leg, lease.session, this.#ownerOf(), askTimeoutMs);
    this.#callOf.set(leg, call);
    this.#leases.set(call, lease);
    lease.session.run(call, (failure) => this.#options.onLost(lease.session, call.leg, failure));
  }

  /** Nobody waits for the answer any more. */
  abandon(leg: BridgedCall): void {
    const call = this.#callOf.get(leg);
    if (call) this.#leases.get(call)?.session.abandon(call);
  }

  /** The client's request has ended; false if it belongs to no call here, and so its place is not freed here either. */
  released(leg: BridgedCall): boolean {
    const call = this.#callOf.get(leg);
    if (!call) return false;
    this.#callOf.delete(leg);
    if (call instanceof RelayedCall) {
      call.legReleased();
      this.#end(call);
    } else call.legReleased(leg);
    return true;
  }

  /** Takes a call out of its session, to be started anew. */
  detach(leg: BridgedCall): void {
    const call = this.#callOf.get(leg);
    if (!call) return;
    this.#callOf.delete(leg);
    this.#leases.get(call)?.release();
    this.#leases.delete(call);
  }

  /** The session is not known to the server any more. */
  retire(session: LegacySession): void {
    this.#pool.retire(session);
  }

  /** Reads what a modern client sends back. */
  readRetry(asked: Asked): Retry {
    const { body, params } = asked;
    const read = this.#states.read(params['requestState'], digestOfRequest(asked));
    if (read.kind === 'unusable') return read;
    const { id } = read.call;
    if (id === undefined) return hasAccepted(params['inputResponses']) ? { kind: 'anew' } : NOT_OPENED;
    const held = this.#held.get(id);
    if (!held) return { kind: 'unusable', problem: expired() };
    if (held.leg) return { kind: 'unusable', problem: 'Another request continues this call already.' };
    return {
      kind: 'continued',
      continue: (leg) => {
        this.#callOf.set(leg, held);
        held.resume(leg, readResponses(body, params));
      },
    };
  }

  /** Ends the calls that wait for clients, and every session. */
  async close(): Promise<void> {
    for (const call of this.#held.values()) call.expire();
    await this.#pool.close();
  }

  #ownerOf(): HeldCallOwner {
    return {
      mayHold: (call) => {
        if (!this.#held.has(call.id) && this.#held.size >= this.#options.maxHeld) return false;
        this.#held.set(call.id, call);
        return true;
      },
      seal: ({ id, asked }, isHeld) =>
        this.#states.seal({
          id: isHeld ? id : undefined,
          until: Date.now() + this.#options.askTimeoutMs,
          request: digestOfRequest(asked),
        }),
      ended: (call) => {
        this.#held.delete(call.id);
        this.#end(call);
      },
    };
  }

  #end(call: ServerCall): void {
    this.#leases.get(call)?.release();
    this.#leases.delete(call);
    this.#options.freed();
  }
}

const NOT_OPENED: Retry = {
  kind: 'failed',
  failure: { kind: 'refused-ask', problem: 'The user did not open the URL that it needs opened.' },
};

function digestOfRequest({ body, params, method }: Asked): string {
  const args = findValue(body, 'params', 'arguments');
  return digestOf(method, String(params['name'] ?? params['uri']), body.subarray(args?.start ?? 0, args?.end ?? 0));
}

function hasAccepted(responses: unknown): boolean {
  const all = isObject(responses) ? Object.values(responses) : [];
  return all.length > 0 && all.every((response) => isObject(response) && response['action'] === 'accept');
}
