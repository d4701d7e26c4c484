/** Checks of what goes on now: connections, cache, locks and long transactions. */
import { MAX_FINDINGS, needsMonitorRole, shownStatement, type HealthCheck } from './finding.ts';

/** The number of back ends of every database is told to every role. */
export const connections: HealthCheck = {
  ok: 'Connections are free.',
  sql: () => `
    WITH n AS (
      SELECT (SELECT pg_catalog.sum(numbackends) FROM pg_catalog.pg_stat_database)::int AS used, max - reserved AS free, max
        FROM (SELECT pg_catalog.current_setting('max_connections')::int AS max,
                     pg_catalog.current_setting('superuser_reserved_connections')::int
                     + coalesce(pg_catalog.current_setting('reserved_connections', true)::int, 0) AS reserved) s)
    SELECT CASE WHEN used >= free * 0.95 THEN 'critical' WHEN used >= free * 0.8 THEN 'warning' ELSE 'ok' END,
           CASE WHEN used >= free * 0.8 THEN 'Few connections are left.' ELSE 'Connections are free.' END,
           used || ' of ' || free || ' are in use (max_connections ' || max || ')',
           CASE WHEN used >= free * 0.8 THEN 'ALTER SYSTEM SET max_connections = ' || max * 2 || '; -- then restart, or put a pooler in front' END
      FROM n`,
};

/** Fewer block reads than these say nothing. */
const MIN_BLOCKS = 10_000;

export const cache: HealthCheck = {
  ok: 'Most reads are served by the cache.',
  sql: () => `
    WITH n AS (
      SELECT blks_hit + blks_read AS total, pg_catalog.round(100.0 * blks_hit / nullif(blks_hit + blks_read, 0), 1) AS percent,
             coalesce('since ' || stats_reset::date, 'since the database was made') AS since
        FROM pg_catalog.pg_stat_database WHERE datname = pg_catalog.current_database()),
    buffers AS (SELECT setting::bigint * 2 AS twice FROM pg_catalog.pg_settings WHERE name = 'shared_buffers')
    SELECT CASE WHEN total < ${MIN_BLOCKS} OR percent >= 95 THEN 'ok' WHEN percent >= 90 THEN 'info' ELSE 'warning' END,
           CASE WHEN total < ${MIN_BLOCKS} THEN 'Too little was read yet to judge the cache.'
                WHEN percent >= 95 THEN 'Most reads are served by the cache.' ELSE 'Many reads miss the cache.' END,
           coalesce(percent, 0) || ' % of ' || total || ' block reads ' || since || ' (shared_buffers ' || pg_catalog.current_setting('shared_buffers') || ')',
           CASE WHEN total >= ${MIN_BLOCKS} AND percent < 95 THEN 'ALTER SYSTEM SET shared_buffers = ''' ||
             twice * pg_catalog.current_setting('block_size')::bigint / 1024 / 1024 || 'MB''; -- at most a quarter of the memory; then restart' END
      FROM n, buffers`,
};

/** A transaction that is open for longer keeps VACUUM from its work. */
const LONG_TRANSACTION = "interval '5 minutes'";
const LONG_IDLE = "interval '1 minute'";
const QUERY_CHARACTERS = 120;

/** Who waits for whom is told to every role; what the sessions run only to some. */
const BLOCKERS = `
  SELECT CASE WHEN pg_catalog.max(pg_catalog.now() - w.waitstart) > interval '1 minute' THEN 'critical' ELSE 'warning' END,
         'Session ' || blocker || ' holds up ' || pg_catalog.count(DISTINCT w.pid) || ' other sessions.',
         pg_catalog.concat_ws('; ', 'waiting ' || pg_catalog.date_trunc('second', pg_catalog.max(pg_catalog.now() - w.waitstart))
           || coalesce(' for ' || pg_catalog.string_agg(DISTINCT w.relation::regclass::text, ', '), ''),
           (SELECT a.usename || coalesce(', ' || a.state, '') || ': ' || ${shownStatement('a.query', QUERY_CHARACTERS)}
              FROM pg_catalog.pg_stat_activity a WHERE a.pid = blocker)),
         'SELECT pg_terminate_backend(' || blocker || ');'
    FROM (SELECT l.pid, l.relation, l.waitstart, pg_catalog.unnest(pg_catalog.pg_blocking_pids(l.pid)) AS blocker
            FROM pg_catalog.pg_locks l WHERE NOT l.granted) w
   WHERE blocker > 0 AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks own WHERE own.pid = blocker AND NOT own.granted)
   GROUP BY blocker ORDER BY pg_catalog.count(DISTINCT w.pid) DESC LIMIT ${MAX_FINDINGS}`;

const LONG_TRANSACTIONS = `
  SELECT 'warning', 'Session ' || pid || CASE WHEN state LIKE 'idle%' THEN ' is idle in a transaction.' ELSE ' runs a long transaction.' END,
         'open for ' || pg_catalog.date_trunc('second', pg_catalog.now() - xact_start) || '; '
         || usename || ', ' || state || ': ' || ${shownStatement('query', QUERY_CHARACTERS)},
         CASE WHEN state LIKE 'idle%' THEN 'SELECT pg_terminate_backend(' ELSE 'SELECT pg_cancel_backend(' END || pid || ');'
    FROM pg_catalog.pg_stat_activity
   WHERE backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid()
     AND (pg_catalog.now() - xact_start > ${LONG_TRANSACTION} OR state LIKE 'idle in%' AND pg_catalog.now() - state_change > ${LONG_IDLE})
   ORDER BY xact_start LIMIT ${MAX_FINDINGS}`;

const PREPARED = `
  SELECT 'warning', 'The prepared transaction ' || pg_catalog.quote_literal(gid) || ' is neither committed nor rolled back.',
         'open for ' || pg_catalog.date_trunc('second', pg_catalog.now() - prepared) || ' in ' || database || ', of ' || owner,
         'ROLLBACK PREPARED ' || pg_catalog.quote_literal(gid) || '; -- or COMMIT PREPARED'
    FROM pg_catalog.pg_prepared_xacts WHERE pg_catalog.now() - prepared > ${LONG_TRANSACTION}
   ORDER BY prepared LIMIT ${MAX_FINDINGS}`;

export const locks: HealthCheck = {
  ok: 'No session waits for another, and no transaction is open for long.',
  sql: () => [BLOCKERS, LONG_TRANSACTIONS, PREPARED].map((part) => `(${part})`).join(' UNION ALL '),
  missing: (facts) => (facts.seesAllSessions ? [] : [needsMonitorRole(facts, 'How long transactions are open')]),
};
