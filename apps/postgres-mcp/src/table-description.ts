/**
 * The description of one table, from the catalog: a row for the table itself and for each column, key, check, index,
 * policy and type of its own. Finding the table that was meant is `catalog.ts`'s business.
 */
import { createRowCollector, type ResultLimits, type TableResult } from '@database-mcp/mcp-kit';
import type { Relation } from './catalog.ts';
import type { Database } from './database.ts';
import { BLOCKED_SQL, isReadable, KIND_SQL } from './relation-sql.ts';

/** An enum may have thousands of labels. */
const MAX_LABELS = 20;

/** The leaves of a partitioned table, else the table itself; pg_partition_tree would lock every one of them. */
const STORAGE_CTE = `
  WITH RECURSIVE tree AS (
    SELECT $1::oid AS oid
    UNION ALL
    SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
      JOIN pg_catalog.pg_class part ON part.oid = i.inhrelid AND part.relispartition),
  storage AS (
    SELECT pg_catalog.count(*) AS tables, pg_catalog.sum(part.reltuples) FILTER (WHERE part.reltuples >= 0) AS tuples,
           pg_catalog.count(*) FILTER (WHERE part.reltuples < 0) AS unknown,
           pg_catalog.sum(CASE WHEN part.oid NOT IN (${BLOCKED_SQL}) THEN pg_catalog.pg_total_relation_size(part.oid) END) AS size
      FROM tree JOIN pg_catalog.pg_class part ON part.oid = tree.oid WHERE part.relkind <> 'p')`;

/** What it is, and what the reader of its rows should know. */
const TABLE_PART = `
  SELECT 0 AS part, 0::bigint AS place, ${KIND_SQL} AS kind,
         pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name,
         nullif(pg_catalog.concat_ws('; ',
           CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid, true) END,
           CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'not populated: REFRESH MATERIALIZED VIEW fills it' END,
           CASE WHEN c.relkind = 'f' THEN 'on the server ' || (
             SELECT s.srvname FROM pg_catalog.pg_foreign_table f JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver
              WHERE f.ftrelid = c.oid) END,
           CASE WHEN c.relkind = 'p' THEN 'partitioned by ' || pg_catalog.pg_get_partkeydef(c.oid) || ', '
             || (SELECT tables FROM storage) || ' partitions' END,
           CASE WHEN c.relispartition THEN 'partition of ' || (
             SELECT i.inhparent::regclass::text FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)
             || ' ' || pg_catalog.pg_get_expr(c.relpartbound, c.oid) END,
           CASE WHEN NOT c.relispartition THEN (
             SELECT 'inherits ' || pg_catalog.string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
               FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid) END,
           CASE WHEN c.relkind <> 'p' THEN (
             SELECT CASE WHEN pg_catalog.count(*) > 0 THEN pg_catalog.count(*) || ' tables inherit from it, and their rows are read with it' END
               FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) END,
           CASE WHEN c.relkind NOT IN ('v', 'f') THEN (
             SELECT pg_catalog.concat_ws(', ',
                      CASE WHEN tuples IS NULL THEN 'never analysed' ELSE 'about ' || tuples::bigint || ' rows (estimate)' END,
                      CASE WHEN tuples IS NOT NULL AND unknown > 0 THEN unknown || ' partitions never analysed' END,
                      pg_catalog.pg_size_pretty(size)) FROM storage) END,
           CASE WHEN pg_catalog.row_security_active(c.oid) THEN 'row level security: this role reads permitted rows only'
                WHEN c.relrowsecurity THEN 'row level security is on, but not for this role' END,
           CASE WHEN c.relpersistence = 't' AND n.oid <> pg_catalog.pg_my_temp_schema() THEN 'of another session: not readable'
                WHEN NOT ${isReadable('n.oid', 'c.oid')} THEN 'not readable for this role' END), '')
           AS definition,
         pg_catalog.obj_description(c.oid, 'pg_class') AS comment
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid`;

/**
 * SQL condition on `pg_constraint k`, `pg_class c` and `pg_attribute a`: a key of this one column under the name that
 * Postgres gives by itself. It is told with the column, as in CREATE TABLE, and nothing of it is lost.
 */
const IS_COLUMN_KEY = `k.conkey = ARRAY[a.attnum] AND k.confdelsetcols IS NULL AND k.conname = c.relname || CASE k.contype
  WHEN 'p' THEN '_pkey' WHEN 'u' THEN '_' || a.attname || '_key' WHEN 'f' THEN '_' || a.attname || '_fkey' END`;

const COLUMN_PART = `
  SELECT 1, a.attnum, 'column', a.attname::text,
         pg_catalog.format_type(a.atttypid, a.atttypmod)
         || CASE WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || a.attcollation::regcollation ELSE '' END
         || CASE WHEN a.attnotnull AND NOT coalesce(key.isprimary, false) THEN ' NOT NULL' ELSE '' END
         || coalesce(' ' || key.definition, '')
         || CASE a.attidentity WHEN 'a' THEN ' GENERATED ALWAYS AS IDENTITY'
                               WHEN 'd' THEN ' GENERATED BY DEFAULT AS IDENTITY' ELSE '' END
         || CASE WHEN d.adbin IS NULL THEN ''
                 WHEN a.attgenerated <> '' THEN ' GENERATED ALWAYS AS (' || pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) || ')'
                   || CASE a.attgenerated WHEN 's' THEN ' STORED' ELSE ' VIRTUAL' END
                 ELSE ' DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) END
         || CASE WHEN pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT')
                   OR NOT pg_catalog.has_any_column_privilege(a.attrelid, 'SELECT') THEN '' ELSE ' (not readable)' END,
         pg_catalog.col_description(a.attrelid, a.attnum)
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN LATERAL (
      SELECT pg_catalog.bool_or(k.contype = 'p') AS isprimary,
             pg_catalog.string_agg(pg_catalog.replace(pg_catalog.replace(pg_catalog.pg_get_constraintdef(k.oid, true),
               ' (' || pg_catalog.quote_ident(a.attname) || ')', ''), 'FOREIGN KEY ', ''), ' ' ORDER BY k.contype) AS definition
        FROM pg_catalog.pg_constraint k WHERE k.conrelid = $1::oid AND ${IS_COLUMN_KEY}) key ON true
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped`;

const CONSTRAINT_PART = `
  SELECT CASE k.contype WHEN 'p' THEN 2 WHEN 'u' THEN 3 WHEN 'f' THEN 4 ELSE 6 END,
         pg_catalog.row_number() OVER (ORDER BY k.conname),
         CASE k.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' WHEN 'f' THEN 'foreign key'
                        WHEN 'x' THEN 'exclusion' ELSE 'check' END,
         k.conname::text,
         pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(k.oid, true), '^(PRIMARY KEY|UNIQUE|FOREIGN KEY|CHECK|EXCLUDE) ', ''),
         pg_catalog.obj_description(k.oid, 'pg_constraint')
    FROM pg_catalog.pg_constraint k
   WHERE k.conrelid = $1::oid AND k.contype IN ('p', 'u', 'f', 'c', 'x')
     AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey)
        WHERE c.oid = k.conrelid AND ${IS_COLUMN_KEY})`;

/** Named by the other table. Foreign keys of partitions repeat that of their parent. */
const REFERENCE_PART = `
  SELECT 5, pg_catalog.row_number() OVER (ORDER BY k.conrelid::regclass::text, k.conname), 'referenced by',
         k.conrelid::regclass::text,
         pg_catalog.replace(pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(k.oid, true), '^FOREIGN KEY ', ''),
           'REFERENCES ' || k.confrelid::regclass::text || '(', 'REFERENCES ('),
         NULL
    FROM pg_catalog.pg_constraint k WHERE k.confrelid = $1::oid AND k.contype = 'f' AND k.conparentid = 0`;

/** Indexes of constraints are told by the constraint. */
const INDEX_PART = `
  SELECT 7, pg_catalog.row_number() OVER (ORDER BY x.relname), 'index', x.relname::text,
         CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END
         || pg_catalog.regexp_replace(pg_catalog.pg_get_indexdef(i.indexrelid), '^.*? USING ', '')
         || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid: not used)' END,
         pg_catalog.obj_description(x.oid, 'pg_class')
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
   WHERE i.indrelid = $1::oid
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))`;

const POLICY_PART = `
  SELECT 8, pg_catalog.row_number() OVER (ORDER BY p.polname), 'policy', p.polname::text,
         pg_catalog.concat_ws(' ', CASE WHEN NOT p.polpermissive THEN 'RESTRICTIVE' END,
           CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
           'TO ' || (SELECT pg_catalog.string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ') FROM pg_catalog.unnest(p.polroles) r),
           'USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid, true) || ')',
           'WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid, true) || ')'),
         NULL
    FROM pg_catalog.pg_policy p WHERE p.polrelid = $1::oid`;

/** What may stand in columns of enum and domain types. */
const TYPE_PART = `
  SELECT 9, pg_catalog.row_number() OVER (ORDER BY t.oid), 'type', pg_catalog.format_type(t.oid, NULL),
         CASE t.typtype WHEN 'e' THEN 'enum ' || (
           SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FILTER (WHERE e.place <= ${MAX_LABELS})
                  || CASE WHEN pg_catalog.count(*) > ${MAX_LABELS} THEN ', … (' || pg_catalog.count(*) || ')' ELSE '' END
             FROM (SELECT *, pg_catalog.row_number() OVER (ORDER BY enumsortorder) AS place
                     FROM pg_catalog.pg_enum WHERE enumtypid = t.oid) e)
         ELSE pg_catalog.concat_ws(' ', 'domain over ' || pg_catalog.format_type(t.typbasetype, t.typtypmod),
           CASE WHEN t.typnotnull THEN 'NOT NULL' END,
           (SELECT pg_catalog.string_agg(pg_catalog.pg_get_constraintdef(k.oid, true), ' ' ORDER BY k.conname)
              FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')) END,
         pg_catalog.obj_description(t.oid, 'pg_type')
    FROM pg_catalog.pg_type t
   WHERE t.typtype IN ('e', 'd') AND t.oid IN (
     SELECT coalesce(nullif(u.typelem, 0), u.oid) FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type u ON u.oid = a.atttypid
      WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped)`;

const PARTS = [TABLE_PART, COLUMN_PART, CONSTRAINT_PART, REFERENCE_PART, INDEX_PART, POLICY_PART, TYPE_PART];
const DESCRIBE_SQL = `${STORAGE_CTE}
  SELECT kind, name, definition, comment FROM (${PARTS.join(' UNION ALL ')}) parts ORDER BY part, place`;

/** Describes the table. `notice` is said with it. */
export async function describeTable(
  database: Database,
  { relation, notice }: { relation: Relation; notice?: string },
  limits: ResultLimits,
  signal: AbortSignal,
): Promise<TableResult> {
  const collector = createRowCollector(limits);
  const statement = { sql: DESCRIBE_SQL, params: [String(relation.oid)] };
  const { columns } = await database.read(statement, { maxRows: limits.maxRows, push: collector.push }, signal);
  return collector.finish(columns, { notices: notice === undefined ? [] : [notice] });
}
