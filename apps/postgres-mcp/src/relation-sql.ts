/** SQL about tables that more than one tool needs. */

/** What `pg_class c` is, in words. */
export const KIND_SQL = `CASE c.relpersistence WHEN 'u' THEN 'unlogged ' WHEN 't' THEN 'temporary ' ELSE '' END
  || CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
                    WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END`;

/** SQL condition: the role may read something of the table, which takes a right on its schema too. */
export const isReadable = (schema: string, oid: string): string =>
  `(pg_catalog.has_schema_privilege(${schema}, 'USAGE') AND pg_catalog.has_any_column_privilege(${oid}, 'SELECT'))`;

/**
 * The tables whose size cannot be asked for now without waiting: pg_total_relation_size takes a lock on the table and
 * its indexes, so a migration would hold up a mere list.
 */
export const BLOCKED_SQL = `
  SELECT coalesce(i.indrelid, l.relation) AS oid
    FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = l.relation
   WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.relation IS NOT NULL`;
