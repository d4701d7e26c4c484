/**
 * Continuation of an answer without anything kept for it: the token says how many rows were given and which statement
 * with which values it belongs to. The statement is run again, and Postgres passes over those rows by itself.
 */
import { createHash } from 'node:crypto';
import { ToolError } from '@database-mcp/errors';
import { parseSql, type ParseNode } from './sql-parser.ts';

/** Changes when tokens of before must not be read any more. */
const VERSION = 1;
/** Of SHA-256: enough that another statement does not fit by chance. */
const DIGEST_BYTES = 9;
const TOKEN = /^(\d+)\.([1-9]\d*)\.([\w-]+)$/;

/** What a token belongs to. */
export interface Continued {
  sql: string;
  params: readonly unknown[];
}

/** The token that continues a statement after its first `rows` rows. */
export function toCursor(statement: Continued, rows: number): string {
  return Buffer.from(`${VERSION}.${rows}.${digest(statement)}`).toString('base64url');
}

/** How many rows the token passes over. Throws INVALID_ARGUMENT for anything but a token of this very statement. */
export function readCursor(cursor: string, statement: Continued): number {
  const [, version, rows, found] = TOKEN.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  const skip = Number(rows);
  if (Number(version) !== VERSION || !Number.isSafeInteger(skip)) {
    throw invalid('cursor is not a value that this tool gave as next.');
  }
  if (found !== digest(statement)) throw invalid('cursor belongs to another statement, or to other params.');
  return skip;
}

function digest({ sql, params }: Continued): string {
  const values = JSON.stringify(params, (_key, value: unknown) =>
    typeof value === 'bigint' ? `bigint ${value}` : value,
  );
  return createHash('sha256').update(`${sql}\0${values}`).digest().subarray(0, DIGEST_BYTES).toString('base64url');
}

function invalid(message: string): ToolError {
  return new ToolError({
    code: 'INVALID_ARGUMENT',
    message,
    hint: 'Pass next of the last answer as cursor, with the same sql and params; leave cursor out to begin anew.',
  });
}

/** Whether a statement can be continued, and whether its rows come in an order that it asks for. */
export async function judgeContinuation(sql: string): Promise<{ isPossible: boolean; isOrdered: boolean }> {
  const outcome = await parseSql(sql);
  const node = outcome.kind === 'parsed' ? outcome.statements[0]?.node : undefined;
  const select = node?.['SelectStmt'] as ParseNode | undefined;
  // VALUES alone gives its rows as they are written.
  return {
    isPossible: select !== undefined,
    isOrdered: select?.['sortClause'] !== undefined || select?.['valuesLists'] !== undefined,
  };
}
