/** What telemetry and the audit log may say of an SQL statement: its kind, its tables, and its text without any value. */
import { PLACEHOLDER, toStatementText, toSummary, type StatementDescription } from '@database-mcp/mcp-kit';
import { parseSql, scanSql, type ParseNode, type SqlToken } from './sql-parser.ts';

/** The scanner takes about 0.3 µs a character; of longer statements only the summary is told. */
const MAX_SCANNED_CHARACTERS = 20_000;
/** The longest statement that is ever run; parsing it takes about 5 ms. */
const MAX_PARSED_CHARACTERS = 100_000;

/** Statement kinds whose name in the parser is not the word that people write. */
const OPERATIONS: Readonly<Record<string, string>> = { VariableShowStmt: 'SHOW', VariableSetStmt: 'SET' };

/** Statements come again: our own in every call, a client's when it pages. */
const MAX_REMEMBERED = 64;
const MAX_REMEMBERED_CHARACTERS = 10_000;
const remembered = new Map<string, StatementDescription>();

/**
 * Describes a statement. Literals are told by Postgres's own scanner, tables by its parser, which together take about
 * 150 µs for five lines of SQL. What is written as a name (`"like this"`) stays, whatever it holds.
 */
export async function describeStatement(sql: string): Promise<StatementDescription> {
  const known = remembered.get(sql);
  if (known) return known;
  const description = await readStatement(sql);
  if (sql.length <= MAX_REMEMBERED_CHARACTERS) {
    // The oldest entry comes first in a Map.
    const [oldest] = remembered.size >= MAX_REMEMBERED ? remembered.keys() : [];
    if (oldest !== undefined) remembered.delete(oldest);
    remembered.set(sql, description);
  }
  return description;
}

async function readStatement(sql: string): Promise<StatementDescription> {
  if (sql.length > MAX_PARSED_CHARACTERS || sql.includes('\0') || !sql.isWellFormed()) return {};
  const parsed = await parseSql(sql);
  const [statement] = parsed.kind === 'parsed' ? parsed.statements : [];
  const tokens = sql.length > MAX_SCANNED_CHARACTERS ? undefined : scanSql(sql);
  return {
    ...(statement ? { summary: summarise(statement.node) } : {}),
    ...(tokens ? { text: toStatementText(showTokens(Buffer.from(sql), tokens)) } : {}),
  };
}

function* showTokens(sql: Buffer, tokens: readonly SqlToken[]): Iterable<{ text: string; isApart: boolean }> {
  let end = 0;
  for (const token of tokens) {
    if (token.tokenName === 'SQL_COMMENT' || token.tokenName === 'C_COMMENT') continue;
    const text = sql.toString('utf8', token.start, token.end);
    yield { text: isShown(text) ? text : PLACEHOLDER, isApart: token.start > end };
    end = token.end;
  }
}

const NAME = /^(?:[A-Za-z_]|[^\0-\x7f])(?:[\w$]|[^\0-\x7f])*$/;
const QUOTED_NAME = /^(?:[Uu]&)?"/;
const PARAMETER = /^\$\d+$/;
const SIGN = /^[^\w'"$]+$/;

/** Whatever is none of these holds a value, also in a form that the scanner of a later Postgres may bring. */
function isShown(token: string): boolean {
  return [NAME, QUOTED_NAME, PARAMETER, SIGN].some((pattern) => pattern.test(token));
}

interface Table {
  name: string;
  /** Byte offset in the statement. */
  location: number;
}

/** The kind of the statement, then the tables in their order of appearance. Names that a WITH defines are no tables. */
function summarise(root: ParseNode): string {
  const kind = Object.keys(root)[0] ?? '';
  const tables: Table[] = [];
  const defined = new Set<unknown>();
  const open: unknown[] = [root];
  while (open.length > 0) {
    const item = open.pop();
    if (typeof item !== 'object' || item === null) continue;
    const node = item as ParseNode;
    if (typeof node['ctename'] === 'string') defined.add(node['ctename']);
    if (typeof node['relname'] === 'string') {
      const name =
        typeof node['schemaname'] === 'string' ? `${node['schemaname']}.${node['relname']}` : node['relname'];
      tables.push({ name, location: Number(node['location'] ?? 0) });
    }
    open.push(...Object.values(node));
  }
  const names = tables
    .filter(({ name }) => !defined.has(name))
    .toSorted((a, b) => a.location - b.location)
    .map(({ name }) => name);
  return toSummary(toOperation(kind), names);
}

/** `CreateTableAsStmt` → `CREATE TABLE AS`. */
function toOperation(kind: string): string {
  const words = kind.replace(/Stmt$/, '').replace(/(?<=[a-z])(?=[A-Z])/g, ' ');
  return OPERATIONS[kind] ?? words.toUpperCase();
}
