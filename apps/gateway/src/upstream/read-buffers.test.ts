import assert from 'node:assert/strict';
import { constants, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { countRead } from './read-buffers.ts';

const MIB = 1024 * 1024;
const TURNS = 10;

/** Collections of the young generation while that runs. */
async function countMinor(run: () => void): Promise<number> {
  const kinds: unknown[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as (PerformanceEntry & { detail?: { kind?: number } })[]) {
      kinds.push(detail?.kind);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  run();
  // Entries are told a few turns later.
  for (let turn = 0; turn < TURNS; turn++) await setImmediate();
  observer.disconnect();
  return kinds.filter((kind) => kind === constants.NODE_PERFORMANCE_GC_MINOR).length;
}

test('the buffers of large answers are collected while they are young, each 16 MiB; those of small ones are left alone', async () => {
  const read = (bytes: number) => (): void => {
    for (let passed = 0; passed < 64 * MIB; passed += bytes) countRead(bytes);
  };
  assert.ok((await countMinor(read(64 * 1024))) >= 4);
  assert.ok((await countMinor(read(8 * 1024))) < 4);
});
