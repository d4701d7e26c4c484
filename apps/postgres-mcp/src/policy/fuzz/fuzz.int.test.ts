/**
 * Statements by a grammar (`hostile.ts`, `honest.ts`) through the real tool with a superuser, the worst case: nothing but this
 * server stands in their way. Hostile ones must be refused, honest ones must run, and an independent connection must find
 * the whole database as it was. The seed is printed: FUZZ_SEED repeats a run, FUZZ_SECONDS sets its length.
 */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { ToolError, toErrorText } from '@database-mcp/errors';
import { waitFor } from '@database-mcp/testing';
import { Client } from 'pg';
import { openTools, type OpenTools } from '../../test-tools.ts';
import { TEST_OBJECTS } from '../test-objects.ts';
import { createDice } from './dice.ts';
import { honestStatement } from './honest.ts';
import { hostileStatement, type FuzzTargets } from './hostile.ts';

const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 5);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000_000);
/** The state is compared after so many statements. */
const BATCH = 50;
const HOSTILE_SHARE = 0.6;

/** Functions that leave a file, which no rollback takes back, behind everything behind which code can be. */
const LEAVING = `
  CREATE FUNCTION leave_file(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('COPY (SELECT 1) TO %L', $1); RETURN $1; END $$;
  CREATE FUNCTION leave_file_as_definer(text) RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$ BEGIN PERFORM pg_catalog.pg_reload_conf(); RETURN $1; END $$;
  CREATE FUNCTION leave_file_unsafely(text) RETURNS text LANGUAGE unsafe AS $$ BEGIN EXECUTE format('COPY (SELECT 1) TO %L', $1); RETURN $1; END $$;
  CREATE FUNCTION leave_file_unsafely(text, text) RETURNS text LANGUAGE unsafe AS $$ BEGIN EXECUTE format('COPY (SELECT 1) TO %L', $1); RETURN $1; END $$;
  CREATE OPERATOR <~~ (FUNCTION = leave_file_unsafely, LEFTARG = text, RIGHTARG = text);
  CREATE AGGREGATE all_left (text) (SFUNC = leave_file_unsafely, STYPE = text, INITCOND = '');
  CREATE TYPE leaving AS (path text); CREATE TYPE leaving_row AS (path text);
  CREATE FUNCTION to_leaving(text) RETURNS leaving LANGUAGE unsafe AS $$ BEGIN EXECUTE format('COPY (SELECT 1) TO %L', $1); RETURN ROW($1)::leaving; END $$;
  CREATE CAST (text AS leaving) WITH FUNCTION to_leaving(text);
  CREATE FUNCTION leave_row(leaving_row) RETURNS text LANGUAGE unsafe AS $$ BEGIN EXECUTE format('COPY (SELECT 1) TO %L', $1.path); RETURN ''; END $$;
  CREATE FUNCTION is_left(text) RETURNS bool LANGUAGE unsafe AS $$ BEGIN EXECUTE format('COPY (SELECT 1) TO %L', $1); RETURN true; END $$;
  CREATE DOMAIN checking AS text CHECK (is_left(VALUE));
  CREATE VIEW leaving_view AS SELECT pg_catalog.pg_reload_conf() AS told;
  CREATE VIEW behind_view AS SELECT count(*) AS n FROM leaving_view WHERE told;
  CREATE PROCEDURE write_it() LANGUAGE sql AS 'DELETE FROM stock';
  CREATE MATERIALIZED VIEW kept AS SELECT 1 AS a`;

/** Everything that a statement could change and that no other activity of the server does. */
const STATE_SQL = `
  SELECT (SELECT pg_catalog.string_agg(s::text, ',' ORDER BY id) FROM stock s) AS rows,
    (SELECT pg_catalog.string_agg(sequencename || coalesce(last_value, 0), ',' ORDER BY 1) FROM pg_sequences) || (SELECT is_called FROM counter) AS sequences,
    (SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(oid, relname, relfilenode, relowner, relacl, relkind, relrowsecurity), ',' ORDER BY oid)) FROM pg_class) AS relations,
    (SELECT pg_catalog.md5(pg_catalog.string_agg(a::text, ',' ORDER BY attrelid, attnum)) FROM (SELECT attrelid, attnum, attname, atttypid, attisdropped, attacl FROM pg_attribute WHERE attrelid >= 16384) a) AS columns,
    (SELECT pg_catalog.md5(pg_catalog.string_agg(p::text, ',' ORDER BY oid)) FROM (SELECT oid, proname, prosrc, proowner, proacl FROM pg_proc) p) AS functions,
    (SELECT pg_catalog.md5(pg_catalog.string_agg(a::text, ',' ORDER BY oid)) FROM pg_authid a) AS roles,
    (SELECT pg_catalog.concat((SELECT count(*) FROM pg_type), ' ', (SELECT count(*) FROM pg_namespace), ' ', (SELECT count(*) FROM pg_trigger), ' ', (SELECT count(*) FROM pg_extension), ' ', (SELECT count(*) FROM pg_description), ' ', (SELECT count(*) FROM pg_auth_members), ' ', (SELECT count(*) FROM pg_constraint))) AS counts,
    (SELECT pg_catalog.string_agg(oid || ' ' || pg_catalog.md5(pg_catalog.lo_get(oid)), ',' ORDER BY oid) FROM pg_largeobject_metadata) AS objects,
    (SELECT pg_catalog.md5(pg_catalog.string_agg(s::text, ',' ORDER BY sourcefile, sourceline)) FROM pg_file_settings s) AS files,
    (SELECT pg_catalog.string_agg(s::text, ',' ORDER BY setdatabase, setrole) FROM pg_db_role_setting s) AS settings, pg_conf_load_time() AS reloaded,
    (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()) AS counted,
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') AS locks, (SELECT count(*) FROM pg_replication_slots) AS slots,
    (SELECT count(*) FROM pg_prepared_xacts) AS prepared, pg_catalog.div(pg_current_wal_lsn() - '0/0', 16777216) AS wal,
    (SELECT count(*) FROM pg_cursors) AS cursors, (SELECT count(*) FROM pg_stat_activity WHERE pid = $1) AS victims`;

let server: EmbeddedPostgres;
let admin: Client;
let victim: Client;
let tools: OpenTools;
let targets: FuzzTargets;
let notifications = 0;

before(async () => {
  server = await startPostgres();
  admin = new Client({ connectionString: server.adminUrl });
  victim = new Client({ connectionString: server.adminUrl });
  victim.on('error', () => {});
  await Promise.all([admin.connect(), victim.connect()]);
  await admin.query(`${TEST_OBJECTS}; ${LEAVING}; SELECT pg_catalog.pg_switch_wal()`);
  admin.on('notification', () => notifications++);
  await admin.query('LISTEN fuzz; LISTEN a; SELECT pg_catalog.pg_stat_reset()');
  const folder = await mkdtemp(join(tmpdir(), 'fuzz-test-'));
  // The database server may be another user.
  await chmod(folder, 0o777);
  const { rows: [pid] } = await victim.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'); // prettier-ignore
  const { rows: [object] } = await admin.query<{ oid: number }>("SELECT lo_from_bytea(0, 'kept') AS oid"); // prettier-ignore
  targets = { victimPid: pid?.pid ?? 0, folder, largeObject: object?.oid ?? 0, connection: server.adminUrl };
  tools = openTools(server.adminUrl, { maxRows: 10, maxBytes: 10_000, maxCellBytes: 1_000 });
});

after(async () => {
  await tools.database.close();
  await Promise.all([admin.end(), victim.end()]);
  await server.stop();
  await rm(targets.folder, { recursive: true, force: true });
});

async function readState(): Promise<object> {
  const { rows } = await admin.query(STATE_SQL, [targets.victimPid]);
  return { ...(rows[0] as object), folder: (await readdir(targets.folder)).toSorted(), notifications };
}

async function outcomeOf(sql: string): Promise<ToolError | undefined> {
  try {
    await tools.call('query', { sql, limit: 10 });
    return undefined;
  } catch (error) {
    if (error instanceof ToolError) return error;
    throw new Error(`not an expected failure: ${sql}`, { cause: error });
  }
}

/** What the server says of a statement that it does not run; errors of Postgres itself mean that it was run. */
const REFUSALS = new Set(['READ_ONLY', 'INVALID_ARGUMENT', 'SYNTAX_ERROR', 'TOO_LARGE']);
const isRefusal = (error: ToolError): boolean => REFUSALS.has(error.code) && !error.message.includes('[SQLSTATE');

test(`${SECONDS} s of statements change nothing, hostile ones are refused, honest ones run (FUZZ_SEED=${SEED})`, async (t) => {
  t.diagnostic(`FUZZ_SEED=${SEED}`);
  const dice = createDice(SEED);
  const untouched = await readState();
  const counts: Record<string, number> = {};
  const count = (what: string): void => void (counts[what] = (counts[what] ?? 0) + 1);
  for (const end = performance.now() + SECONDS * 1000; performance.now() < end;) {
    const batch: string[] = [];
    for (let left = BATCH; left > 0; left--) {
      const isHostile = dice.chance(HOSTILE_SHARE);
      const sql = isHostile ? hostileStatement(dice, targets) : honestStatement(dice, targets);
      batch.push(sql);
      const error = await outcomeOf(sql);
      if (isHostile)
        assert.ok(error && isRefusal(error), `hostile, but ${error ? toErrorText(error) : 'it ran'}:\n${sql}`);
      else assert.equal(error, undefined, `honest, but ${error ? toErrorText(error) : ''}:\n${sql}`);
      count(error?.code ?? 'ran');
    }
    assert.deepEqual(await readState(), untouched, `one of these changed it:\n${batch.join('\n---\n')}`);
  }
  const { ran = 0, READ_ONLY: refused = 0, SYNTAX_ERROR: unread = 0 } = counts;
  t.diagnostic(JSON.stringify(counts));
  assert.ok(ran > 20 && refused > 20, 'too few of a kind');
  assert.ok(unread < refused / 2, 'the grammar should make statements that Postgres could run');
});

const EFFECTS: { sql: string; sees: string }[] = [
  { sql: "INSERT INTO stock VALUES (50, 'x', 1)", sees: 'rows' },
  { sql: "SELECT nextval('counter')", sees: 'sequences' },
  { sql: "NOTIFY fuzz, 'x'", sees: 'notifications' },
  { sql: 'CREATE TABLE seen (a int)', sees: 'relations' },
  { sql: 'ALTER TABLE stock ADD COLUMN seen int', sees: 'columns' },
  { sql: "CREATE FUNCTION seen() RETURNS int LANGUAGE sql AS 'SELECT 1'", sees: 'functions' },
  { sql: 'ALTER ROLE mcp_reader CONNECTION LIMIT 3', sees: 'roles' },
  { sql: "COMMENT ON TABLE stock IS 'seen'", sees: 'counts' },
  { sql: "SELECT lo_from_bytea(0, 'seen')", sees: 'objects' },
  { sql: "ALTER SYSTEM SET work_mem = '8MB'", sees: 'files' },
  { sql: "ALTER ROLE mcp_reader SET work_mem = '8MB'", sees: 'settings' },
  { sql: 'SELECT pg_reload_conf()', sees: 'reloaded' },
  { sql: 'SELECT pg_stat_reset()', sees: 'counted' },
  { sql: 'SELECT pg_advisory_lock(7)', sees: 'locks' },
  { sql: 'SELECT pg_switch_wal()', sees: 'wal' },
  { sql: 'SELECT leave_file($f$FOLDER/seen$f$)', sees: 'folder' },
  { sql: 'SELECT pg_terminate_backend(VICTIM)', sees: 'victims' },
];

for (const { sql, sees } of EFFECTS) {
  test(`the comparison sees ${sees}: ${sql}`, async () => {
    const untouched = (await readState()) as Record<string, unknown>;
    await admin.query(sql.replace('FOLDER', targets.folder).replace('VICTIM', String(targets.victimPid)));
    await waitFor(async () => !isSame(((await readState()) as Record<string, unknown>)[sees], untouched[sees]), {
      what: sees,
    });
  });
}

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
