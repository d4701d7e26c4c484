import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admitCall, afterFailure, CLOSED, RETRY_AFTER_MS, type BreakerState } from './breaker.ts';

function failTimes(count: number): BreakerState {
  let state = CLOSED;
  for (let index = 0; index < count; index++) state = afterFailure(state, 0);
  return state;
}

test('the breaker opens at the third failure in a row', () => {
  assert.equal(failTimes(2).kind, 'closed');
  assert.equal(failTimes(3).kind, 'open');
});

test('an open breaker admits nothing until its time, then one trial', () => {
  const open = failTimes(3);
  assert.equal(admitCall(open, RETRY_AFTER_MS - 1).admitted, false);
  const trial = admitCall(open, RETRY_AFTER_MS);
  assert.equal(trial.admitted, true);
  assert.equal(trial.state.kind, 'half-open');
  assert.equal(admitCall(trial.state, RETRY_AFTER_MS + 1).admitted, false);
});

test('a trial that fails opens the breaker again at once', () => {
  const trial = admitCall(failTimes(3), RETRY_AFTER_MS).state;
  const again = afterFailure(trial, RETRY_AFTER_MS);
  assert.deepEqual(again, { kind: 'open', retryAt: 2 * RETRY_AFTER_MS });
});

test('an upstream that refuses connections at once is down but tried with each call, until it is there or slow to fail', () => {
  let state = failTimes(2);
  state = afterFailure(state, 0, true);
  assert.equal(state.kind, 'refusing');
  assert.deepEqual(admitCall(state, 0), { admitted: true, state });
  assert.equal(afterFailure(state, 0, true).kind, 'refusing');
  assert.equal(afterFailure(state, 0).kind, 'open');
});

test('a trial whose end is never told does not keep the breaker shut', () => {
  const trial = admitCall(failTimes(3), RETRY_AFTER_MS).state;
  assert.equal(admitCall(trial, 2 * RETRY_AFTER_MS).admitted, true);
});
