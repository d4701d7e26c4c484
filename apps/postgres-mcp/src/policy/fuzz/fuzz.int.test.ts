/**
 * Statements by a grammar (`hostile.ts`, `honest.ts`, `writes.ts`) through the real tools with a superuser, the worst case:
 * nothing but this server stands in their way. Hostile ones must be refused, honest ones must run, and an independent
 * connection must find the whole database as it was. The seed is printed: FUZZ_SEED repeats a run, FUZZ_SECONDS sets the
 * length of each of the two.
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
import { createConfirmations } from '../../write/confirmation.ts';
import { TEST_OBJECTS } from '../test-objects.ts';
import { LEAVING, STATE_SQL, WRITTEN, type FuzzedState } from './database-state.ts';
import { createDice } from './dice.ts';
import { honestStatement } from './honest.ts';
import { hostileStatement, type FuzzTargets } from './hostile.ts';
import { expectedState, isRefusal, stepWrite, WRITE_KINDS, type WriteOutcome, type WriteRun } from './write-steps.ts';

const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 5);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000_000);
/** The state is compared after so many statements. */
const BATCH = 50;
const HOSTILE_SHARE = 0.6;

let server: EmbeddedPostgres;
let admin: Client;
let victim: Client;
let tools: OpenTools;
let targets: FuzzTargets;
let notifications = 0;

before(async () => {
  // Only statements change anything.
  server = await startPostgres({ settings: { autovacuum: 'off' } });
  admin = new Client({ connectionString: server.adminUrl });
  victim = new Client({ connectionString: server.adminUrl });
  victim.on('error', () => {});
  await Promise.all([admin.connect(), victim.connect()]);
  await admin.query(`${TEST_OBJECTS}; ${LEAVING}; ${WRITTEN}; SELECT pg_catalog.pg_switch_wal()`);
  admin.on('notification', () => notifications++);
  await admin.query('LISTEN fuzz; LISTEN a; SELECT pg_catalog.pg_stat_reset()');
  const folder = await mkdtemp(join(tmpdir(), 'fuzz-test-'));
  // The database server may be another user.
  await chmod(folder, 0o777);
  const { rows: [pid] } = await victim.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'); // prettier-ignore
  const { rows: [object] } = await admin.query<{ oid: number }>("SELECT lo_from_bytea(0, 'kept') AS oid"); // prettier-ignore
  targets = {
    mode: 'read',
    victimPid: pid?.pid ?? 0,
    folder,
    largeObject: object?.oid ?? 0,
    connection: server.adminUrl,
  };
  const limits = { maxRows: 10, maxBytes: 10_000, maxCellBytes: 1_000 };
  tools = openTools(
    server.adminUrl,
    limits,
    {},
    { confirmations: createConfirmations(undefined), instance: 'postgres' },
  );
});

after(async () => {
  await tools.database.close();
  await Promise.all([admin.end(), victim.end()]);
  await server.stop();
  await rm(targets.folder, { recursive: true, force: true });
});

async function readState(): Promise<FuzzedState> {
  const { rows } = await admin.query<FuzzedState>(STATE_SQL, [targets.victimPid]);
  return { ...(rows[0] as FuzzedState), folder: (await readdir(targets.folder)).toSorted(), notifications };
}

async function outcomeOf(name: string, args: object): Promise<WriteOutcome> {
  try {
    const { confirm } = await tools.call(name, args);
    return { confirm };
  } catch (error) {
    if (error instanceof ToolError) return { error };
    throw new Error(`not an expected failure: ${JSON.stringify(args)}`, { cause: error });
  }
}

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
      const { error } = await outcomeOf('query', { sql, limit: 10 });
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

test(`${SECONDS} s of rehearsed writes leave nothing, and a confirmation makes its own call only (FUZZ_SEED=${SEED})`, async (t) => {
  t.diagnostic(`FUZZ_SEED=${SEED}`);
  const run: WriteRun = {
    dice: createDice(SEED),
    targets: { ...targets, mode: 'write' },
    execute: (call) => outcomeOf('execute', call),
    drawn: new Set(),
    counted: new Set(),
    log: [],
    made: [],
    kept: [],
  };
  let untouched = await readState();
  const counts: Record<string, number> = {};
  const isEnough = (): boolean => WRITE_KINDS.every((kind) => (counts[kind] ?? 0) > 3) && run.made.length > 0;
  for (const end = performance.now() + SECONDS * 1000; performance.now() < end || !isEnough();) {
    run.drawn.clear();
    run.counted.clear();
    run.log.length = 0;
    while (run.log.length < BATCH) {
      const kind = await stepWrite(run);
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
    const found = await readState();
    assert.deepEqual(
      found,
      expectedState(untouched, found, run),
      `one of these changed it:\n${run.log.join('\n---\n')}`,
    );
    untouched = found;
  }
  t.diagnostic(JSON.stringify({ ...counts, made: run.made.length }));
});

const EFFECTS: { sql: string; sees: string }[] = [
  { sql: "INSERT INTO stock VALUES (50, 'x', 1)", sees: 'rows' },
  { sql: "INSERT INTO part VALUES (2, 'x')", sees: 'parts' },
  { sql: "INSERT INTO ledger (note) VALUES ('x')", sees: 'ledger' },
  { sql: "SELECT nextval('counter')", sees: 'sequences' },
  { sql: 'ANALYZE stock', sees: 'estimates' },
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
    const untouched = await readState();
    await admin.query(sql.replace('FOLDER', targets.folder).replace('VICTIM', String(targets.victimPid)));
    await waitFor(async () => !isSame((await readState())[sees], untouched[sees]), { what: sees });
  });
}

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
