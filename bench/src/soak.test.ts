import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeSoak } from './soak.ts';

const MIB = 1_024 * 1_024;
const SOAKS = [
  { mib: [90, 110, 112, 111, 113, 110, 112, 111], files: 40, isFlat: true, why: 'grows while it warms up, not after' },
  { mib: [90, 100, 110, 120, 130, 140, 150, 160], files: 40, isFlat: false, why: 'grows all the time' },
  { mib: [110, 111, 180, 110, 112, 111, 110, 112], files: 40, isFlat: true, why: 'one sample before a collection' },
  { mib: [110, 110, 110, 110, 110, 110, 110, 110], files: undefined, isFlat: true, why: 'open files are not told' },
];
for (const { mib, files, isFlat, why } of SOAKS) {
  test(`memory of ${mib.join(', ')} MiB is ${isFlat ? 'flat' : 'not flat'}: ${why}`, () => {
    const samples = mib.map((each) => ({ residentBytes: each * MIB, openFiles: files }));
    assert.equal(judgeSoak(samples).isFlat, isFlat);
  });
}

test('open files that pile up are no flat run, whatever the memory', () => {
  const samples = Array.from({ length: 8 }, (_, index) => ({ residentBytes: 100 * MIB, openFiles: 40 + 10 * index }));
  assert.equal(judgeSoak(samples).isFlat, false);
});
