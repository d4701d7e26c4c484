/** Reads names from the system catalog: finds the table that was meant, and what was probably meant when there is none. */
import { closestName, ToolError } from '@database-mcp/errors';
import { LongText, type Cell, type SourceCell } from '@database-mcp/mcp-kit';
import type { Database } from './database.ts';
import { UnknownRelationError } from './sql-errors.ts';

/** A table, view or the like. */
export interface Relation {
  oid: number;
  schema: string;
  name: string;
  /** Found without its schema, through the search path. */
  visible: boolean;
}

/** The search for similar names looks at this many tables of similar length. */
const MAX_CANDIDATES = 5_000;
/** The answer to a name that several tables have lists this many. */
const MAX_LISTED = 5;

/** SQL condition on `pg_namespace n`: not one of Postgres's own schemas. */
export const IS_USER_SCHEMA = `n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'`;
/** SQL condition on `pg_class c`: a table, partitioned table, view, materialized view or foreign table. */
export const IS_TABLE_LIKE = `c.relkind IN ('r', 'p', 'v', 'm', 'f')`;

const FIND_SQL = `
  SELECT c.oid, n.nspname, c.relname, pg_catalog.pg_table_is_visible(c.oid)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE ${IS_TABLE_LIKE} AND c.relname = ANY ($1::text[]) AND n.nspname !~ '^pg_toast'
   ORDER BY 4 DESC, c.relpersistence = 't', 2`;

/** SQL condition: a name whose length differs by more than a third is not what was meant (see `closestName`). */
const isOfSimilarLength = (name: string, wanted: string): string =>
  `pg_catalog.abs(pg_catalog.length(${name}) - pg_catalog.length(${wanted}::text)) <= 1 + pg_catalog.length(${wanted}::text) / 3`;

const NAMES_SQL = `
  SELECT n.nspname, c.relname, pg_catalog.pg_table_is_visible(c.oid)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE ${IS_TABLE_LIKE} AND ${IS_USER_SCHEMA} AND NOT c.relispartition
     AND (${isOfSimilarLength('c.relname', '$1')} OR ${isOfSimilarLength("n.nspname || '.' || c.relname", '$2')})
   ORDER BY 3 DESC, 1, 2`;

const SCHEMAS_SQL = `SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE ${IS_USER_SCHEMA} OR n.nspname = $1 ORDER BY 1`;

/** All rows of one of our own small queries. */
export async function readRows(
  database: Database,
  sql: string,
  params: readonly unknown[],
  signal: AbortSignal,
  maxRows: number,
): Promise<Cell[][]> {
  const rows: Cell[][] = [];
  await database.read({ sql, params }, { maxRows, push: (row) => rows.push(row.map(toCell)) < maxRows }, signal);
  return rows;
}

const toCell = (cell: SourceCell): Cell => (cell instanceof LongText ? cell.head : cell);

/** How a person may have written a name: as it is in the catalog, folded to lower case, or `schema.table` with quotes. */
interface Reading {
  schema: string | undefined;
  name: string;
  /** The schema is in lower case and stands for any case: clients fold the authority of a URI (RFC 3986 §6.2.2.1). */
  isFolded?: boolean;
}

/** The parts of a dotted name by the rules of SQL (`"A b".c`); undefined when it is none. */
export function splitName(text: string): string[] | undefined {
  const parts: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")+)"|([^".\s]+))\s*(\.|$)/y;
  for (;;) {
    const match = pattern.exec(text);
    if (!match) return undefined;
    const [, quoted, bare = '', end] = match;
    parts.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    if (end === '') return parts;
  }
}

function readingsOf(table: string, schema: string | undefined): Reading[] {
  const readings: Reading[] = [{ schema, name: table }];
  const parts = splitName(table);
  const [first = '', second] = parts ?? [];
  if (parts?.length === 1) readings.push({ schema, name: first });
  if (parts?.length === 2 && second !== undefined && (schema === undefined || schema === first)) {
    readings.push({ schema: first, name: second });
  }
  const folded = readings.flatMap((reading) =>
    [reading.name, reading.name.toLowerCase()].map((name) => ({
      schema: reading.schema?.toLowerCase(),
      name,
      isFolded: true,
    })),
  );
  return [...readings, ...folded];
}

function isMeant(relation: Relation, { schema, name, isFolded }: Reading): boolean {
  if (relation.name !== name) return false;
  return schema === undefined || schema === (isFolded ? relation.schema.toLowerCase() : relation.schema);
}

/** Finds the table. Rejects with NOT_FOUND and what was probably meant. `notice` says when other schemas have one too. */
export async function findRelation(
  database: Database,
  table: string,
  schema: string | undefined,
  signal: AbortSignal,
): Promise<{ relation: Relation; notice?: string }> {
  const readings = readingsOf(table, schema);
  const names = [...new Set(readings.map((reading) => reading.name))];
  const rows = await readRows(database, FIND_SQL, [names], signal, MAX_CANDIDATES);
  const found = rows.map(([oid, nspname, name, visible]) => ({
    oid: Number(oid),
    schema: String(nspname),
    name: String(name),
    visible: visible === true,
  }));
  for (const reading of readings) {
    const matches = found.filter((relation) => isMeant(relation, reading));
    const [first, ...others] = matches;
    if (!first) continue;
    if (others.length === 0) return { relation: first };
    const places = matches.slice(0, MAX_LISTED).map((relation) => `${relation.schema}.${relation.name}`);
    if (first.visible)
      return { relation: first, notice: `Tables of that name: ${places.join(', ')}. Shown: the first.` };
    throw new ToolError({
      code: 'NOT_FOUND',
      message: `More than one schema has a table ${JSON.stringify(table)}.`,
      hint: `Give the schema: ${places.join(', ')}.`,
    });
  }
  if (schema !== undefined) await checkSchema(database, schema, signal);
  const wanted = schema === undefined ? table : `${schema}.${table}`;
  throw new ToolError({
    code: 'NOT_FOUND',
    message: `There is no table or view ${JSON.stringify(wanted)}.`,
    hint: await guessName(database, wanted, signal),
  });
}

/** Rejects with NOT_FOUND when there is no such schema. */
export async function checkSchema(database: Database, schema: string, signal: AbortSignal): Promise<void> {
  const rows = await readRows(database, SCHEMAS_SQL, [schema], signal, MAX_CANDIDATES);
  const schemas = rows.map(([name]) => String(name));
  if (schemas.includes(schema)) return;
  const meant = closestName(schema, schemas);
  const known = schemas.slice(0, MAX_LISTED).join(', ');
  throw new ToolError({
    code: 'NOT_FOUND',
    message: `There is no schema ${JSON.stringify(schema)}.`,
    hint: meant
      ? `Did you mean ${JSON.stringify(meant)}?`
      : `There are: ${known}${schemas.length > MAX_LISTED ? ', …' : ''}.`,
  });
}

/** For a statement that named a table that does not exist: the same error with what was probably meant. */
export async function suggestRelation(database: Database, error: unknown, signal: AbortSignal): Promise<unknown> {
  if (!(error instanceof UnknownRelationError) || signal.aborted) return error;
  const hint = await guessName(database, error.relation, signal).catch(() => error.hint);
  return new ToolError({ code: error.code, message: error.message, where: error.where, hint }, { cause: error });
}

async function guessName(database: Database, wanted: string, signal: AbortSignal): Promise<string> {
  const last = splitName(wanted)?.at(-1) ?? wanted;
  const rows = await readRows(database, NAMES_SQL, [last, wanted], signal, MAX_CANDIDATES);
  const qualified = new Map<string, string>();
  // A later entry does not replace an earlier one: names on the search path come first.
  const add = (key: string, shown: string): void => void (qualified.has(key) || qualified.set(key, shown));
  for (const [schema, name, visible] of rows) {
    const full = `${quoteName(String(schema))}.${quoteName(String(name))}`;
    const shown = visible === true ? quoteName(String(name)) : full;
    add(String(name), shown);
    add(`${String(schema)}.${String(name)}`, shown);
  }
  const meant = closestName(wanted, qualified.keys()) ?? closestName(last, qualified.keys());
  if (meant !== undefined) return `Did you mean ${qualified.get(meant) ?? meant}?`;
  return 'The list_tables tool shows what there is.';
}

/** The name as it is written in SQL. */
export function quoteName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
