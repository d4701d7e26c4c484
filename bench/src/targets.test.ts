import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atLeast, atMost, counted, isMet, QUICK_RUN_SLACK } from './targets.ts';

test('a target is met at its limit; a quick run gives what is timed some slack, and no more', () => {
  const table: [target: ReturnType<typeof atLeast>, strict: boolean, quick: boolean, why: string][] = [
    [atLeast('rate', 0.8, 0.8), true, true, 'at the limit'],
    [atLeast('rate', 0.79, 0.8), false, true, 'just below'],
    [atLeast('rate', 0.59, 0.8), false, false, 'a quarter and more below'],
    [atMost('cost', 1.3, 1.3), true, true, 'at the limit'],
    [atMost('cost', 1.6, 1.3), false, true, 'above'],
    [atMost('cost', 1.63, 1.3), false, false, 'a quarter and more above'],
    [counted(atMost('requests per call', 1.01, 1.01)), true, true, 'counted, at the limit'],
    [counted(atMost('requests per call', 1.02, 1.01)), false, false, 'counted: above is above'],
    [atMost('cost', Number.NaN, 1.3), true, true, 'the system does not tell'],
  ];
  for (const [target, strict, quick, why] of table) {
    assert.equal(isMet(target), strict, why);
    assert.equal(isMet(target, QUICK_RUN_SLACK), quick, why);
  }
});
