/** Which connection a call gets, with real servers: several hosts, a replica, a pooler, too few slots, dead connections. */
import assert from 'node:assert/strict';
import { chownSync, statSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { freePort, spawnProcess, waitFor } from '@database-mcp/testing';
import { Client } from 'pg';
import { createReplicatedDatabase } from '../replica.ts';
import { hasCode, openDatabase, read } from '../test-database.ts';

let server: EmbeddedPostgres;
let admin: Client;

before(async () => {
  server = await startPostgres();
  admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
});

after(async () => {
  await admin.end();
  await server.stop();
});

test('options and application_name reach the server; without a name it is that of this program', async (t) => {
  const sql = "SELECT current_setting('geqo'), current_setting('application_name')";
  const url = `${server.adminUrl}?options=-c%20geqo%3Doff&application_name=shop`;
  assert.deepEqual((await read(openDatabase(t, url), sql)).rows, [['off', 'shop']]);
  assert.deepEqual((await read(openDatabase(t, server.adminUrl), sql)).rows, [['on', 'int-test']]);
});

/** A second server whose transactions only read, as those of a standby. */
async function startReadOnly(t: TestContext): Promise<EmbeddedPostgres> {
  const second = await startPostgres();
  t.after(() => second.stop());
  const client = new Client({ connectionString: second.adminUrl });
  await client.connect();
  await client.query('ALTER DATABASE postgres SET default_transaction_read_only = on');
  // One password for both, because a URL with several hosts has only one.
  const { password } = new URL(server.adminUrl);
  await client.query('SET default_transaction_read_only = off');
  await client.query(`ALTER ROLE postgres PASSWORD '${password}'`);
  await client.end();
  return second;
}

test('several hosts are tried in their order, and target_session_attrs chooses among them', async (t) => {
  const second = await startReadOnly(t);
  const closed = await freePort();
  const { password } = new URL(server.adminUrl);
  const urlOf = (ports: number[], attrs: string): string =>
    `postgresql://postgres:${password}@${ports.map((port) => `127.0.0.1:${port}`).join()}/postgres?target_session_attrs=${attrs}`;
  const CASES = [
    { ports: [closed, server.port], attrs: 'any', port: server.port, why: 'the first is down' },
    { ports: [second.port, server.port], attrs: 'any', port: second.port, why: 'the first will do' },
    { ports: [second.port, closed, server.port], attrs: 'read-write', port: server.port, why: 'one is read-only, one is down' },
    { ports: [server.port, second.port], attrs: 'read-only', port: second.port, why: 'the second only reads' },
    { ports: [server.port, second.port], attrs: 'prefer-standby', port: server.port, why: 'there is no standby, so any' },
  ]; // prettier-ignore
  for (const { ports, attrs, port, why } of CASES) {
    const { rows } = await read(openDatabase(t, urlOf(ports, attrs)), 'SELECT inet_server_port()');
    assert.deepEqual(rows, [[port]], why);
  }
  await assert.rejects(
    read(openDatabase(t, urlOf([server.port, second.port], 'standby')), 'SELECT 1'),
    hasCode('UNAVAILABLE', /none of its hosts is what target_session_attrs asks for/),
  );
});

test('when the host in use goes down, the next call gets the other one', async (t) => {
  const second = await startReadOnly(t);
  const { password } = new URL(server.adminUrl);
  const database = openDatabase(t, `postgresql://postgres:${password}@127.0.0.1:${second.port},127.0.0.1:${server.port}/postgres`); // prettier-ignore
  const port = async () => (await read(database, 'SELECT inet_server_port()')).rows[0]?.[0];
  assert.equal(await port(), second.port);
  await second.stop();
  assert.equal(await port(), server.port);
});

test('queries go to the replica, and to the primary with a notice while it is down', async (t) => {
  const replicaServer = await startReadOnly(t);
  const fallbacks: string[] = [];
  const database = createReplicatedDatabase({
    primary: openDatabase(t, server.adminUrl),
    replica: openDatabase(t, replicaServer.adminUrl.replace(new URL(replicaServer.adminUrl).password, new URL(server.adminUrl).password)), // prettier-ignore
    onFallback: (reason) => fallbacks.push(reason),
  });
  const sql = 'SELECT inet_server_port()';
  const first = await read(database, sql);
  assert.deepEqual([first.rows, first.notices], [[[replicaServer.port]], []]);
  await replicaServer.stop();
  for (let call = 0; call < 2; call++) {
    const { rows, notices } = await read(database, sql);
    assert.deepEqual(rows, [[server.port]]);
    assert.match(notices.join(), /replica cannot be reached; this was read from the primary/);
  }
  assert.equal(fallbacks.length, 1, 'it is not asked again at every call');
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 60_000);
  await read(database, sql);
  assert.equal(fallbacks.length, 2, 'it is asked again after a while');
});

test('a mistake in a statement is no reason to ask the primary', async (t) => {
  const fallbacks: string[] = [];
  const database = createReplicatedDatabase({
    primary: openDatabase(t, server.adminUrl),
    replica: openDatabase(t, server.adminUrl),
    onFallback: (reason) => fallbacks.push(reason),
  });
  await assert.rejects(read(database, 'SELECT 1/0'), hasCode('QUERY_FAILED', /division/));
  assert.deepEqual(fallbacks, []);
});

test('[63] [64] a pool takes no more connections than the database has room for: calls wait instead of failing', async (t) => {
  await admin.query("CREATE ROLE few LOGIN PASSWORD 'hunter2' CONNECTION LIMIT 2");
  t.after(() => admin.query('DROP ROLE few'));
  const database = openDatabase(t, `postgresql://few:hunter2@127.0.0.1:${server.port}/postgres`, { poolSize: 8 });
  const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => read(database, `SELECT ${n}, pg_sleep(0.01)`))); // prettier-ignore
  answers.forEach(({ rows }, n) => assert.equal(rows[0]?.[0], n));
  await database.close();
});

test('[63] a database without any free slot is waited for a while, then it is told', async (t) => {
  await admin.query("CREATE ROLE one LOGIN PASSWORD 'hunter2' CONNECTION LIMIT 1");
  t.after(() => admin.query('DROP ROLE one'));
  const url = `postgresql://one:hunter2@127.0.0.1:${server.port}/postgres`;
  const holder = new Client({ connectionString: url });
  await holder.connect();
  // Time for more than one question of the database, on a busy machine too.
  const impatient = openDatabase(t, url, { timeoutMs: 4_000 });
  const patient = openDatabase(t, url, { timeoutMs: 60_000 });
  const waiting = read(patient, 'SELECT 1');
  await assert.rejects(read(impatient, 'SELECT 1'), hasCode('BUSY', /no free connection slots \(53300\)/));
  // Its last attempt may be under way, and would take the slot and keep it.
  await impatient.close();
  await holder.end();
  assert.deepEqual((await waiting).rows, [[1]]);
  await patient.close();
});

test('[63] after a restart of the server no call fails', async (t) => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'postgres-mcp-test-'));
  t.after(() => rm(dataDirectory, { recursive: true, force: true }));
  const port = await freePort();
  const first = await startPostgres({ port, dataDirectory });
  const lost: string[] = [];
  const database = openDatabase(t, first.adminUrl, { poolSize: 3, onConnectionLost: (reason) => lost.push(reason) });
  const burst = () => Promise.all(Array.from({ length: 6 }, () => read(database, 'SELECT 1, pg_sleep(0.05)')));
  await burst();
  await first.stop();
  const second = await startPostgres({ port, dataDirectory });
  t.after(() => second.stop());
  for (let call = 0; call < 3; call++) assert.deepEqual((await read(database, 'SELECT 1')).rows, [[1]]);
  for (const { rows } of await burst()) assert.equal(rows[0]?.[0], 1);
});

/** ReadyForQuery, outside of a transaction. */
const READY = Buffer.from('5a0000000549', 'hex');

/** Passes bytes on between clients and the server until it is told to swallow them, or as soon as a session is ready. */
async function startProxy(t: TestContext, isSilentWhenReady = false): Promise<{ port: number; swallow(): void }> {
  const sockets = new Set<Socket>();
  const proxy = createServer((socket) => {
    const upstream = connect(server.port, '127.0.0.1');
    for (const one of [socket, upstream]) sockets.add(one.on('error', () => {}));
    socket.pipe(upstream).pipe(socket);
    upstream.on('data', (chunk: Buffer) => {
      if (isSilentWhenReady && chunk.includes(READY)) upstream.unpipe().resume();
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  return {
    port: (proxy.address() as AddressInfo).port,
    swallow() {
      for (const socket of sockets) socket.unpipe().resume();
    },
  };
}

test('idle connections that a firewall dropped without a word are replaced, and the call is answered', async (t) => {
  const proxy = await startProxy(t);
  const url = new URL(server.adminUrl);
  url.port = String(proxy.port);
  const database = openDatabase(t, url.href, { poolSize: 3 });
  await Promise.all(Array.from({ length: 3 }, () => read(database, 'SELECT pg_sleep(0.05)')));
  proxy.swallow();
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 60_000);
  const started = now();
  assert.deepEqual((await read(database, 'SELECT 1')).rows, [[1]]);
  assert.ok(now() - started < 4_000);
  const next = now();
  assert.deepEqual((await read(database, 'SELECT 1')).rows, [[1]]);
  assert.ok(now() - next < 1_000, 'the other dead ones were not tried');
});

test('a server that falls silent after the login is told as such, and its connection is dropped', async (t) => {
  const proxy = await startProxy(t, true);
  const url = new URL(server.adminUrl);
  url.port = String(proxy.port);
  const database = openDatabase(t, url.href);
  const started = performance.now();
  await assert.rejects(read(database, 'SELECT 1'), hasCode('UNAVAILABLE', /did not answer in time/));
  assert.ok(performance.now() - started < 4_000);
  assert.equal(database.poolState().used, 0);
});

test('[54] bytes that are no UTF-8 are shown escaped in a database without encoding', async (t) => {
  await admin.query("CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
  t.after(() => admin.query('DROP DATABASE bytes WITH (FORCE)'));
  const url = new URL(server.adminUrl);
  url.pathname = '/bytes';
  const setUp = new Client({ connectionString: url.href });
  await setUp.connect();
  await setUp.query(
    "CREATE TABLE word AS SELECT convert_from('\\x636166e9'::bytea, 'SQL_ASCII') AS latin, 'café😀'::text AS utf8, 7 AS n",
  );
  await setUp.end();
  const database = openDatabase(t, url.href);
  const { rows, notices } = await read(database, 'SELECT latin, utf8, n, NULL, repeat(utf8, 100000) FROM word');
  const [latin, utf8, n, none] = rows[0] ?? [];
  assert.deepEqual([latin, utf8, n, none], ['caf\\xe9', 'café😀', 7, null]);
  assert.match(notices.join(), /no encoding \(SQL_ASCII\).*\\xNN/);
  assert.deepEqual((await read(database, 'SELECT utf8 FROM word')).notices, []);
  await database.close();
});

/** A pooler in transaction mode with one connection to the database, which all of its clients share. */
async function startPooler(t: TestContext): Promise<string> {
  const port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), 'postgres-mcp-pooler-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const { username, password } = new URL(server.adminUrl);
  await writeFile(
    join(directory, 'pgbouncer.ini'),
    `[databases]
postgres = host=127.0.0.1 port=${server.port} user=${username} password=${password} pool_size=1
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
pool_mode = transaction
auth_type = any
unix_socket_dir =
`,
  );
  // It refuses to run as root, as Postgres does.
  const { uid, gid } = statSync(
    String((await admin.query<{ data_directory: string }>('SHOW data_directory')).rows[0]?.data_directory),
  );
  chownSync(directory, uid, gid);
  await chmod(directory, 0o755);
  const config = join(directory, 'pgbouncer.ini');
  chownSync(config, uid, gid);
  const args = process.getuid?.() === 0 ? ['-u', 'postgres', config] : [config];
  await spawnProcess({ command: POOLER ?? '', args, ready: { line: /process up/ }, t });
  return `postgresql://${username}@127.0.0.1:${port}/postgres`;
}

const POOLER = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/usr/local/bin/pgbouncer'].find((path) => {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
});

test(
  'behind PgBouncer in transaction mode calls share a connection and leave nothing on it',
  { skip: POOLER === undefined && 'pgbouncer is not installed' },
  async (t) => {
    const url = await startPooler(t);
    const databases = [openDatabase(t, url), openDatabase(t, url, { poolSize: 3 })];
    const calls = Array.from({ length: 40 }, async (_, n) => {
      const { rows } = await read(
        databases[n % 2] ?? assert.fail(),
        `SELECT ${n}, '1 day'::interval, pg_advisory_lock(${n})`,
      );
      assert.deepEqual(rows[0]?.slice(0, 2), [n, '1 day']);
    });
    await Promise.all(calls);
    const other = new Client({ connectionString: url });
    await other.connect();
    await other.query('PREPARE of_another AS SELECT 1');
    await read(databases[0] ?? assert.fail(), 'SELECT 1');
    assert.equal((await other.query('EXECUTE of_another')).rowCount, 1, 'what other clients prepared is left alone');
    await other.query('DEALLOCATE of_another');
    await other.end();
    const state = `SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), current_setting('transaction_read_only'), (SELECT count(*) FROM pg_prepared_statements), current_setting('statement_timeout')`;
    const direct = new Client({ connectionString: url });
    await direct.connect();
    assert.deepEqual((await direct.query({ text: state, rowMode: 'array' })).rows, [['0', 'off', '0', '0']]);
    await direct.end();
    await assert.rejects(read(databases[0] ?? assert.fail(), 'CREATE TABLE pwn ()'), hasCode('READ_ONLY', /25006/));
    const controller = new AbortController();
    const failed = assert.rejects(
      read(databases[0] ?? assert.fail(), 'SELECT pg_sleep(60)', { signal: controller.signal }),
    );
    await waitFor(async () => (await admin.query("SELECT FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(60)'")).rowCount === 1, { what: 'the start' }); // prettier-ignore
    controller.abort();
    await failed;
    assert.deepEqual((await read(databases[1] ?? assert.fail(), 'SELECT 1')).rows, [[1]]);
  },
);
