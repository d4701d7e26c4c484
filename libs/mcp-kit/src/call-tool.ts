/**
 * The seam that every tool call passes: validates the arguments, runs the tool within its bounds, tells how it ended.
 * A tool never sees the SDK's server, and nothing that a tool throws leaves the process as it is.
 */
import { toErrorResult, type ErrorCode, type Failure } from '@database-mcp/errors';
import type { z } from 'zod';
import type { Tool } from './define-tool.ts';
import { millisecondsSince, reportCall, type CallOptions } from './report-call.ts';
import { runBounded } from './run-bounded.ts';
import type { StatementDescription } from './statement-description.ts';
import { stringifyTable } from './table-json.ts';
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
export async function callTool(tool: Tool, args: unknown, options: CallOptions): Promise<ToolCallResult> {
  const startedAt = performance.now();
  const refusal = options.audit?.refuse();
  const outcome = refusal ? { ...failed(refusal), isUnrecorded: true } : await runTool(tool, args, options);
  const { result, status, statement } = outcome;
  const withheld = reportCall(
    {
      status,
      bytes: Buffer.byteLength(result.content[0]?.text ?? ''),
      result: result.structuredContent,
      statement,
      durationMs: millisecondsSince(startedAt),
    },
    outcome.isUnrecorded ? { ...options, audit: undefined } : options,
  );
  return withheld ? toErrorResult(withheld) : result;
}

interface Outcome {
  result: ToolCallResult;
  status: 'ok' | ErrorCode;
  /** Only for the audit log. */
  statement?: StatementDescription | undefined;
  /** The audit log cannot be written, and the call has not run. */
  isUnrecorded?: boolean;
}

async function runTool(tool: Tool, args: unknown, options: CallOptions): Promise<Outcome> {
  const parsed = tool.validate(args ?? {});
  if (!parsed.success) return failed(describeIssues(parsed.error, tool));
  const { audit, name, caller, trace } = options;
  const statement = audit ? await describeCall(tool, parsed.data) : undefined;
  const refusal = tool.annotations.readOnlyHint
    ? undefined
    : audit?.announce({ caller, name, statement, traceId: trace?.traceId });
  if (refusal) return { ...failed(refusal), isUnrecorded: true };
  const outcome = await runBounded((signal) => tool.run(parsed.data, { signal }), options);
  if (outcome.kind === 'failed') return { ...failed(outcome.failure), statement };
  const { value } = outcome;
  return {
    result: { content: [{ type: 'text', text: stringifyTable(value) }], structuredContent: value },
    status: 'ok',
    statement,
  };
}

/** What cannot be described is recorded without its statement. */
async function describeCall(tool: Tool, args: unknown): Promise<StatementDescription | undefined> {
  try {
    return await tool.describe(args);
  } catch {
    return undefined;
  }
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
