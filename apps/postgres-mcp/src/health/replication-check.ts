/** Checks replicas, replication slots and the archiving of the write-ahead log. */
import { MAX_FINDINGS, needsMonitorRole, type HealthCheck } from './finding.ts';

const MB = 1024 * 1024;

/** A replica replays to this place of the log, a primary writes at it. */
const HERE = `CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END`;

/** Without new transactions on the primary the time of the last one says nothing, so something must be left to replay. */
const THIS_REPLICA = `
  SELECT CASE WHEN lag > interval '5 minutes' THEN 'critical' ELSE 'warning' END, 'This server is a replica that lags behind.',
         pg_catalog.concat_ws(', ', pg_catalog.pg_size_pretty(behind) || ' of log',
                              'the last transaction replayed is ' || pg_catalog.date_trunc('second', lag) || ' old'),
         'SELECT pg_wal_replay_resume(); -- if pg_is_wal_replay_paused(); else look for long queries and a slow disk'
    FROM (SELECT pg_catalog.now() - pg_catalog.pg_last_xact_replay_timestamp() AS lag,
                 pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn()) AS behind) l
   WHERE pg_catalog.pg_is_in_recovery() AND (behind > ${100 * MB} OR behind > 0 AND lag > interval '1 minute')`;

const REPLICAS = `
  SELECT 'warning', 'The replica ' || coalesce(nullif(r.application_name, ''), r.pid::text) || ' lags behind.',
         pg_catalog.concat_ws(', ', pg_catalog.pg_size_pretty(behind) || ' of log', r.replay_lag::text, r.state),
         'SELECT * FROM pg_stat_replication; -- sent, written, flushed or replayed too slowly?'
    FROM (SELECT s.*, pg_catalog.pg_wal_lsn_diff(${HERE}, s.replay_lsn) AS behind FROM pg_catalog.pg_stat_replication s) r
   WHERE r.behind > ${100 * MB} OR r.replay_lag > interval '1 minute' ORDER BY r.behind DESC LIMIT ${MAX_FINDINGS}`;

const SLOTS = `
  SELECT CASE WHEN wal_status IN ('unreserved', 'lost') OR kept > ${10_240 * MB} THEN 'critical' ELSE 'warning' END,
         'The replication slot ' || pg_catalog.quote_ident(slot_name) || CASE WHEN active THEN ' falls behind.' ELSE ' is not used and keeps the log.' END,
         pg_catalog.concat_ws(', ', pg_catalog.pg_size_pretty(kept) || ' kept', 'wal_status ' || wal_status),
         CASE WHEN active THEN 'SELECT * FROM pg_replication_slots; -- its reader is too slow'
              ELSE 'SELECT pg_drop_replication_slot(' || pg_catalog.quote_literal(slot_name) || ');' END
    FROM (SELECT s.*, pg_catalog.pg_wal_lsn_diff(${HERE}, s.restart_lsn) AS kept FROM pg_catalog.pg_replication_slots s) slots
   WHERE wal_status IN ('unreserved', 'lost') OR kept > ${1_024 * MB} OR NOT active AND NOT temporary
   ORDER BY kept DESC NULLS LAST LIMIT ${MAX_FINDINGS}`;

const ARCHIVER = `
  SELECT 'critical', 'The archiving of the write-ahead log fails.',
         failed_count || ' failures, the last at ' || pg_catalog.date_trunc('second', last_failed_time) || ' for ' || last_failed_wal,
         'SHOW archive_command; -- mend it; the log is kept until then'
    FROM pg_catalog.pg_stat_archiver WHERE last_failed_time > coalesce(last_archived_time, '-infinity')`;

export const replication: HealthCheck = {
  ok: 'No replica lags, and no slot or archive keeps the log.',
  sql: () => [THIS_REPLICA, REPLICAS, SLOTS, ARCHIVER].map((part) => `(${part})`).join(' UNION ALL '),
  missing: (facts) => (facts.seesAllSessions ? [] : [needsMonitorRole(facts, 'How far replicas lag')]),
};
