import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { after, test } from 'node:test';
import { choosePinning } from './pinning.ts';

/** Without colours, whatever the environment asks for. */
const PRINT_CORES = 'process.stdout.write(String(os.availableParallelism()))';

/** What a program that this process starts is left with. */
const coresOfAChild = (): number => Number(execFileSync(process.execPath, ['-e', PRINT_CORES], { encoding: 'utf8' }));

test('pinning holds what is started meanwhile on one core, and gives all cores back when it is released', (t) => {
  const cores = availableParallelism();
  const pinning = choosePinning();
  after(() => pinning.release());
  if (!pinning.description.startsWith('pinned')) return t.skip(pinning.description);
  assert.equal(coresOfAChild(), 1);
  pinning.release();
  assert.equal(coresOfAChild(), cores);
});
