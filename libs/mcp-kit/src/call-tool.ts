/**
 * The seam that every tool call passes: validates the arguments, runs the tool within its bounds, writes the log line.
 * A tool never sees the SDK's server, and nothing that a tool throws leaves the process as it is.
 */
import { toErrorResult, type ErrorResult, type Failure } from '@database-mcp/errors';
import { LOG_FIELD } from '@database-mcp/telemetry';
import type { z } from 'zod';
import type { Tool } from './define-tool.ts';
import { runBounded, type RunOptions } from './run-bounded.ts';
import type { TableResult } from './table-result.ts';

/** A list of a thousand wrong elements would otherwise make an error of a hundred kilobytes. */
const MAX_PROBLEMS = 5;

/** A `tools/call` result in the one result form: the structured content and the same thing as compact text. */
export interface ToolCallResult {
  [key: string]: unknown;
  content: { type: 'text'; text: string }[];
  structuredContent?: TableResult;
  isError?: boolean;
}

/** Runs one call. Never rejects: every failure is a result with `isError`. */
export async function callTool(tool: Tool, args: unknown, options: RunOptions): Promise<ToolCallResult> {
  const started = performance.now();
  const outcome = await runTool(tool, args, options);
  const { result, status } = outcome;
  const text = result.content[0]?.text ?? '';
  options.logger.info(
    {
      [LOG_FIELD.TOOL]: options.name,
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

async function runTool(tool: Tool, args: unknown, options: RunOptions): Promise<Outcome> {
  const parsed = tool.validate(args ?? {});
  if (!parsed.success) return failed(describeIssues(parsed.error, tool));
  const outcome = await runBounded((signal) => tool.run(parsed.data, { signal }), options);
  if (outcome.kind === 'failed') return failed(outcome.failure);
  const { value } = outcome;
  return {
    result: { content: [{ type: 'text', text: JSON.stringify(value) }], structuredContent: value },
    status: 'ok',
  };
}

function failed(failure: Failure): Outcome {
  return { result: toErrorResult(failure), status: failure.code };
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
