/** W3C trace context: which span a message belongs to, as it travels in `params._meta` and in HTTP headers. */

/** The identity of a span, here or elsewhere. */
export interface TraceContext {
  /** 32 lower-case hexadecimal digits. */
  readonly traceId: string;
  /** 16 lower-case hexadecimal digits. */
  readonly spanId: string;
  /** Bit 0: sampled; bit 1: the trace id is random. */
  readonly flags: number;
  /** `tracestate`, carried as it came. */
  readonly state?: string;
}

/** The bit that says that the trace is recorded. */
export const SAMPLED = 0x01;
/** The bit that says that the last 56 bits of the trace id are random (W3C Trace Context level 2). */
export const RANDOM = 0x02;

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);
const KNOWN_FLAGS = SAMPLED | RANDOM;
/** What W3C asks every party to carry at least. */
const MAX_STATE_CHARS = 512;
/** W3C baggage: at most 8192 bytes. */
const MAX_BAGGAGE_CHARS = 8_192;
const VISIBLE_ASCII = /^[\x20-\x7e\t]*$/;

/** Reads `traceparent`, and the `tracestate` beside it. Undefined if it is missing or malformed: a new trace begins. */
export function parseTraceparent(traceparent: unknown, tracestate?: unknown): TraceContext | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const match = TRACEPARENT.exec(traceparent);
  if (!match) return undefined;
  const [, version, traceId = '', spanId = '', flags = '00', rest] = match;
  // Version ff is forbidden; later versions may have more parts, version 00 may not.
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  const context = { traceId, spanId, flags: Number.parseInt(flags, 16) & KNOWN_FLAGS };
  const state = toHeaderText(tracestate, MAX_STATE_CHARS);
  return state === undefined ? context : { ...context, state };
}

/** The `traceparent` of a span. */
export function formatTraceparent(context: TraceContext): string {
  return `00-${context.traceId}-${context.spanId}-0${context.flags}`;
}

/** `baggage` as it may travel on, or undefined. It is carried, never read. */
export function parseBaggage(baggage: unknown): string | undefined {
  return toHeaderText(baggage, MAX_BAGGAGE_CHARS);
}

/** Text that is too long or that no header can hold is dropped, as W3C allows. */
function toHeaderText(value: unknown, maxChars: number): string | undefined {
  if (typeof value !== 'string' || value === '' || value.length > maxChars) return undefined;
  return VISIBLE_ASCII.test(value) ? value : undefined;
}
