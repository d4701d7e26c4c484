/** Checks of the statements that are run: which take the time, and which indexes are missing. */
import { MAX_FINDINGS, needsMonitorRole, shownStatement, type Finding, type HealthCheck } from './finding.ts';

const MAX_STATEMENTS = 5;
const QUERY_CHARACTERS = 300;
/** In a database that has hardly worked everything is a large share. */
const MIN_TOTAL_MS = 1_000;
const SLOW_MS = 1_000;

const NOT_INSTALLED: Finding = {
  severity: 'not run',
  finding: 'Slow statements cannot be told: the extension pg_stat_statements is not installed in this database.',
  fix: "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'; -- keep what is there; restart, then: CREATE EXTENSION pg_stat_statements;",
};

export const statements: HealthCheck = {
  ok: 'No statement takes much time.',
  sql: ({ statementsSchema }) =>
    statementsSchema &&
    `
    SELECT CASE WHEN mean_exec_time >= ${SLOW_MS} THEN 'warning' ELSE 'info' END,
           'A statement takes ' || pg_catalog.round((100 * total_exec_time / whole)::numeric) || ' % of the time of all.',
           calls || ' calls of ' || pg_catalog.round(mean_exec_time::numeric, 1) || ' ms, ' || rows || ' rows: '
           || ${shownStatement('query', QUERY_CHARACTERS)},
           'Explain it with values for its parameters; the slowest node and the scans say what to change.'
      FROM (SELECT s.*, pg_catalog.sum(s.total_exec_time) OVER () AS whole FROM ${statementsSchema}.pg_stat_statements s
             WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())) s
     WHERE whole >= ${MIN_TOTAL_MS} AND query <> '<insufficient privilege>' AND total_exec_time >= 0.05 * whole
     ORDER BY total_exec_time DESC LIMIT ${MAX_STATEMENTS}`,
  missing: (facts) => {
    if (facts.statementsSchema === undefined) return [NOT_INSTALLED];
    return facts.seesAllSessions ? [] : [needsMonitorRole(facts, 'Statements of other roles')];
  },
};

/** Smaller tables are read as fast without an index. */
const MIN_ROWS = 10_000;

/** An index serves a foreign key when its first columns are those of the key, in any order. */
const FOREIGN_KEYS = `
  SELECT CASE WHEN c.reltuples >= 10 * ${MIN_ROWS} THEN 'warning' ELSE 'info' END,
         'The foreign key ' || pg_catalog.quote_ident(k.conname) || ' of ' || k.conrelid::regclass || ' has no index.',
         'each DELETE in ' || k.confrelid::regclass || ' reads all of about ' || c.reltuples::bigint || ' rows',
         'CREATE INDEX CONCURRENTLY ON ' || k.conrelid::regclass || ' (' || (
           SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY key.place)
             FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS key (attnum, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = key.attnum) || ');'
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
   WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relkind = 'r' AND c.reltuples >= ${MIN_ROWS}
     AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred IS NULL
          AND (i.indkey::int2[])[0:pg_catalog.cardinality(k.conkey) - 1] @> k.conkey)
   ORDER BY c.reltuples DESC LIMIT ${MAX_FINDINGS}`;

const READ_IN_FULL = `
  SELECT 'info', 'The table ' || relid::regclass || ' is often read from end to end.',
         seq_scan || ' times, ' || seq_tup_read / seq_scan || ' rows each; by index ' || coalesce(idx_scan, 0) || ' times',
         'Explain the statements that filter it: a scan that keeps few rows wants an index on its filter.'
    FROM pg_catalog.pg_stat_user_tables
   WHERE seq_scan >= 50 AND seq_tup_read / seq_scan >= ${MIN_ROWS} AND seq_scan > coalesce(idx_scan, 0) / 10
   ORDER BY seq_tup_read DESC LIMIT ${MAX_FINDINGS}`;

export const indexAdvice: HealthCheck = {
  ok: 'No foreign key of a large table lacks an index, and no large table is often read in full.',
  sql: () => [FOREIGN_KEYS, READ_IN_FULL].map((part) => `(${part})`).join(' UNION ALL '),
};

/** SQL that gives {@link ServerFacts}. */
export const FACTS_SQL = `
  SELECT pg_catalog.quote_ident(current_user), pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
         (SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
           WHERE e.extname = 'pg_stat_statements')`;
