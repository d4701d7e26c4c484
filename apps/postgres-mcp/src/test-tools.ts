/** For tests: the tools on a Postgres that the test has started. */
import assert from 'node:assert/strict';
import { ToolError, toErrorText } from '@database-mcp/errors';
import type { ResultLimits, TableResult, Tool } from '@database-mcp/mcp-kit';
import { createDatabase, type Database, type DatabaseOptions } from './database.ts';
import { targetOf } from './test-target.ts';
import { createTools } from './tools/index.ts';

/** The tools as one role uses them. */
export interface OpenTools {
  database: Database;
  tools: ReadonlyMap<string, Tool>;
  call(name: string, args: object): Promise<TableResult>;
  /** The text of the failure that the call must end with. */
  failureOf(name: string, args: object): Promise<string>;
}

const LIMITS: ResultLimits = { maxRows: 1_000, maxBytes: 100_000, maxCellBytes: 10_000 };

/** Opens the tools for the role of a connection string; close the `database` afterwards. */
export function openTools(
  url: string,
  limits = LIMITS,
  options: Partial<DatabaseOptions> = {},
  writing?: Parameters<typeof createTools>[2],
): OpenTools {
  const base = { poolSize: 2, timeoutMs: 10_000, applicationName: 'int-test' };
  const database = createDatabase({ ...base, target: targetOf(url), ...options });
  const tools = new Map(createTools(database, limits, writing).map((tool) => [tool.name, tool]));
  const call: OpenTools['call'] = async (name, args) => {
    const tool = tools.get(name);
    const parsed = tool?.validate(args);
    assert.ok(tool && parsed?.success, JSON.stringify(parsed?.error?.issues));
    return await tool.run(parsed.data, { signal: new AbortController().signal });
  };
  return {
    database,
    tools,
    call,
    async failureOf(name, args) {
      const error = await call(name, args).then(
        (answer) => assert.fail(`${name} answered ${JSON.stringify(answer)}`),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof ToolError, String(error));
      return toErrorText(error);
    },
  };
}
