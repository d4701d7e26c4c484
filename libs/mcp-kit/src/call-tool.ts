/**
 * The seam that every tool call passes: validates the arguments, sets the deadline, maps errors, writes the log line.
 * A tool never sees the SDK's server, and nothing that a tool throws leaves the process as it is.
 */
import { randomUUID } from 'node:crypto';
import { ToolError, toErrorResult, type ErrorResult, type Failure } from '@database-mcp/errors';
import { LOG_FIELD, type Logger } from '@database-mcp/telemetry';
import type { z } from 'zod';
import type { Tool } from './define-tool.ts';
import type { TableResult } from './table-result.ts';

/** After the deadline or a cancellation the database gets this long to end the statement before the call is answered. */
const ABORT_GRACE_MS = 1_000;
/** A list of a thousand wrong elements would otherwise make an error of a hundred kilobytes. */
const MAX_PROBLEMS = 5;

/** What the seam needs besides the tool and its arguments. */
export interface CallOptions {
  publishedName: string;
  signal: AbortSignal;
  timeoutMs: number;
  logger: Logger;
}

/** A `tools/call` result in the one result form: the structured content and the same thing as compact text. */
export interface ToolCallResult {
  [key: string]: unknown;
  content: { type: 'text'; text: string }[];
  structuredContent?: TableResult;
  isError?: boolean;
}

/** Runs one call. Never rejects: every failure is a result with `isError`. */
export async function callTool(tool: Tool, args: unknown, options: CallOptions): Promise<ToolCallResult> {
  const started = performance.now();
  const outcome = await runTool(tool, args, options);
  const { result, status } = outcome;
  const text = result.content[0]?.text ?? '';
  options.logger.info(
    {
      [LOG_FIELD.TOOL]: options.publishedName,
      [LOG_FIELD.STATUS]: status,
      [LOG_FIELD.DURATION_MS]: Math.round((performance.now() - started) * 10) / 10,
      [LOG_FIELD.BYTES]: Buffer.byteLength(text),
    },
    'call',
  );
  return result;
}

interface Outcome {
  result: ToolCallResult | ErrorResult;
  status: string;
}

async function runTool(tool: Tool, args: unknown, options: CallOptions): Promise<Outcome> {
  const parsed = tool.validate(args ?? {});
  if (!parsed.success) return failed(describeIssues(parsed.error, tool));
  const limit = createLimit(options.signal, options.timeoutMs);
  try {
    const result = await Promise.race([tool.run(parsed.data, { signal: limit.signal }), limit.overdue]);
    return {
      result: { content: [{ type: 'text', text: JSON.stringify(result) }], structuredContent: result },
      status: 'ok',
    };
  } catch (error) {
    if (options.signal.aborted) {
      return failed({ code: 'CANCELLED', message: 'The call was cancelled and its statement was ended.' });
    }
    if (limit.signal.aborted) return failed(timeoutFailure(options.timeoutMs));
    if (error instanceof ToolError) return failed(error);
    return failed(internalFailure(error, options));
  } finally {
    limit.release();
  }
}

function failed(failure: Failure): Outcome {
  return { result: toErrorResult(failure), status: failure.code };
}

function timeoutFailure(timeoutMs: number): Failure {
  return {
    code: 'TIMEOUT',
    message: `The statement took longer than ${timeoutMs / 1000} s and was ended.`,
    hint: 'Narrow it (fewer rows, a more selective condition), or ask the operator for a larger MCP_TIMEOUT_MS.',
  };
}

function internalFailure(error: unknown, options: CallOptions): Failure {
  const reference = randomUUID().slice(0, 8);
  options.logger.error(
    { err: error, [LOG_FIELD.TOOL]: options.publishedName, [LOG_FIELD.REFERENCE]: reference },
    'a tool failed',
  );
  return {
    code: 'INTERNAL',
    message: 'The server failed while it worked on this call.',
    hint: `Nothing was changed. The operator finds the cause in the server's log under reference ${reference}.`,
  };
}

function describeIssues(error: z.ZodError, tool: Tool): Failure {
  const problems = error.issues.slice(0, MAX_PROBLEMS).map((issue) => {
    const path = issue.path.map(String).join('.');
    return path ? `${path}: ${issue.message}` : issue.message;
  });
  if (error.issues.length > MAX_PROBLEMS) problems.push(`and ${error.issues.length - MAX_PROBLEMS} more problems`);
  const known = Object.keys((tool.inputSchema['properties'] as object | undefined) ?? {});
  return {
    code: 'INVALID_ARGUMENT',
    message: problems.join('; '),
    hint: known.length > 0 ? `The arguments are: ${known.join(', ')}.` : 'This tool takes no arguments.',
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
