import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Freshness, UpstreamLists } from './fetch-lists.ts';
import { forEachKind } from './kinds.ts';
import { nextRefreshAt } from './member.ts';

function lists(prompts: Freshness, others: Freshness): UpstreamLists {
  const freshness = { ...forEachKind(() => others), discover: others, prompts };
  return { items: forEachKind(() => []), freshness, problems: [] };
}

function toFreshness(ttlMs: number | undefined): Freshness {
  return { ttlMs, cacheScope: 'public' };
}

const ROWS = [
  { prompts: undefined, others: undefined, atMost: 60_000, why: 'no time is given' },
  { prompts: 30_000, others: 90_000, atMost: 30_000, why: 'the shortest time counts' },
  { prompts: 300_000, others: undefined, atMost: 300_000, why: 'only one list has a time' },
  { prompts: 0, others: 90_000, atMost: 5_000, why: 'a time of 0 is no storm of requests' },
  { prompts: 1e15, others: undefined, atMost: 86_400_000, why: 'a day is as good as for ever' },
];

test('lists are fetched again when the shortest time is over, up to a fifth of it early', async (t) => {
  for (const { prompts, others, atMost, why } of ROWS) {
    await t.test(why, () => {
      const at = nextRefreshAt(lists(toFreshness(prompts), toFreshness(others)), 0);
      assert.ok(at <= atMost && at >= atMost * 0.8, String(at));
    });
  }
});
