/** Random identities of traces and spans, taken from a pool: asking the system for each costs more than the span. */
import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 8_192;
const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;

const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

function take(bytes: number): string {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const id = pool.toString('hex', used, used + bytes);
  used += bytes;
  // An identity of zeros only is forbidden.
  return /[^0]/.test(id) ? id : take(bytes);
}

/** A new trace id. */
export function randomTraceId(): string {
  return take(TRACE_ID_BYTES);
}

/** A new span id. */
export function randomSpanId(): string {
  return take(SPAN_ID_BYTES);
}
