/**
 * Decides by its parse tree whether a statement may run in read mode: exactly one statement that only reads.
 * This is the first line, which explains; the second is the READ ONLY transaction that `database.ts` puts around every
 * statement, and the last are the rights of the database role. What is behind the names of functions, operators, casts
 * and views is judged in `function-policy.ts`, with what the catalog says of them.
 */
import type { Failure } from '@database-mcp/errors';
import { findKnownSideEffect } from './policy/function-policy.ts';
import { findInvisible, holdsInvisible } from './policy/invisible-characters.ts';
import { describeOffset, describePosition } from './sql-position.ts';
import { parseSql, scanSql, type ParseNode } from './sql-parser.ts';
import { collectUses, type Use } from './policy/statement-uses.ts';
import { estimateConstantBytes } from './policy/value-size.ts';

/** The verdict on one statement. `parameters` is the highest `$n` in it, `uses` the names to judge by the catalog. */
export type Verdict = { kind: 'allowed'; parameters: number; uses: readonly Use[] } | Refusal;

/** Why a statement may not run. */
export type Refusal = { kind: 'refused' } & Failure;

/** What became of reading SQL text that must be one statement, which ends before byte `end`. */
export type ReadStatement = { kind: 'statement'; node: ParseNode; end: number } | Refusal;

/** Long lists belong in a parameter; parsing this much takes about 5 ms and 20 MB. */
const MAX_SQL_CHARACTERS = 100_000;
/** What constants may build: above the largest row that is ever fetched (16 MiB), far below what would hurt the server. */
const MAX_CONSTANT_BYTES = 64 * 1024 * 1024;

const WHAT_IS_ALLOWED = 'Only SELECT, VALUES, TABLE, SHOW and EXPLAIN are allowed.';

/** A program asks the same with other parameters; a verdict depends on nothing but the text. */
const remembered = new Map<string, Verdict>();
const MAX_REMEMBERED = 100;
const MAX_REMEMBERED_CHARACTERS = 4_000;

/** Judges SQL text as it came from the client, without what the catalog knows. */
export async function classifyStatement(sql: string): Promise<Verdict> {
  const known = remembered.get(sql);
  if (known) return known;
  const read = await readStatement(sql);
  if (read.kind === 'refused') return read;
  const verdict = judge(sql, read.node);
  if (sql.length <= MAX_REMEMBERED_CHARACTERS) {
    const [oldest] = remembered.keys();
    if (remembered.size >= MAX_REMEMBERED && oldest !== undefined) remembered.delete(oldest);
    remembered.set(sql, verdict);
  }
  return verdict;
}

/** Reads SQL text that must hold one statement; what cannot be read, or not by people, is refused. */
export async function readStatement(sql: string): Promise<ReadStatement> {
  const unusable = findUnusableText(sql);
  if (unusable) return refused('INVALID_ARGUMENT', unusable);
  const outcome = await parseSql(sql);
  if (outcome.kind === 'too-complex') {
    return refused('INVALID_ARGUMENT', 'The statement is nested too deeply.', {
      hint: 'Split it, or replace long chains of AND, OR or + by a list: x = ANY($1).',
    });
  }
  if (outcome.kind === 'syntax-error') {
    const where = describePosition(sql, outcome.position);
    const hint = holdsInvisible(sql)
      ? 'sql holds invisible characters (such as a zero-width space), which may be the reason.'
      : 'Correct it there, in the SQL of PostgreSQL.';
    return refused('SYNTAX_ERROR', `Postgres cannot read the statement: ${outcome.message}.`, { where, hint });
  }
  const [statement, second] = outcome.statements;
  if (!statement) {
    return refused('INVALID_ARGUMENT', 'sql holds no statement.', { hint: 'Send one statement.' });
  }
  if (second) {
    return refused('READ_ONLY', `One statement only: sql holds ${outcome.statements.length}. Nothing was run.`, {
      where: describePosition(sql, second.position),
      hint: 'Send them one by one.',
    });
  }
  const invisible = holdsInvisible(sql) ? findInvisible(sql, scanSql(sql) ?? []) : undefined;
  if (invisible) {
    return refused('INVALID_ARGUMENT', `A name or keyword holds the invisible character ${invisible.name}.`, {
      where: describeOffset(sql, invisible.offset),
      hint: 'Remove it. If the name really has it, write the name as U&"…\\200B…"; in strings and comments it is allowed.',
    });
  }
  return { kind: 'statement', node: statement.node, end: statement.end };
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
  if (kind === 'VariableShowStmt') return { kind: 'allowed', parameters: 0, uses: [] };
  if (kind !== 'ExplainStmt') return judgeQuery(sql, root, 'run');
  const { query = {}, options } = root[kind] as { query?: ParseNode; options?: unknown[] };
  return judgeQuery(sql, query, options?.some(isAnalyze) ? 'explain analyze' : 'explain');
}

/** `EXPLAIN (ANALYZE)`; what cannot be read as false counts as true. */
function isAnalyze(option: unknown): boolean {
  const { defname, arg } = (option as { DefElem: { defname: string; arg?: unknown } }).DefElem;
  if (defname !== 'analyze') return false;
  return !/"(?:false|off)"|"Integer":\{\}|"boolval":false/.test(JSON.stringify(arg ?? ''));
}

/** What happens to a query: EXPLAIN alone plans it and runs nothing. */
type Fate = 'run' | 'explain' | 'explain analyze';

/** The name of a node; that of a part, such as `selectStmt`, begins in lower case. */
export const IS_STATEMENT = /^[A-Z]\w*Stmt$/;
const PLANNED_ONLY = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']);

/** Statement kinds may hide anywhere below (data-modifying CTEs), so the whole tree is walked; not by recursion. */
function judgeQuery(sql: string, query: ParseNode, fate: Fate): Verdict {
  const isAllowed = (kind: string): boolean => (fate === 'explain' ? PLANNED_ONLY.has(kind) : kind === 'SelectStmt');
  const [root = 'ExplainStmt'] = Object.keys(query);
  if (!isAllowed(root)) return refuseKind(root, fate);
  let parameters = 0;
  const open: unknown[] = [query];
  while (open.length > 0) {
    const item = open.pop();
    if (typeof item !== 'object' || item === null) continue;
    for (const [key, value] of Object.entries(item)) {
      if (typeof value !== 'object' || value === null) continue;
      if (IS_STATEMENT.test(key) && !isAllowed(key)) return refuseKind(key, fate);
      if (key === 'intoClause') return refuseWrite('SELECT INTO creates a table');
      if (key === 'lockingClause' && fate !== 'explain')
        return refuseWrite('FOR UPDATE and FOR SHARE lock rows, which is a write');
      if (key === 'ParamRef') parameters = Math.max(parameters, Number((value as { number?: number }).number ?? 0));
      open.push(value);
    }
  }
  return judgeNames(sql, query, parameters);
}

function judgeNames(sql: string, query: ParseNode, parameters: number): Verdict {
  const uses = collectUses(query);
  const objection = findKnownSideEffect(uses, 'read');
  if (objection) {
    const { message, hint, use } = objection;
    return refused('READ_ONLY', `${message} Nothing was run.`, { where: describeOffset(sql, use.offset), hint });
  }
  return findExcess(query) ?? { kind: 'allowed', parameters, uses };
}

/** The refusal of a statement whose constants build too much. */
export function findExcess(node: ParseNode): Refusal | undefined {
  const bytes = estimateConstantBytes(node);
  if (bytes <= MAX_CONSTANT_BYTES) return undefined;
  const size = Number.isFinite(bytes) ? `about ${Math.ceil(bytes / 1024 / 1024)} MiB` : 'more than can be told';
  return refused('TOO_LARGE', `The statement would build ${size} out of constants (repeat, lpad, rpad, array_fill).`, {
    hint: `At most ${MAX_CONSTANT_BYTES / 1024 / 1024} MiB are allowed. Build less.`,
  });
}

function refuseKind(kind: string, fate: Fate): Refusal {
  const reason = {
    run: 'is not a statement that only reads',
    explain: 'is not a query, so EXPLAIN of it is not served',
    'explain analyze': 'is not a statement that only reads, and EXPLAIN ANALYZE runs it',
  };
  return refuseWrite(`${toStatementName(kind)} ${reason[fate]}`);
}

function refuseWrite(reason: string): Refusal {
  return refused('READ_ONLY', `${reason}. Nothing was run.`, { hint: `This server only reads. ${WHAT_IS_ALLOWED}` });
}

/** `CreateTableAsStmt` → `CREATE TABLE AS`, close enough to what was written. */
export function toStatementName(kind: string): string {
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

/** A refusal in the form of the errors of all databases. */
export function refused(code: Failure['code'], message: string, more: Pick<Failure, 'where' | 'hint'> = {}): Refusal {
  return { kind: 'refused', code, message, ...more };
}
