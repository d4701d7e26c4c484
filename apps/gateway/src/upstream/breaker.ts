/** The circuit breaker of one upstream: after repeated connection failures calls fail at once instead of waiting. */

/**
 * Whether calls may pass. `half-open`: one trial call is on its way. `refusing`: it is down, but an attempt costs
 * nothing since it is refused at once; calls pass, so that the first one after it is back succeeds.
 */
export type BreakerState =
  | { kind: 'closed'; failures: number }
  | { kind: 'refusing' }
  | { kind: 'open'; retryAt: number }
  | { kind: 'half-open'; retryAt: number };

/** A breaker that has seen no failure. */
export const CLOSED: BreakerState = { kind: 'closed', failures: 0 };

/** One failure may be chance and two a restart; the third in a row is an outage. */
const FAILURES_TO_OPEN = 3;
/** How long calls fail at once before one of them is tried again; the health probe has the same rhythm. */
export const RETRY_AFTER_MS = 1_000;

/** Whether a call may pass at `now`, and the state after that decision. */
export function admitCall(state: BreakerState, now: number): { admitted: boolean; state: BreakerState } {
  if (state.kind === 'closed' || state.kind === 'refusing') return { admitted: true, state };
  if (now < state.retryAt) return { admitted: false, state };
  // A trial whose end is never told (its client went away) must not keep the breaker shut: retryAt admits the next.
  return { admitted: true, state: { kind: 'half-open', retryAt: now + RETRY_AFTER_MS } };
}

/** The state after a connection could not be made at `now`. `isCheap`: that was known at once. */
export function afterFailure(state: BreakerState, now: number, isCheap = false): BreakerState {
  const failures = state.kind === 'closed' ? state.failures + 1 : FAILURES_TO_OPEN;
  if (failures < FAILURES_TO_OPEN) return { kind: 'closed', failures };
  return isCheap ? { kind: 'refusing' } : { kind: 'open', retryAt: now + RETRY_AFTER_MS };
}
