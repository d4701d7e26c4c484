/** For tests: the tool that writes, on a Postgres that the test has started. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { ToolError, toErrorText } from '@database-mcp/errors';
import type { TableResult, Tool } from '@database-mcp/mcp-kit';
import { createDatabase } from '../database.ts';
import { createTools } from '../tools/index.ts';
import { targetOf } from '../test-target.ts';
import { createConfirmations } from './confirmation.ts';

/** Which database, and what differs from the defaults. */
export interface OpenOptions {
  url: string;
  timeoutMs?: number;
  /** The key of the confirmations; absent, one of its own. */
  key?: string;
  poolSize?: number;
}

const LIMITS = { maxRows: 100, maxBytes: 100_000, maxCellBytes: 1_000 };

/** All tools with write access, as their own server process would have them. */
export function openWriting(t: TestContext, options: OpenOptions): Map<string, Tool> {
  const { url, timeoutMs = 10_000, key, poolSize = 2 } = options;
  const database = createDatabase({ target: targetOf(url), poolSize, timeoutMs, applicationName: 'write-test' });
  t.after(() => database.close());
  const tools = createTools(database, LIMITS, { confirmations: createConfirmations(key), instance: 'postgres' });
  return new Map(tools.map((tool) => [tool.name, tool]));
}

/** The tool that writes. */
export function openExecute(t: TestContext, options: OpenOptions): Tool {
  return openWriting(t, options).get('execute') ?? assert.fail('there is no tool that writes');
}

interface Args {
  sql: string;
  params?: unknown[];
  confirm?: string | undefined;
}
const NEVER = new AbortController().signal;

/** One call. */
export function call(tool: Tool, args: Args, signal = NEVER): Promise<TableResult> {
  return tool.run(args, { signal });
}

/** The notices of an answer, one a line. */
export function said(result: TableResult): string {
  return (result.notices ?? []).join('\n');
}

/** The text of the failure that the call must end with. */
export async function failureOf(tool: Tool, args: Args, signal = NEVER): Promise<string> {
  const error = await call(tool, args, signal).then(
    (result) => assert.fail(JSON.stringify(result)),
    (reason: unknown) => reason,
  );
  return error instanceof ToolError ? toErrorText(error) : String(error);
}
