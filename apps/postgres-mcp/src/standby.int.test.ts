/**
 * A real hot standby: what reads goes to it and what writes to the primary; its lag, conflicts with recovery, a standby
 * that stops, and one that is promoted. pg_basebackup makes it, which the embedded Postgres does not bring.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chownSync, existsSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import type { Tool } from '@database-mcp/mcp-kit';
import { freePort, spawnProcess, waitFor, type SpawnedProcess } from '@database-mcp/testing';
import { Client } from 'pg';
import type { Database } from './database.ts';
import { createReplicatedDatabase } from './replica.ts';
import { hasCode, openDatabase, read } from './test-database.ts';
import { createTools } from './tools/index.ts';
import { createConfirmations } from './write/confirmation.ts';
import { call, failureOf, openExecute, said } from './write/test-execute.ts';

const PROGRAMS = [process.env['EMBEDDED_POSTGRES_BIN'], ...[18, 17, 16, 15].map((version) => `/usr/lib/postgresql/${version}/bin`)].find(
  (folder) => folder !== undefined && existsSync(join(folder, 'pg_basebackup')),
); // prettier-ignore
const skip = PROGRAMS === undefined;
const MISSING = skip ? ' (skipped: there is no pg_basebackup on this machine)' : '';

let primary: EmbeddedPostgres;
let standby: SpawnedProcess;
let standbyPort: number;
let folder: string;
/** Whom Postgres runs as, which refuses root. */
let owner: { uid: number; gid: number };
let admin: Client;

const urlOfStandby = (parameters = ''): string => {
  const url = new URL(primary.adminUrl);
  url.port = String(standbyPort);
  return url.href + parameters;
};

before(async () => {
  if (PROGRAMS === undefined) return;
  // The two must be of one version.
  process.env['EMBEDDED_POSTGRES_BIN'] = PROGRAMS;
  primary = await startPostgres({ settings: { wal_level: 'replica', max_wal_senders: '4', synchronous_commit: 'on' } });
  admin = new Client({ connectionString: primary.adminUrl });
  await admin.connect();
  await admin.query(`
    CREATE TABLE orders (id int PRIMARY KEY, name text); INSERT INTO orders SELECT g, 'n' || g FROM generate_series(1, 50) g;
    CREATE TABLE busy (a int); INSERT INTO busy VALUES (1)`);
  const { rows } = await admin.query<{ data_directory: string }>('SHOW data_directory');
  owner = statSync(String(rows[0]?.data_directory));
  folder = await mkdtemp(join(tmpdir(), 'standby-test-'));
  chownSync(folder, owner.uid, owner.gid);
  const args = ['-D', join(folder, 'data'), '-R', '-X', 'stream', '-c', 'fast', '-d', primary.adminUrl];
  const { uid, gid } = owner;
  await promisify(execFile)(join(PROGRAMS, 'pg_basebackup'), args, { uid, gid, cwd: folder });
  standbyPort = await freePort();
  await startStandby();
});

after(async () => {
  if (skip) return;
  await stopStandby();
  await admin.end();
  await primary.stop();
  await rm(folder, { recursive: true, force: true });
});

async function startStandby(settings: Record<string, string> = {}): Promise<void> {
  const all = { listen_addresses: '127.0.0.1', port: standbyPort, unix_socket_directories: '', fsync: 'off', max_connections: 50,
    shared_buffers: '32MB', max_standby_streaming_delay: 0, ...settings }; // prettier-ignore
  const run = [join(PROGRAMS ?? '', 'postgres'), '-D', join(folder, 'data'), ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])]; // prettier-ignore
  const asOwner = process.getuid?.() === 0 ? ['setpriv', `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups'] : []; // prettier-ignore
  const [command = '', ...args] = [...asOwner, ...run];
  const line = settings['hot_standby'] === 'off' ? /started streaming/ : /ready to accept read-only connections/;
  standby = await spawnProcess({ command, args, cwd: folder, name: 'standby', ready: { line } });
}

async function stopStandby(): Promise<void> {
  // Fast shutdown: it does not wait for its clients.
  standby.kill('SIGINT');
  await standby.exited;
}

interface Replicated {
  database: Database;
  tools: ReadonlyMap<string, Tool>;
  fallbacks: string[];
}

/** The tools with both, as the server process makes them. */
function openReplicated(t: TestContext, parameters = ''): Replicated {
  const fallbacks: string[] = [];
  const database = createReplicatedDatabase({
    primary: openDatabase(t, primary.adminUrl),
    replica: openDatabase(t, urlOfStandby(parameters)),
    onFallback: (reason) => fallbacks.push(reason),
  });
  const limits = { maxRows: 100, maxBytes: 100_000, maxCellBytes: 1_000 };
  const writing = { confirmations: createConfirmations(undefined), instance: 'postgres' };
  return {
    database,
    tools: new Map(createTools(database, limits, writing).map((tool) => [tool.name, tool])),
    fallbacks,
  };
}

const tool = ({ tools }: Replicated, name: string): Tool => tools.get(name) ?? assert.fail(name);

async function onStandby(sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: urlOfStandby() });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Until the standby has what was committed on the primary. */
async function waitForReplay(): Promise<void> {
  const { rows: [written] } = await admin.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn() AS lsn'); // prettier-ignore
  const sql = `SELECT WHERE pg_last_wal_replay_lsn() >= '${written?.lsn}'`;
  await waitFor(async () => (await onStandby(sql)).length === 1, { what: 'the standby to catch up' });
}

const WHERE = 'SELECT pg_is_in_recovery(), inet_server_port()';

test(
  `queries are answered by the standby, a write is made on the primary and reaches the standby${MISSING}`,
  { skip },
  async (t) => {
    const replicated = openReplicated(t);
    assert.deepEqual((await read(replicated.database, WHERE)).rows, [[true, standbyPort]]);
    const execute = tool(replicated, 'execute');
    const args = { sql: 'UPDATE orders SET name = $1 WHERE id = 7', params: ['seven'] };
    const rehearsal = await call(execute, args);
    assert.match(said(await call(execute, { ...args, confirm: rehearsal.confirm })), /^Done and committed\. 1 row/);
    await waitForReplay();
    const sql = "SELECT name, pg_is_in_recovery() FROM orders WHERE name = 'seven'";
    assert.deepEqual((await read(replicated.database, sql)).rows, [['seven', true]]);
    assert.deepEqual(replicated.fallbacks, []);
  },
);

async function findings(of: Database): Promise<string[]> {
  const health = createTools(of, { maxRows: 100, maxBytes: 100_000, maxCellBytes: 1_000 }).find(({ name }) => name === 'health') ?? assert.fail(); // prettier-ignore
  const { rows } = await health.run({ checks: ['replication'] }, { signal: new AbortController().signal });
  return rows.map((row) => row.slice(1, 4).join(' | '));
}

test(`how far the standby lags is told on both sides${MISSING}`, { skip }, async (t) => {
  const onPrimary = openDatabase(t, primary.adminUrl);
  const { database } = openReplicated(t);
  await waitForReplay();
  assert.match((await findings(database)).join('\n'), /^ok/);
  assert.match((await findings(onPrimary)).join('\n'), /^ok/);
  await onStandby('SELECT pg_wal_replay_pause()');
  t.after(async () => {
    await onStandby('SELECT pg_wal_replay_resume()');
    await waitForReplay();
  });
  for (let part = 0; part < 15; part++)
    await admin.query("SELECT pg_logical_emit_message(false, 'test', repeat('x', 8000000))");
  await waitFor(async () => (await findings(onPrimary)).join('\n').startsWith('warning | The replica'), { what: 'the lag' }); // prettier-ignore
  assert.match((await findings(onPrimary)).join('\n'), /walreceiver lags behind\. \| 1\d\d MB of log, /);
  await waitFor(async () => (await findings(database)).join('\n').startsWith('warning'), { what: 'the lag, seen from the standby' }); // prettier-ignore
  assert.match((await findings(database)).join('\n'), /This server is a replica that lags behind\. \| 1\d\d MB of log/);
});

const CONFLICTS: { change: string; why: string }[] = [
  { change: 'TRUNCATE busy', why: 'a lock' },
  { change: 'DELETE FROM busy; VACUUM busy', why: 'rows that are needed no more on the primary' },
];

for (const { change, why } of CONFLICTS) {
  test(`a query that recovery had to end says what can be done: ${why}${MISSING}`, { skip }, async (t) => {
    const { database, fallbacks } = openReplicated(t);
    await admin.query('INSERT INTO busy VALUES (1)');
    await waitForReplay();
    const sql = 'SELECT a, pg_sleep(60) FROM busy';
    const ended = assert.rejects(
      read(database, sql),
      hasCode(
        'BUSY',
        /conflict with recovery[^]*40001[^]*Try again[^]*hot_standby_feedback[^]*max_standby_streaming_delay/,
      ),
    );
    const started = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    await waitFor(async () => (await onStandby(started)).length === 1, { what: 'the start' });
    for (const statement of change.split('; ')) await admin.query(statement);
    await ended;
    await waitForReplay();
    assert.deepEqual((await read(database, WHERE)).rows, [[true, standbyPort]], 'the next query finds it again');
    assert.deepEqual(fallbacks, []);
  });
}

test(`a write that is sent to a standby is refused with a way out${MISSING}`, { skip }, async (t) => {
  const execute = openExecute(t, { url: urlOfStandby() });
  assert.match(await failureOf(execute, { sql: 'DELETE FROM orders' }), /READ_ONLY[^]*standby[^]*POSTGRES_URL/);
});

test(
  `[63] a standby that allows no queries is told as being in recovery, and the primary answers${MISSING}`,
  { skip },
  async (t) => {
    await stopStandby();
    await startStandby({ hot_standby: 'off' });
    await assert.rejects(read(openDatabase(t, urlOfStandby()), WHERE), hasCode('UNAVAILABLE', /in recovery \(57P03\)/));
    const { database } = openReplicated(t);
    const { rows, notices } = await read(database, WHERE);
    assert.deepEqual(rows, [[false, primary.port]]);
    assert.match(notices.join(), /replica cannot be reached; this was read from the primary/);
    await stopStandby();
    await startStandby();
  },
);

test(
  `while the standby is stopped the primary answers and says so; afterwards the standby does again${MISSING}`,
  { skip },
  async (t) => {
    const { database, fallbacks } = openReplicated(t);
    assert.deepEqual((await read(database, WHERE)).rows, [[true, standbyPort]]);
    await stopStandby();
    const { rows, notices } = await read(database, WHERE);
    assert.deepEqual(rows, [[false, primary.port]]);
    assert.match(notices.join(), /replica cannot be reached; this was read from the primary/);
    assert.equal(fallbacks.length, 1);
    await startStandby();
    const now = performance.now.bind(performance);
    t.mock.method(performance, 'now', () => now() + 60_000);
    const again = await read(database, WHERE);
    assert.deepEqual([again.rows, again.notices], [[[true, standbyPort]], []]);
  },
);

// Last, because it cannot be undone.
test(
  `a standby that was promoted is left when its URL asks for a standby, also by connections that are open${MISSING}`,
  { skip },
  async (t) => {
    const { database } = openReplicated(t, '?target_session_attrs=standby');
    assert.deepEqual((await read(database, WHERE)).rows, [[true, standbyPort]]);
    await onStandby('SELECT pg_promote()');
    await waitFor(async () => {
    const { rows, notices } = await read(database, WHERE);
    return rows[0]?.[1] === primary.port && /cannot be reached/.test(notices.join());
  }, { what: 'the primary to answer' }); // prettier-ignore
  },
);
