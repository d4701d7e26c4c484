/** Runs the work of one request within its deadline, and turns whatever it throws into a failure that may be shown. */
import { randomUUID } from 'node:crypto';
import { ToolError, type Failure } from '@database-mcp/errors';
import { LOG_FIELD, type Logger, type Span } from '@database-mcp/telemetry';
import { setCallSpan } from './call-span.ts';

/** After the deadline or a cancellation the database gets this long to end the statement before the call is answered. */
const ABORT_GRACE_MS = 1_000;

/** The bounds of one request. */
export interface RunOptions {
  /** What the log calls it: the published name of the tool, or the method. */
  name: string;
  signal: AbortSignal;
  timeoutMs: number;
  logger: Logger;
  /** Becomes the parent of what the work does. */
  span?: Span | undefined;
}

/** What became of the work. */
export type RunOutcome<T> = { kind: 'done'; value: T } | { kind: 'failed'; failure: Failure };

/** Runs the work; its signal is aborted by the caller's or at the deadline. Never rejects. */
export async function runBounded<T>(
  work: (signal: AbortSignal) => Promise<T>,
  options: RunOptions,
): Promise<RunOutcome<T>> {
  const limit = createLimit(options.signal, options.timeoutMs);
  if (options.span) setCallSpan(limit.signal, options.span);
  try {
    return { kind: 'done', value: await Promise.race([work(limit.signal), limit.overdue]) };
  } catch (error) {
    return { kind: 'failed', failure: toFailure(error, limit.signal, options) };
  } finally {
    limit.release();
  }
}

function toFailure(error: unknown, limit: AbortSignal, options: RunOptions): Failure {
  // More is known of a write than that its call was over.
  if (error instanceof ToolError && error.code === 'OUTCOME_UNKNOWN') return error;
  if (options.signal.aborted) {
    return { code: 'CANCELLED', message: 'The call was cancelled and its statement was ended.' };
  }
  if (limit.aborted) return timeoutFailure(options.timeoutMs);
  return error instanceof ToolError ? error : internalFailure(error, options);
}

function timeoutFailure(timeoutMs: number): Failure {
  return {
    code: 'TIMEOUT',
    message: `The statement took longer than ${timeoutMs / 1000} s and was ended.`,
    hint: 'Narrow it (fewer rows, a more selective condition), or ask the operator for a larger MCP_TIMEOUT_MS.',
  };
}

function internalFailure(error: unknown, options: RunOptions): Failure {
  const reference = randomUUID().slice(0, 8);
  options.logger.error(
    { err: error, [LOG_FIELD.TOOL]: options.name, [LOG_FIELD.REFERENCE]: reference },
    'a call failed',
  );
  return {
    code: 'INTERNAL',
    message: 'The server failed while it worked on this call.',
    hint: `Nothing was changed. The operator finds the cause in the server's log under reference ${reference}.`,
  };
}

interface Limit {
  /** Aborted by the caller or the deadline. */
  signal: AbortSignal;
  /** Rejects when the tool did not settle within the grace after that. */
  overdue: Promise<never>;
  release: () => void;
}

/** One timer per call, cleared with it: `AbortSignal.timeout` would keep each one until the full time has passed. */
function createLimit(caller: AbortSignal, timeoutMs: number): Limit {
  const controller = new AbortController();
  const { promise: overdue, reject } = Promise.withResolvers<never>();
  let grace: NodeJS.Timeout | undefined;
  const abort = (): void => {
    if (controller.signal.aborted) return;
    grace = setTimeout(() => reject(controller.signal.reason), ABORT_GRACE_MS);
    controller.abort();
  };
  const deadline = setTimeout(abort, timeoutMs);
  if (caller.aborted) abort();
  else caller.addEventListener('abort', abort, { once: true });
  return {
    signal: controller.signal,
    overdue,
    release() {
      clearTimeout(deadline);
      clearTimeout(grace);
      caller.removeEventListener('abort', abort);
    },
  };
}
