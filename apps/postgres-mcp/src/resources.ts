/** The resources of this server, `<instance>://{schema}/{table}` and its columns, and the completion of their names. */
import {
  createRowCollector,
  defineResourceTemplate,
  type CompletionRequest,
  type ResourceTemplate,
  type ResultLimits,
  type ToolContext,
} from '@database-mcp/mcp-kit';
import { describeColumn } from './column-description.ts';
import { findRelation, IS_TABLE_LIKE, IS_USER_SCHEMA, readRows } from './catalog.ts';
import type { Database } from './database.ts';
import { isReadable } from './relation-sql.ts';
import { describeTable } from './table-description.ts';

/** SQL condition: the name begins with what was typed, in whatever case. */
const beginsAsTyped = (name: string): string =>
  `pg_catalog.starts_with(pg_catalog.lower(${name}::text COLLATE "default"), pg_catalog.lower($1))`;

/** SQL condition on `pg_class c` and `pg_namespace n`: something of it can be read. */
const IS_READABLE = `${IS_TABLE_LIKE} AND NOT c.relispartition AND ${IS_USER_SCHEMA}
  AND ${isReadable('n.oid', 'c.oid')}`;

const SCHEMAS_SQL = `
  SELECT n.nspname::text FROM pg_catalog.pg_namespace n
   WHERE ${IS_USER_SCHEMA} AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND ${beginsAsTyped('n.nspname')}
   ORDER BY 1 LIMIT $2::int`;

const TABLES_SQL = `
  SELECT DISTINCT c.relname::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE ${IS_READABLE} AND ($3::text IS NULL OR n.nspname = $3::text) AND ${beginsAsTyped('c.relname')}
   ORDER BY 1 LIMIT $2::int`;

const COLUMNS_SQL = `
  SELECT DISTINCT a.attname::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
   WHERE ${IS_READABLE} AND ($3::text IS NULL OR n.nspname = $3::text) AND ($4::text IS NULL OR c.relname = $4::text)
     AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') AND ${beginsAsTyped('a.attname')}
   ORDER BY 1 LIMIT $2::int`;

/** All templates of this server. */
export function createResourceTemplates(database: Database, limits: ResultLimits): ResourceTemplate[] {
  const complete =
    <Variable extends 'schema' | 'table'>(sql: string, given: readonly Variable[]) =>
    async ({ typed, chosen, limit }: CompletionRequest<Variable>, { signal }: ToolContext): Promise<string[]> => {
      const params = [typed, limit, ...given.map((variable) => chosen[variable] ?? null)];
      return (await readRows(database, sql, params, signal, limit)).map(([name]) => String(name));
    };
  const names = { schema: complete(SCHEMAS_SQL, []), table: complete(TABLES_SQL, ['schema']) };
  return [
    defineResourceTemplate({
      name: 'table',
      description: 'A table or view: columns, keys, indexes, size. Names are percent-encoded.',
      variables: ['schema', 'table'],
      async read({ schema, table }, { signal }) {
        return await describeTable(database, await findRelation(database, table, schema, signal), limits, signal);
      },
      complete: names,
    }),
    defineResourceTemplate({
      name: 'column',
      description: 'A column: type, comment, and what the statistics of the planner say of its values.',
      variables: ['schema', 'table', 'column'],
      async read({ schema, table, column }, { signal }) {
        const { relation } = await findRelation(database, table, schema, signal);
        return await describeColumn(database, relation, column, createRowCollector(limits), signal);
      },
      complete: { ...names, column: complete(COLUMNS_SQL, ['schema', 'table']) },
    }),
  ];
}
