/**
 * Collects the buffers of large answers while they are young (decision 28). Each read of a socket fills a buffer of up
 * to 64 KiB outside of V8's heap. It is garbage as soon as it is written on, but the few objects of a large answer fill
 * the young generation slowly, so that V8 does not look there; it counts the bytes instead, and after some tens of MiB
 * marks the whole heap to find them.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type CollectGarbage = (options: { type: 'minor' }) => void;

/** Smaller pieces come with as many objects as fill the young generation by themselves. */
const LARGE_PIECE_BYTES = 16 * 1024;
/** At the highest rate so many pass in about 30 ms; a collection of the young generation takes less than one. */
const BYTES_PER_COLLECTION = 16 * 1024 * 1024;

let collect: CollectGarbage | undefined;
let passed = 0;

/** Takes note of a piece of an answer that was read from an upstream. */
export function countRead(bytes: number): void {
  if (bytes < LARGE_PIECE_BYTES) return;
  passed += bytes;
  if (passed < BYTES_PER_COLLECTION) return;
  passed = 0;
  collect ??= findCollector();
  collect({ type: 'minor' });
}

/** V8's function, without a flag on the command line: only a context that is made after it is set has it. */
function findCollector(): CollectGarbage {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('globalThis.gc');
  return typeof found === 'function' ? (found as CollectGarbage) : () => {};
}
