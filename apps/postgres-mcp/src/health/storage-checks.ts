/** Checks of what is stored: indexes, and what VACUUM and ANALYZE have left undone. */
import { MAX_FINDINGS, type HealthCheck } from './finding.ts';

/** An index that is smaller costs little. */
const MIN_INDEX_PAGES = 128;

const INVALID = `
  SELECT 'warning', 'The index ' || i.indexrelid::regclass || ' is invalid: it is not used, but kept up to date.',
         'on ' || i.indrelid::regclass, 'REINDEX INDEX CONCURRENTLY ' || i.indexrelid::regclass || ';'
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
   WHERE NOT i.indisvalid AND x.relkind = 'i' AND i.indrelid >= 16384
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index b WHERE b.index_relid = i.indexrelid)
   ORDER BY 2 LIMIT ${MAX_FINDINGS}`;

/** Of equal indexes the one stays that a constraint needs. */
const DUPLICATE = `
  SELECT 'warning', 'The index ' || drop::regclass || ' is the same as ' || keep::regclass || '.',
         pg_catalog.pg_size_pretty(pages * pg_catalog.current_setting('block_size')::bigint) || ' on ' || indrelid::regclass,
         'DROP INDEX CONCURRENTLY ' || drop::regclass || ';'
    FROM (SELECT i.indexrelid AS drop, i.indrelid, x.relpages::bigint AS pages, i.indisunique, i.indisprimary,
                 EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid) AS isneeded,
                 pg_catalog.first_value(i.indexrelid) OVER (
                   PARTITION BY i.indrelid, x.relam, i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text, i.indnkeyatts,
                                pg_catalog.pg_get_expr(i.indexprs, i.indrelid), pg_catalog.pg_get_expr(i.indpred, i.indrelid)
                   ORDER BY i.indisprimary DESC, EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid) DESC,
                            i.indisunique DESC, i.indexrelid) AS keep
            FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
           WHERE i.indrelid >= 16384 AND x.relkind = 'i' AND NOT x.relispartition AND i.indisvalid) same
   WHERE drop <> keep AND NOT isneeded ORDER BY pages DESC, 2 LIMIT ${MAX_FINDINGS}`;

/** A btree on (a) is of no use beside one on (a, b). */
const COVERED = `
  SELECT 'info', 'The index ' || a.indexrelid::regclass || ' is the beginning of ' || b.indexrelid::regclass || '.',
         pg_catalog.pg_size_pretty(x.relpages * pg_catalog.current_setting('block_size')::bigint) || ' on ' || a.indrelid::regclass,
         'DROP INDEX CONCURRENTLY ' || a.indexrelid::regclass || ';'
    FROM pg_catalog.pg_index a JOIN pg_catalog.pg_class x ON x.oid = a.indexrelid JOIN pg_catalog.pg_am m ON m.oid = x.relam
    JOIN pg_catalog.pg_index b ON b.indrelid = a.indrelid AND b.indexrelid <> a.indexrelid AND b.indisvalid
    JOIN pg_catalog.pg_class y ON y.oid = b.indexrelid AND y.relam = x.relam
   WHERE m.amname = 'btree' AND a.indrelid >= 16384 AND NOT a.indisunique AND x.relkind = 'i' AND NOT x.relispartition
     AND a.indpred IS NULL AND b.indpred IS NULL AND a.indexprs IS NULL AND b.indexprs IS NULL AND a.indnatts = a.indnkeyatts
     AND b.indnkeyatts > a.indnkeyatts AND b.indkey::text LIKE a.indkey::text || ' %'
     AND b.indclass::text LIKE a.indclass::text || ' %' AND b.indoption::text LIKE a.indoption::text || ' %'
     AND b.indcollation::text LIKE a.indcollation::text || ' %'
   ORDER BY x.relpages DESC, 2 LIMIT ${MAX_FINDINGS}`;

/** What was counted for less than a week may be needed at the end of the month. */
const UNUSED = `
  SELECT CASE WHEN d.stats_reset > pg_catalog.now() - interval '7 days' THEN 'info' ELSE 'warning' END,
         'The index ' || s.indexrelid::regclass || ' was never used.',
         pg_catalog.pg_size_pretty(x.relpages * pg_catalog.current_setting('block_size')::bigint) || ' on ' || s.relid::regclass || ', '
         || coalesce('since ' || d.stats_reset::date, 'since the database was made') || '; use on replicas is not counted',
         'DROP INDEX CONCURRENTLY ' || s.indexrelid::regclass || ';'
    FROM pg_catalog.pg_stat_user_indexes s JOIN pg_catalog.pg_index i ON i.indexrelid = s.indexrelid
    JOIN pg_catalog.pg_class x ON x.oid = s.indexrelid
    JOIN pg_catalog.pg_stat_database d ON d.datname = pg_catalog.current_database()
   WHERE s.idx_scan = 0 AND NOT i.indisunique AND i.indisvalid AND x.relpages >= ${MIN_INDEX_PAGES}
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = s.indexrelid)
   ORDER BY x.relpages DESC LIMIT ${MAX_FINDINGS}`;

export const indexes: HealthCheck = {
  ok: 'No index is invalid, double or unused.',
  sql: () => [INVALID, DUPLICATE, COVERED, UNUSED].map((part) => `(${part})`).join(' UNION ALL '),
};

/** Postgres stops taking writes near 2^31 transactions; autovacuum begins at autovacuum_freeze_max_age (200 million). */
const OLD_AGE = 500_000_000;
const CRITICAL_AGE = 1_200_000_000;

const WRAPAROUND = `
  SELECT CASE WHEN age >= ${CRITICAL_AGE} THEN 'critical' ELSE 'warning' END,
         'The database ' || pg_catalog.quote_ident(datname) || ' is old in ' || unit || '; at 2 billion Postgres stops taking writes.',
         'age ' || age || ', autovacuum_freeze_max_age ' || pg_catalog.current_setting('autovacuum_freeze_max_age'),
         'VACUUM (FREEZE); -- in the database ' || pg_catalog.quote_ident(datname)
    FROM (SELECT datname, pg_catalog.age(datfrozenxid) AS age, 'transactions' AS unit FROM pg_catalog.pg_database
          UNION ALL SELECT datname, pg_catalog.mxid_age(datminmxid), 'multixacts' FROM pg_catalog.pg_database) d
   WHERE age >= ${OLD_AGE} ORDER BY age DESC LIMIT ${MAX_FINDINGS}`;

const DEAD_ROWS = `
  SELECT 'warning', 'The table ' || relid::regclass || ' is full of dead rows.',
         n_dead_tup || ' dead beside ' || n_live_tup || ' live; last vacuumed '
         || coalesce(pg_catalog.date_trunc('second', greatest(last_vacuum, last_autovacuum))::text, 'never'),
         'VACUUM (ANALYZE) ' || relid::regclass || ';'
    FROM pg_catalog.pg_stat_user_tables
   WHERE n_dead_tup > 10000 AND n_dead_tup > 0.2 * (n_live_tup + n_dead_tup)
   ORDER BY n_dead_tup DESC LIMIT ${MAX_FINDINGS}`;

const STALE_STATISTICS = `
  SELECT 'info', 'The planner knows little of the table ' || relid::regclass || '.',
         n_mod_since_analyze || ' rows changed since it was last analysed ('
         || coalesce(pg_catalog.date_trunc('second', greatest(last_analyze, last_autoanalyze))::text, 'never') || '), of ' || n_live_tup,
         'ANALYZE ' || relid::regclass || ';'
    FROM pg_catalog.pg_stat_user_tables
   WHERE n_mod_since_analyze > greatest(1000, 0.5 * n_live_tup)
   ORDER BY n_mod_since_analyze DESC LIMIT ${MAX_FINDINGS}`;

const SWITCHED_OFF = `
  SELECT 'warning', 'Autovacuum is off for the whole server.', NULL::text, 'ALTER SYSTEM SET autovacuum = on; -- then SELECT pg_reload_conf();'
   WHERE pg_catalog.current_setting('autovacuum') = 'off'
  UNION ALL
  SELECT * FROM (
    SELECT 'info', 'Autovacuum is off for the table ' || c.oid::regclass || '.', NULL::text,
           'ALTER TABLE ' || c.oid::regclass || ' RESET (autovacuum_enabled);'
      FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'm') AND c.reloptions && ARRAY['autovacuum_enabled=false', 'autovacuum_enabled=off']
     ORDER BY c.relpages DESC LIMIT ${MAX_FINDINGS}) tables`;

export const vacuum: HealthCheck = {
  ok: 'Dead rows are cleared, statistics are fresh, and no database is near wraparound.',
  sql: () => [WRAPAROUND, DEAD_ROWS, STALE_STATISTICS, SWITCHED_OFF].map((part) => `(${part})`).join(' UNION ALL '),
};
