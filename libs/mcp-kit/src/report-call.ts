/** What is told of a call when it has ended: one log line, one line of the audit log, the size of its result. */
import type { ErrorCode, Failure } from '@database-mcp/errors';
import { ATTRIBUTE, LOG_FIELD, METRIC, type Telemetry, type TraceContext } from '@database-mcp/telemetry';
import type { AuditLog, Caller } from './audit-log.ts';
import type { ObservedRequest } from './request-spans.ts';
import type { RunOptions } from './run-bounded.ts';
import type { StatementDescription } from './statement-description.ts';
import type { TableResult } from './table-result.ts';

/** A call, its bounds, and whom it is told to. */
export interface CallOptions extends RunOptions {
  caller: Caller;
  /** The span of the request, or where the caller's trace comes in. */
  trace: TraceContext | undefined;
  /** Undefined when nobody would see it. */
  observed: ObservedRequest | undefined;
  audit: AuditLog | undefined;
  measureResult: MeasureResult | undefined;
}

/** How a call ended. */
export interface CallEnd {
  status: 'ok' | ErrorCode;
  /** Of the text that is sent. */
  bytes: number;
  result?: TableResult | undefined;
  statement?: StatementDescription | undefined;
  durationMs: number;
}

/** Measures the result of a tool. */
export type MeasureResult = (tool: string, end: CallEnd) => void;

/** Creates the measure of results; undefined when nobody reads metrics. */
export function createResultMeasure({ metrics }: Telemetry): MeasureResult | undefined {
  if (!metrics) return undefined;
  const sizes = metrics.histogram(METRIC.RESULT_SIZE);
  const truncated = metrics.counter(METRIC.RESULT_TRUNCATED);
  return (tool, { bytes, result }) => {
    const labels = { [ATTRIBUTE.TOOL]: tool };
    sizes.record(bytes, labels);
    if (result?.truncated) truncated.add(1, labels);
  };
}

/** Tells of a call. A failure is the answer that its caller gets instead: the audit log could not be written. */
export function reportCall(end: CallEnd, options: CallOptions): Failure | undefined {
  const { name, caller, trace, audit, observed } = options;
  const { status, bytes, result, statement, durationMs } = end;
  const withheld = audit?.record({
    caller,
    name,
    statement,
    status,
    rows: result?.rowCount,
    durationMs,
    traceId: trace?.traceId,
  });
  const told = withheld?.code ?? status;
  options.measureResult?.(name, end);
  observed?.settle(told, !options.signal.aborted);
  options.logger.info(
    {
      [LOG_FIELD.TOOL]: name,
      [LOG_FIELD.STATUS]: told,
      [LOG_FIELD.DURATION_MS]: durationMs,
      [LOG_FIELD.BYTES]: bytes,
      ...(trace && { [LOG_FIELD.TRACE_ID]: trace.traceId, [LOG_FIELD.SPAN_ID]: trace.spanId }),
    },
    'call',
  );
  return withheld;
}

/** Milliseconds since then, to a tenth. */
export function millisecondsSince(startedAt: number): number {
  return Math.round((performance.now() - startedAt) * 10) / 10;
}
