import { z } from 'zod';
import {
  createRowCollector,
  defineTool,
  READ_ONLY_ANNOTATIONS,
  type ResultLimits,
  type Tool,
} from '@database-mcp/mcp-kit';
import { checkSchema, IS_TABLE_LIKE, IS_USER_SCHEMA } from '../catalog.ts';
import type { Database } from '../database.ts';

/** Partitions are counted with their parent. An estimate of -1 means that the table was never analysed. */
const LIST_SQL = `
  SELECT n.nspname AS schema, c.relname AS name,
         CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
                        WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END
         || CASE WHEN pg_catalog.has_any_column_privilege(c.oid, 'SELECT') THEN '' ELSE ' (not readable)' END AS kind,
         CASE WHEN c.relkind = 'v' THEN NULL
              WHEN c.relkind = 'p' THEN (
                SELECT pg_catalog.sum(leaf.reltuples) FILTER (WHERE leaf.reltuples >= 0)
                  FROM pg_catalog.pg_partition_tree(c.oid) part
                  JOIN pg_catalog.pg_class leaf ON leaf.oid = part.relid
                 WHERE part.isleaf)
              WHEN c.reltuples < 0 THEN NULL
              ELSE c.reltuples END::bigint AS estimated_rows,
         pg_catalog.obj_description(c.oid, 'pg_class') AS comment
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE ${IS_TABLE_LIKE} AND NOT c.relispartition
     AND CASE WHEN $1::text IS NULL THEN ${IS_USER_SCHEMA} ELSE n.nspname = $1::text END
   ORDER BY n.nspname, c.relname`;

/** Lists tables, views and the like. */
export function createListTablesTool(database: Database, limits: ResultLimits): Tool {
  return defineTool({
    name: 'list_tables',
    description:
      'List tables and views with their kind, estimated row count (null: unknown) and comment. System schemas are left out; partitions are part of their parent.',
    input: z.strictObject({
      schema: z.string().min(1).optional().describe('Only this schema'),
    }),
    annotations: READ_ONLY_ANNOTATIONS,
    async run({ schema }, { signal }) {
      const collector = createRowCollector(limits);
      const statement = { sql: LIST_SQL, params: [schema ?? null] };
      const { columns } = await database.read(statement, { maxRows: limits.maxRows, push: collector.push }, signal);
      const result = collector.finish(columns);
      if (result.truncated && schema === undefined) result.notices?.push('Give a schema to see fewer.');
      if (result.rowCount === 0 && schema !== undefined) await checkSchema(database, schema, signal);
      return result;
    },
  });
}
