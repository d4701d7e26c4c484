/** The description of one column: its type and comment, and what the planner's statistics say of its values. */
import { closestName, ToolError } from '@database-mcp/errors';
import type { RowCollector, TableResult } from '@database-mcp/mcp-kit';
import { readRows, type Relation } from './catalog.ts';
import type { Database } from './database.ts';

/** Postgres allows 1,600 columns in a table. */
const MAX_COLUMNS = 1_600;
const MAX_COMMON_VALUES = 10;

/** pg_stats shows only what the role may read. A negative n_distinct is a share of the rows. */
const DESCRIBE_SQL = `
  WITH stats AS (
    SELECT s.* FROM pg_catalog.pg_stats s JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
     WHERE c.oid = $1::oid AND s.attname = $2 ORDER BY s.inherited DESC LIMIT 1)
  SELECT fact, value FROM (
    SELECT 1 AS place, 'type' AS fact, pg_catalog.to_json(pg_catalog.format_type(a.atttypid, a.atttypmod)) AS value
      FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::oid AND a.attname = $2
    UNION ALL
    SELECT 2, 'comment', pg_catalog.to_json(pg_catalog.col_description(a.attrelid, a.attnum))
      FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::oid AND a.attname = $2
    UNION ALL
    SELECT 3, 'share of nulls', pg_catalog.to_json(null_frac) FROM stats
    UNION ALL
    SELECT 4, CASE WHEN n_distinct < 0 THEN 'distinct values per row (estimate)' ELSE 'distinct values (estimate)' END,
           pg_catalog.to_json(pg_catalog.abs(n_distinct)) FROM stats
    UNION ALL
    SELECT 5, 'common values and their share', (
      SELECT pg_catalog.json_agg(pg_catalog.json_build_array(common.value, common.share))
        FROM (SELECT * FROM ROWS FROM (pg_catalog.unnest(most_common_vals::text::text[]), pg_catalog.unnest(most_common_freqs)) AS v (value, share)
               LIMIT ${MAX_COMMON_VALUES}) common) FROM stats
    UNION ALL
    SELECT 6, 'lowest and highest of the other values', pg_catalog.json_build_array(bounds[1], bounds[pg_catalog.array_upper(bounds, 1)])
      FROM (SELECT histogram_bounds::text::text[] AS bounds FROM stats) s WHERE bounds IS NOT NULL) facts
   WHERE value IS NOT NULL ORDER BY place`;

const COLUMNS_SQL = `SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped`;

/** Describes the column. Rejects with NOT_FOUND and what was probably meant. */
export async function describeColumn(
  database: Database,
  relation: Relation,
  column: string,
  collector: RowCollector,
  signal: AbortSignal,
): Promise<TableResult> {
  const columns = await readRows(database, COLUMNS_SQL, [String(relation.oid)], signal, MAX_COLUMNS);
  const names = columns.map(([name]) => String(name));
  if (!names.includes(column)) throw noSuchColumn(relation, column, names);
  const statement = { sql: DESCRIBE_SQL, params: [String(relation.oid), column] };
  let isSampled = false;
  const push: RowCollector['push'] = (row) => {
    isSampled ||= row[0] === 'share of nulls';
    return collector.push(row);
  };
  const answer = await database.read(statement, { maxRows: MAX_COLUMNS, push }, signal);
  const notices = isSampled ? [] : ['There are no statistics: it was never analysed, or this role may not read it.'];
  return collector.finish(answer.columns, { notices });
}

function noSuchColumn({ schema, name }: Relation, column: string, names: string[]): ToolError {
  const meant = closestName(column, names);
  return new ToolError({
    code: 'NOT_FOUND',
    message: `${schema}.${name} has no column ${JSON.stringify(column)}.`,
    hint: meant === undefined ? 'The describe_table tool shows the columns.' : `Did you mean ${JSON.stringify(meant)}?`,
  });
}
