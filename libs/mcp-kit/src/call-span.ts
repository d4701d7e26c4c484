/**
 * The span of a call, found by the signal of the call. The signal is what all code that works for a call is handed already,
 * so that the database operations find their parent without a second parameter through every function, and without
 * AsyncLocalStorage, which follows callbacks of drivers to places where nobody sees it.
 */
import type { Span } from '@database-mcp/telemetry';

const spans = new WeakMap<AbortSignal, Span>();

/** Makes the span the parent of what is done under the signal. */
export function setCallSpan(signal: AbortSignal, span: Span): void {
  spans.set(signal, span);
}

/** The span of the call whose signal this is; undefined when no traces are exported, and for work of the process's own. */
export function callSpanOf(signal: AbortSignal): Span | undefined {
  return spans.get(signal);
}
