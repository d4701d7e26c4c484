/**
 * Decides by its parse tree whether a statement may run in read mode: exactly one statement that only reads.
 * This is the first line, which explains; the second is the READ ONLY transaction that `database.ts` puts around every
 * statement, and the last are the rights of the database role. Code behind views, operators and functions is not seen
 * here, so a role with as few rights as possible is what bounds it.
 */
import type { Failure } from '@database-mcp/errors';
import { describePosition } from './sql-position.ts';
import { findSideEffect } from './side-effects.ts';
import { parseSql, type ParseNode } from './sql-parser.ts';

/** The verdict on one statement. `parameters` is the highest `$n` in it. */
export type Verdict = { kind: 'allowed'; parameters: number } | ({ kind: 'refused' } & Failure);

/** Long lists belong in a parameter; parsing this much takes about 5 ms and 20 MB. */
const MAX_SQL_CHARACTERS = 100_000;

const WHAT_IS_ALLOWED = 'Only SELECT, VALUES, TABLE, SHOW and EXPLAIN are allowed.';

/** Judges SQL text as it came from the client. */
export async function classifyStatement(sql: string): Promise<Verdict> {
  const unusable = findUnusableText(sql);
  if (unusable) return refused('INVALID_ARGUMENT', unusable);
  const outcome = await parseSql(sql);
  if (outcome.kind === 'too-complex') {
    return refused('INVALID_ARGUMENT', 'The statement is nested too deeply.', {
      hint: 'Split it, or replace long chains of AND, OR or + by a list: x = ANY($1).',
    });
  }
  if (outcome.kind === 'syntax-error') {
    return refused('SYNTAX_ERROR', `Postgres cannot read the statement: ${outcome.message}.`, {
      where: describePosition(sql, outcome.position),
      hint: 'Correct it there, in the SQL of PostgreSQL.',
    });
  }
  const [statement, second] = outcome.statements;
  if (!statement) {
    return refused('INVALID_ARGUMENT', 'sql holds no statement.', { hint: 'Send one SELECT statement.' });
  }
  if (second) {
    return refused('READ_ONLY', `One statement only: sql holds ${outcome.statements.length}. Nothing was run.`, {
      where: describePosition(sql, second.position),
      hint: 'Send them one by one; only those that read are allowed.',
    });
  }
  return judge(sql, statement.node);
}

function findUnusableText(sql: string): string | undefined {
  if (sql.length > MAX_SQL_CHARACTERS) {
    return `sql is ${sql.length} characters long; at most ${MAX_SQL_CHARACTERS} are allowed. Pass long lists in params.`;
  }
  if (sql.includes('\0')) return 'sql holds a NUL character, which no SQL text can.';
  return sql.isWellFormed() ? undefined : 'sql is not valid Unicode (it holds half of a surrogate pair).';
}

function judge(sql: string, root: ParseNode): Verdict {
  const kind = Object.keys(root)[0] ?? '';
  if (kind === 'VariableShowStmt') return { kind: 'allowed', parameters: 0 };
  let query = root;
  if (kind === 'ExplainStmt') {
    query = ((root[kind] as ParseNode)['query'] as ParseNode | undefined) ?? {};
  }
  const queryKind = Object.keys(query)[0] ?? '';
  if (queryKind !== 'SelectStmt') return refuseKind(kind, queryKind);
  return judgeQuery(sql, query);
}

/** Statement kinds may hide anywhere below (data-modifying CTEs), so the whole tree is walked; not by recursion. */
function judgeQuery(sql: string, query: ParseNode): Verdict {
  let parameters = 0;
  const open: unknown[] = [query];
  while (open.length > 0) {
    const item = open.pop();
    if (typeof item !== 'object' || item === null) continue;
    for (const [key, value] of Object.entries(item)) {
      if (typeof value !== 'object' || value === null) continue;
      if (key.endsWith('Stmt') && key !== 'SelectStmt') return refuseKind(key, key);
      if (key === 'intoClause') return refuseWrite('SELECT INTO creates a table');
      if (key === 'lockingClause') return refuseWrite('FOR UPDATE and FOR SHARE lock rows, which is a write');
      if (key === 'ParamRef') parameters = Math.max(parameters, Number((value as { number?: number }).number ?? 0));
      const sideEffect = key === 'FuncCall' ? findSideEffect(value) : undefined;
      if (sideEffect) {
        const position = describeOffset(sql, (value as { location?: number }).location);
        return refused('READ_ONLY', `The function ${sideEffect.name} ${sideEffect.reason}.`, {
          where: position,
          hint: 'This server only reads table data; leave the function out.',
        });
      }
      open.push(value);
    }
  }
  return { kind: 'allowed', parameters };
}

/** The parser gives locations of nodes in bytes from 0. */
function describeOffset(sql: string, offset = 0): string | undefined {
  return describePosition(sql, [...Buffer.from(sql).subarray(0, offset).toString()].length + 1);
}

function refuseKind(kind: string, queryKind: string): Verdict {
  const name = toStatementName(queryKind || kind);
  const explained = kind === 'ExplainStmt' && queryKind !== kind ? ` (EXPLAIN of it runs or plans a write)` : '';
  return refuseWrite(`${name} is not a statement that only reads${explained}`);
}

function refuseWrite(reason: string): Verdict {
  return refused('READ_ONLY', `${reason}. Nothing was run.`, { hint: `This server only reads. ${WHAT_IS_ALLOWED}` });
}

/** `CreateTableAsStmt` → `CREATE TABLE AS`, close enough to what was written. */
function toStatementName(kind: string): string {
  const known: Record<string, string> = {
    TransactionStmt: 'transaction control (BEGIN, COMMIT, ROLLBACK, SAVEPOINT)',
    VariableSetStmt: 'SET or RESET',
    CreateStmt: 'CREATE TABLE',
    IndexStmt: 'CREATE INDEX',
    ViewStmt: 'CREATE VIEW',
    CreatedbStmt: 'CREATE DATABASE',
  };
  return (
    known[kind] ??
    kind
      .replace(/Stmt$/, '')
      .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
      .toUpperCase()
  );
}

function refused(code: Failure['code'], message: string, more: Pick<Failure, 'where' | 'hint'> = {}): Verdict {
  return { kind: 'refused', code, message, ...more };
}
