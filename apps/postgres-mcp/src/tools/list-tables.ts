import { ToolError } from '@database-mcp/errors';
import {
  createRowCollector,
  defineTool,
  READ_ONLY_ANNOTATIONS,
  type Cell,
  type ResultLimits,
  type TableResult,
  type Tool,
} from '@database-mcp/mcp-kit';
import { z } from 'zod';
import { checkSchema, IS_TABLE_LIKE, IS_USER_SCHEMA } from '../catalog.ts';
import type { Database } from '../database.ts';
import { BLOCKED_SQL, isReadable, KIND_SQL } from '../relation-sql.ts';

/** A page is meant to be read by a model: this many rows, or as many as fit in these bytes. */
const PAGE_ROWS = 100;
const PAGE_BYTES = 6_000;
/** The whole comment is in the description of the table. */
const COMMENT_CHARACTERS = 200;
/** Each partition costs about 60 µs. */
const MAX_SIZED_PARTITIONS = 200;

/** Parameters: schema, pattern (ILIKE), and the schema and name after which the page begins. */
const LIST_SQL = `
  WITH RECURSIVE matching AS MATERIALIZED (
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.reltuples
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE ${IS_TABLE_LIKE} AND NOT c.relispartition
       AND CASE WHEN $1::text IS NULL THEN ${IS_USER_SCHEMA} ELSE n.nspname = $1::text END
       AND ($2::text IS NULL OR c.relname::text COLLATE "default" ILIKE $2::text
            OR $2::text LIKE '%.%' AND (n.nspname || '.' || c.relname) COLLATE "default" ILIKE $2::text)),
  page AS MATERIALIZED (
    SELECT * FROM matching WHERE $3::text IS NULL OR (nspname, relname) > ($3::name, $4::name)
     ORDER BY nspname, relname LIMIT ${PAGE_ROWS + 1}),
  blocked AS MATERIALIZED (${BLOCKED_SQL}),
  tree AS (
    SELECT oid AS root, oid FROM page WHERE relkind = 'p'
    UNION ALL
    SELECT tree.root, i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid),
  leaf AS MATERIALIZED (
    SELECT tree.root, part.oid, part.reltuples FROM tree JOIN pg_catalog.pg_class part ON part.oid = tree.oid
     WHERE part.relkind <> 'p'),
  parted AS (
    SELECT root, pg_catalog.count(*) AS partitions, pg_catalog.sum(reltuples) FILTER (WHERE reltuples >= 0) AS tuples,
           pg_catalog.count(*) FILTER (WHERE reltuples < 0) AS unknown
      FROM leaf GROUP BY root)
  SELECT c.nspname::text AS schema, c.relname::text AS name,
         ${KIND_SQL} || CASE WHEN c.relkind <> 'p' THEN '' ELSE pg_catalog.concat(' (', coalesce(l.partitions, 0), ' partitions',
           CASE WHEN l.unknown > 0 THEN ', ' || l.unknown || ' never analysed' END, ')') END
         || CASE WHEN ${isReadable('c.nspname::text', 'c.oid')} THEN '' ELSE ' (not readable)' END AS kind,
         (CASE WHEN c.relkind = 'p' THEN l.tuples WHEN c.relkind <> 'v' AND c.reltuples >= 0 THEN c.reltuples END)::bigint
           AS estimated_rows,
         (CASE WHEN c.relkind IN ('r', 'm') AND c.oid NOT IN (SELECT oid FROM blocked) THEN pg_catalog.pg_total_relation_size(c.oid)
               WHEN l.partitions <= ${MAX_SIZED_PARTITIONS} THEN (
                 SELECT pg_catalog.sum(pg_catalog.pg_total_relation_size(leaf.oid)) FROM leaf
                  WHERE leaf.root = c.oid AND leaf.oid NOT IN (SELECT oid FROM blocked)) END)::bigint AS size_bytes,
         pg_catalog.left(pg_catalog.obj_description(c.oid, 'pg_class'), ${COMMENT_CHARACTERS}) AS comment,
         (SELECT pg_catalog.count(*) FROM matching) AS total
    FROM page c LEFT JOIN parted l ON l.root = c.oid ORDER BY c.nspname, c.relname`;

const INPUT = z.strictObject({
  schema: z.string().optional(),
  pattern: z.string().optional().describe('Part of the name, or with *: order*'),
  cursor: z.string().optional(),
});
type Arguments = z.output<typeof INPUT>;

/** Lists tables, views and the like. */
export function createListTablesTool(database: Database, limits: ResultLimits): Tool {
  const pageLimits = { ...limits, maxRows: PAGE_ROWS, maxBytes: Math.min(PAGE_BYTES, limits.maxBytes) };
  return defineTool({
    name: 'list_tables',
    description:
      'Tables and views: kind, estimated rows (null: unknown), size, comment. Partitions are folded into their table.',
    input: INPUT,
    annotations: READ_ONLY_ANNOTATIONS,
    async run(args, { signal }) {
      const { schema, pattern, after } = readPosition(args);
      const params = [schema, pattern === null ? null : toLikePattern(pattern), ...(after ?? [null, null])];
      const collector = createRowCollector(pageLimits);
      let total: Cell = 0;
      const push = (row: Cell[]): boolean => {
        total = row.at(-1) ?? 0;
        return collector.push(row.slice(0, -1));
      };
      const { columns } = await database.read({ sql: LIST_SQL, params }, { maxRows: PAGE_ROWS, push }, signal);
      const result = collector.finish(columns.slice(0, -1));
      if (result.rowCount === 0 && schema !== null) await checkSchema(database, schema, signal);
      return describePage(result, { schema, pattern, total: Number(total) });
    },
  });
}

/** Where a page begins: what the cursor says, which holds the filters of its list too. */
function readPosition(args: Arguments): { schema: string | null; pattern: string | null; after?: [string, string] } {
  if (args.cursor === undefined) return { schema: args.schema ?? null, pattern: args.pattern ?? null };
  const [schema, pattern, ...after] = parseCursor(args.cursor);
  if ((args.schema ?? schema) !== schema || (args.pattern ?? pattern) !== pattern) {
    throw new ToolError({
      code: 'INVALID_ARGUMENT',
      message: 'cursor: it belongs to a list with another schema or pattern.',
      hint: 'Pass it with the same arguments or alone, or leave it out to begin anew.',
    });
  }
  return { schema, pattern, after };
}

const CURSOR = z.tuple([z.string().nullable(), z.string().nullable(), z.string(), z.string()]);

function parseCursor(cursor: string): z.output<typeof CURSOR> {
  try {
    return CURSOR.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
  } catch (cause) {
    const failure = {
      code: 'INVALID_ARGUMENT',
      message: 'cursor: it is none that list_tables gave.',
      hint: 'Pass `next` of the answer before as it is, or leave cursor out to begin anew.',
    } as const;
    throw new ToolError(failure, { cause });
  }
}

/** `*` and `%` stand for any text and an underscore for itself, as names are full of them; without either, a part is enough. */
function toLikePattern(pattern: string): string {
  const isPart = !/[*%]/.test(pattern);
  const escaped = pattern.replaceAll(/[\\_]/g, String.raw`\$&`).replaceAll('*', '%');
  return isPart ? `%${escaped}%` : escaped;
}

const isUnknown = ([, , kind, estimate]: Cell[]): boolean =>
  estimate === null && /table|materialized/.test(String(kind));

function describePage(
  page: TableResult,
  list: { schema: string | null; pattern: string | null; total: number },
): TableResult {
  const notices: string[] = [];
  const { rows, rowCount, truncated } = page;
  if (truncated) notices.push(`${rowCount} of ${list.total} tables; pass next as cursor, or a schema or pattern.`);
  if (rowCount === 0 && list.pattern !== null) notices.push(`No table name fits ${JSON.stringify(list.pattern)}.`);
  if (rows.some(isUnknown)) notices.push('estimated_rows is null where a table was never analysed: ANALYZE counts it.');
  const { notices: _collected, ...result } = page;
  const [schema, name] = rows.at(-1) ?? [];
  if (truncated) result.next = toCursor(list, String(schema), String(name));
  return notices.length > 0 ? { ...result, notices } : result;
}

function toCursor({ schema, pattern }: { schema: string | null; pattern: string | null }, ...after: string[]): string {
  return Buffer.from(JSON.stringify([schema, pattern, ...after])).toString('base64url');
}
