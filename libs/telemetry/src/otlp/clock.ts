/** Times of spans: to the microsecond, growing within a process, and following the machine's clock. */

/** After a correction of the machine's clock of more than this, times follow it. */
const MAX_DRIFT_MS = 5;
/** How often the clocks are compared. */
const COMPARE_EVERY_MS = 1_000;

let offsetMs = Date.now() - performance.now();
let comparedAt = performance.now();

/** Milliseconds since 1970 of a moment of `performance.now()`. */
export function toWallMs(moment: number): number {
  if (moment - comparedAt > COMPARE_EVERY_MS) {
    comparedAt = moment;
    const offset = Date.now() - performance.now();
    if (Math.abs(offset - offsetMs) > MAX_DRIFT_MS) offsetMs = offset;
  }
  return moment + offsetMs;
}
