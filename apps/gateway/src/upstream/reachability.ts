/** Whether one upstream can be reached: its breaker, and for how long calls wait for one that restarts. */
import { admitCall, afterFailure, CLOSED, type BreakerState } from './breaker.ts';

/** A server that was there a moment ago may just restart: calls that it refuses are repeated for this long. */
const RESTART_MS = 700;
/** … at this rhythm. */
const RETRY_EVERY_MS = 25;

/** What is known of the connection to one upstream. */
export interface Reachability {
  isReachable(): boolean;
  /** Whether a call may try. */
  admit(): boolean;
  /** There is a connection. */
  connected(): void;
  /** No connection could be made. `isCheap`: that was known at once. */
  unreachable(isCheap: boolean): void;
  /** After how many milliseconds an attempt that reached nobody is worth another one; undefined: it is not. */
  retryDelay(): number | undefined;
}

/** Nothing is known yet. */
export function createReachability(): Reachability {
  let breaker: BreakerState = CLOSED;
  /** The first failure since the last connection; a server that never was there is not waited for. */
  let failingSince: number | undefined = -Infinity;
  return {
    isReachable: () => breaker.kind === 'closed',
    admit: () => {
      if (breaker === CLOSED) return true;
      const admission = admitCall(breaker, performance.now());
      breaker = admission.state;
      return admission.admitted;
    },
    connected: () => {
      breaker = CLOSED;
      failingSince = undefined;
    },
    unreachable: (isCheap) => {
      const now = performance.now();
      failingSince ??= now;
      breaker = afterFailure(breaker, now, isCheap);
    },
    retryDelay: () => {
      const now = performance.now();
      failingSince ??= now;
      return now - failingSince < RESTART_MS ? RETRY_EVERY_MS : undefined;
    },
  };
}
