/** Asks V8 to collect garbage, in the two cases in which it would not by itself when it should (decision 28). */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** V8's own options: `minor` looks at young objects only, the last resort also gives memory back that may be of use. */
type CollectOptions = { type: 'minor' } | { type: 'major'; flavor: 'last-resort' };

let collect: ((options: CollectOptions) => void) | undefined;

/** Collects the young objects, which takes less than a millisecond when hardly any is still in use. */
export function collectYoung(): void {
  collect ??= findCollector();
  collect({ type: 'minor' });
}

/** Gives back what is not needed any more after the start: about 12 of 118 MiB, in about 30 ms. */
export function collectAfterStart(): void {
  collect ??= findCollector();
  collect({ type: 'major', flavor: 'last-resort' });
}

/** V8's function, without a flag on the command line: only a context that is made after it is set has it. */
function findCollector(): (options: CollectOptions) => void {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('globalThis.gc');
  return typeof found === 'function' ? (found as (options: CollectOptions) => void) : () => {};
}
