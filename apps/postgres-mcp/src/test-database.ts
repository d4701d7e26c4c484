/** For tests: the database module on a Postgres that the test has started, past the tools and the access policy. */
import assert from 'node:assert/strict';
import { ToolError, type ErrorCode } from '@database-mcp/errors';
import type { SourceCell } from '@database-mcp/mcp-kit';
import { createDatabase, type Database, type DatabaseOptions } from './database.ts';
import type { Answer, Statement } from './statement.ts';
import { targetOf } from './test-target.ts';

const DEFAULTS = { poolSize: 2, timeoutMs: 10_000, applicationName: 'int-test' };
const NEVER = new AbortController().signal;

/** Opens the database of a connection URL until the end of the test. */
export function openDatabase(
  t: { after(cleanUp: () => Promise<void>): void },
  url: string,
  options: Partial<DatabaseOptions> = {},
): Database {
  const database = createDatabase({ ...DEFAULTS, target: targetOf(url), ...options });
  t.after(() => database.close());
  return database;
}

/** Runs one statement and gives its rows. */
export async function read(
  database: Database,
  statement: string | Statement,
  { maxRows = 100, signal = NEVER }: { maxRows?: number; signal?: AbortSignal } = {},
): Promise<Answer & { rows: SourceCell[][] }> {
  const rows: SourceCell[][] = [];
  const sink = { maxRows, push: (row: SourceCell[]) => rows.length < maxRows && rows.push(row) > 0 };
  const answer = await database.read(typeof statement === 'string' ? { sql: statement } : statement, sink, signal);
  return { ...answer, rows };
}

/** For `assert.rejects`: a ToolError of this code that says this, and nothing of addresses and passwords. */
export function hasCode(code: ErrorCode, says = /./): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof ToolError, String(error));
    const text = `${error.message}\n${error.where ?? ''}\n${error.hint ?? ''}`;
    assert.equal(error.code, code, text);
    assert.match(text, says);
    assert.equal(/hunter2|:\/\/|127\.0\.0\.1/.test(text), false, text);
    return true;
  };
}
