/** The database module against a real Postgres, past the access policy: what the second line of defence does alone. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test, type TestContext } from 'node:test';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { LongText } from '@database-mcp/mcp-kit';
import { freePort, waitFor } from '@database-mcp/testing';
import { Client } from 'pg';
import type { DatabaseOptions } from './database.ts';
import { checkReadiness } from './readiness.ts';
import { hasCode, openDatabase, read } from './test-database.ts';

let server: EmbeddedPostgres;
let admin: Client;

before(async () => {
  server = await startPostgres();
  admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
  await admin.query('CREATE TABLE stock (id int PRIMARY KEY, name text); INSERT INTO stock VALUES (1, $$a$$)');
  await admin.query('CREATE SEQUENCE counter');
  await admin.query('CREATE FUNCTION run(sql text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE sql; END $$');
});

after(async () => {
  await admin.end();
  await server.stop();
});

/** The superuser: nothing but the transaction stands in the way of a write. */
const open = (
  t: TestContext,
  { url = server.adminUrl, ...options }: Partial<DatabaseOptions> & { url?: string } = {},
) => openDatabase(t, url, options);

const running = async (like: string): Promise<number> => {
  const { rows } = await admin.query<{ n: string }>(
    "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1 AND pid <> pg_backend_pid()",
    [like],
  );
  return Number(rows[0]?.n);
};

const WRITES = [
  { sql: "INSERT INTO stock VALUES (2, 'b')", why: 'a plain write' },
  { sql: 'WITH d AS (DELETE FROM stock RETURNING *) SELECT * FROM d', why: 'a write inside a query' },
  { sql: 'CREATE TABLE pwn (a int)', why: 'DDL' },
  { sql: 'CREATE TEMP TABLE pwn (a int)', why: 'DDL of the session' },
  { sql: 'SELECT * FROM stock FOR UPDATE', why: 'row locks' },
  { sql: "SELECT nextval('counter')", why: 'a sequence' },
  { sql: 'EXPLAIN ANALYZE DELETE FROM stock', why: 'runs it' },
  { sql: "DO $$ BEGIN INSERT INTO stock VALUES (3, 'c'); END $$", why: 'a code block' },
];

for (const { sql, why } of WRITES) {
  test(`Postgres itself refuses: ${sql} (${why})`, async (t) => {
    const database = open(t);
    await assert.rejects(read(database, sql), hasCode('READ_ONLY', /25006/));
    const { rows } = await admin.query("SELECT count(*)::int AS n, to_regclass('pwn') AS pwn FROM stock");
    assert.deepEqual(rows, [{ n: 1, pwn: null }]);
  });
}

test('several statements in one text are refused whatever hides them', async (t) => {
  const database = open(t);
  for (const sql of ['COMMIT; CREATE TABLE pwn()', "SELECT E'\\''; COMMIT; CREATE TABLE pwn(); SELECT 1 --'"]) {
    await assert.rejects(read(database, sql), hasCode('SYNTAX_ERROR', /multiple commands/));
  }
  assert.deepEqual((await admin.query("SELECT to_regclass('pwn') AS pwn")).rows, [{ pwn: null }]);
});

const SESSION_STATE = `
  SELECT current_setting('default_transaction_read_only'), current_setting('transaction_read_only'),
         current_setting('search_path'), current_setting('statement_timeout'), current_setting('datestyle'),
         current_user::text, session_user::text,
         (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM pg_prepared_statements),
         (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_class WHERE relpersistence = 't'),
         (SELECT count(*) FROM pg_cursors)`;

const SESSION_CHANGES = [
  { sql: "SELECT set_config('default_transaction_read_only', 'off', false)", why: '[18] a setting' },
  { sql: "SELECT set_config('search_path', 'evil', false)", why: '[19] a setting' },
  { sql: 'SET search_path = evil', why: '[19] a setting' },
  { sql: 'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE', why: 'a setting' },
  { sql: 'SELECT pg_advisory_lock(1)', why: '[17] a lock of the session' },
  { sql: 'SELECT pg_advisory_lock(1), 1/0', why: '[17] a lock of the session, and an error' },
  { sql: 'SET ROLE mcp_reader', why: 'another role' },
  { sql: 'SET SESSION AUTHORIZATION mcp_reader', why: 'another user' },
  { sql: 'SET TRANSACTION READ WRITE', why: 'the transaction itself' },
  { sql: 'COMMIT', why: 'the end of the transaction' },
  { sql: 'ROLLBACK', why: 'the end of the transaction' },
  { sql: 'ROLLBACK AND CHAIN', why: 'another transaction' },
  { sql: 'SAVEPOINT a', why: 'a savepoint' },
  { sql: 'PREPARE p AS DELETE FROM stock', why: 'a prepared statement' },
  { sql: 'LISTEN news', why: 'a channel' },
  { sql: 'DECLARE c CURSOR WITH HOLD FOR SELECT 1', why: 'a cursor that outlives its transaction' },
  { sql: 'CREATE TEMP TABLE t (a int)', why: 'a temporary table' },
  { sql: "SELECT run('PREPARE p AS SELECT 1')", why: 'a prepared statement behind a function' },
  { sql: "SELECT run('LISTEN news')", why: 'a channel behind a function' },
  { sql: "SELECT run('SET search_path = evil')", why: 'a setting behind a function' },
  { sql: "SELECT run('SELECT pg_advisory_lock(2)')", why: 'a lock behind a function' },
  { sql: 'COPY (SELECT 1) TO STDOUT', why: '[14] another protocol' },
  { sql: 'COPY stock FROM STDIN', why: '[14] another protocol' },
  { sql: 'COPY stock TO STDOUT', why: '[14] another protocol' },
  { sql: 'SELECT 1/0', why: 'an error' },
  { sql: 'SELECT 10 / (500 - n) FROM generate_series(1, 1000) AS n', why: '[36] an error among the rows' },
  { sql: '', why: '[6] nothing' },
];

for (const { sql, why } of SESSION_CHANGES) {
  test(`nothing of it outlives the call: ${sql || 'empty text'} (${why})`, async (t) => {
    const database = open(t, { poolSize: 1 });
    const fresh = (await read(database, SESSION_STATE)).rows;
    await read(database, sql, { maxRows: 1_000 }).catch(() => {});
    assert.deepEqual((await read(database, SESSION_STATE)).rows, fresh);
    await assert.rejects(read(database, "INSERT INTO stock VALUES (2, 'b')"), hasCode('READ_ONLY'));
    assert.deepEqual((await admin.query('SELECT count(*)::int AS n FROM stock')).rows, [{ n: 1 }]);
  });
}

test('a cancelled statement ends on the server within 200 ms, and the next call works', async (t) => {
  const database = open(t, { poolSize: 1 });
  const controller = new AbortController();
  const call = read(database, 'SELECT pg_sleep(60), $$cancel me$$', { signal: controller.signal });
  const failed = assert.rejects(call);
  await waitFor(async () => (await running('SELECT pg_sleep(60), $$cancel me$$')) === 1, { what: 'the start' });
  const started = performance.now();
  controller.abort();
  await failed;
  await waitFor(async () => (await running('SELECT pg_sleep(60), $$cancel me$$')) === 0, {
    what: 'the end',
    pollMs: 5,
  });
  const tookMs = performance.now() - started;
  t.diagnostic(`ended after ${Math.round(tookMs)} ms`);
  assert.ok(tookMs < 200, `${tookMs} ms`);
  assert.deepEqual((await read(database, 'SELECT 1')).rows, [[1]]);
});

test('the database ends a statement at the time limit by itself', async (t) => {
  const database = open(t, { timeoutMs: 300 });
  await assert.rejects(read(database, 'SELECT pg_sleep(60), $$too long$$'), hasCode('TIMEOUT', /0\.3 s/));
  assert.equal(await running('SELECT pg_sleep(60), $$too long$$'), 0);
  assert.deepEqual((await read(database, 'SELECT 1')).rows, [[1]]);
});

test('a lock of another session is waited for only a while', async (t) => {
  const database = open(t, { timeoutMs: 400 });
  await admin.query('BEGIN; LOCK TABLE stock');
  t.after(() => admin.query('ROLLBACK'));
  await assert.rejects(read(database, 'SELECT * FROM stock'), hasCode('BUSY', /lock timeout/));
});

test('a call that finds no free connection fails as busy, and a call that is cancelled while it waits gives up', async (t) => {
  const database = open(t, { poolSize: 1, timeoutMs: 600 });
  const holder = new AbortController();
  const holding = read(database, 'SELECT pg_sleep(60), $$holder$$', { signal: holder.signal }).catch(() => {});
  await waitFor(async () => (await running('%$$holder$$')) === 1, { what: 'the holder' });
  await assert.rejects(read(database, 'SELECT 1', { signal: AbortSignal.timeout(50) }));
  assert.deepEqual(await checkReadiness(database), { ready: true }, 'a pool at work is no database that is down');
  const blocked = assert.rejects(read(database, 'SELECT 1'), hasCode('BUSY', /1 connections/));
  await Promise.race([blocked, holding]);
  holder.abort();
  await Promise.all([blocked, holding]);
  assert.deepEqual((await read(database, 'SELECT 1')).rows, [[1]]);
});

test('fifty calls at once share the pool without mixing answers', async (t) => {
  const database = open(t);
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) => read(database, `SELECT ${n}, pg_sleep(0.005)`)),
  );
  answers.forEach(({ rows }, n) => assert.equal(rows[0]?.[0], n));
});

test('an endless result is fetched only as far as it is wanted, in bounded memory', async (t) => {
  const database = open(t);
  const before = process.memoryUsage().rss;
  const endless =
    'WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n, repeat($$x$$, 10000) FROM r';
  const { rows } = await read(database, endless, { maxRows: 500 });
  assert.equal(rows.length, 500);
  assert.equal(rows.at(-1)?.[0], 500);
  assert.ok(process.memoryUsage().rss - before < 100 * 1024 * 1024);
});

test('[24] a cell beyond all memory arrives as its beginning with its size, and the process lives on', async (t) => {
  const database = open(t, { poolSize: 1 });
  const before = process.memoryUsage().rss;
  const { rows } = await read(database, 'SELECT 1, repeat($$x$$, 200000000), 3, NULL');
  const [one, cell, three, none] = rows[0] ?? [];
  assert.ok(cell instanceof LongText);
  assert.deepEqual([cell.head.length, cell.bytes, cell.isWhole], [1024 * 1024, 200_000_000, false]);
  assert.deepEqual([one, three, none], [1, 3, null]);
  const growth = process.memoryUsage().rss - before;
  t.diagnostic(`${Math.round(growth / 1024 / 1024)} MiB more`);
  assert.ok(growth < 100 * 1024 * 1024);
  assert.deepEqual((await read(database, 'SELECT 1')).rows, [[1]]);
});

test('column types have their SQL names, also those of users, and zero rows keep their columns', async (t) => {
  await admin.query("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN positive AS int CHECK (VALUE > 0)");
  await admin.query('CREATE TABLE typed (mood mood, moods mood[], positive positive)');
  const database = open(t);
  const sql = `SELECT 1::numeric(10,2) AS a, now() AS a, 'x'::varchar(7), typed.* FROM typed`;
  const { columns, rows } = await read(database, sql);
  assert.deepEqual(rows, []);
  assert.deepEqual(
    columns.map((column) => `${column.name}: ${column.type}`),
    ['a: numeric(10,2)', 'a: timestamp with time zone', 'varchar: character varying(7)', 'mood: mood', 'moods: mood[]', 'positive: integer'], // prettier-ignore
  );
  await admin.query('ALTER TYPE mood RENAME TO temper');
  assert.equal((await read(database, sql)).columns[3]?.type, 'temper', 'a renamed type is not remembered');
});

const VALUES = [
  { sql: "'2024-02-29'::date", cell: '2024-02-29', why: 'no zone shift' },
  { sql: "'2024-02-29 01:02:03.123456'::timestamp", cell: '2024-02-29 01:02:03.123456', why: 'microseconds' },
  { sql: "'12024-01-01 00:00+00'::timestamptz", cell: '12024-01-01 00:00:00+00', why: 'five-digit year, own offset' },
  { sql: "'0044-03-15 BC'::date", cell: '0044-03-15 BC', why: 'before Christ' },
  { sql: "'infinity'::timestamptz", cell: 'infinity', why: 'not null' },
  { sql: "'1 mon -3 days 04:05:06.789'::interval", cell: '1 mon -3 days +04:05:06.789', why: 'no object' },
  { sql: "'\\xdeadbeef'::bytea", cell: '\\xdeadbeef', why: 'hex' },
  { sql: "''::text", cell: '', why: 'empty is not NULL' },
  { sql: 'NULL::int', cell: null, why: 'NULL' },
  { sql: '9223372036854775807', cell: '9223372036854775807', why: 'int8 exact' },
  { sql: '12.50', cell: '12.50', why: 'numeric keeps its scale' },
  { sql: '0.1000::numeric(10,4)', cell: '0.1000', why: 'numeric keeps its scale' },
  { sql: '41284::numeric', cell: 41284, why: 'a numeric that is a plain integer' },
  { sql: '1e30::numeric', cell: '1000000000000000000000000000000', why: 'a long numeric' },
  { sql: "'NaN'::numeric", cell: 'NaN', why: 'a numeric that is no number' },
  { sql: '0.1::float8', cell: 0.1, why: 'a double is itself' },
  { sql: "'-0'::float8", cell: '-0', why: 'the sign of zero' },
  { sql: '0.1::float4', cell: '0.1', why: 'no double, and no 0.10000000149011612 either' },
  { sql: '1.5::float4', cell: 1.5, why: 'a float4 that is the same double' },
  { sql: "'{1.5,0.1}'::float4[]", cell: [1.5, '0.1'], why: 'each element by itself' },
  { sql: "'{7,7.0}'::numeric[]", cell: [7, '7.0'], why: 'each element by itself' },
  { sql: '\'{"a": 1.10}\'::jsonb', cell: '{"a": 1.10}', why: 'jsonb keeps scales, so do we' },
  { sql: '\'{"a": 1.5}\'::jsonb', cell: { a: 1.5 }, why: 'jsonb without loss' },
  { sql: '\'{"a": 9007199254740993}\'::jsonb', cell: '{"a": 9007199254740993}', why: 'jsonb exact' },
];

test('values arrive exactly, whatever the settings of the role', async (t) => {
  await admin.query(
    "ALTER DATABASE postgres SET datestyle = 'SQL, DMY'; ALTER DATABASE postgres SET intervalstyle = 'iso_8601'",
  );
  await admin.query(
    "ALTER DATABASE postgres SET bytea_output = 'escape'; ALTER DATABASE postgres SET extra_float_digits = 0",
  );
  t.after(() => admin.query('ALTER DATABASE postgres RESET ALL'));
  const database = open(t);
  const { rows } = await read(database, `SELECT ${VALUES.map(({ sql }) => sql).join(', ')}, 0.1::float8 + 0.2`);
  assert.deepEqual(rows, [[...VALUES.map(({ cell }) => cell), 0.30000000000000004]]);
});

function toHex(double: number): string {
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleBE(double);
  return `\\x${buffer.toString('hex')}`;
}

test('every double arrives as itself', async (t) => {
  const bits = Array.from({ length: 2_000 }, (_, n) => createHash('sha256').update(String(n)).digest().readDoubleBE());
  const powers = Array.from({ length: 2_098 }, (_, n) => 2 ** (n - 1_074));
  const doubles = [...powers, ...powers.map((power) => -power * 3), ...bits].filter((double) =>
    Number.isFinite(double),
  );
  const sql = `SELECT float8send(x)::text, x FROM unnest('{${doubles.join()}}'::float8[]) AS x`;
  const { rows } = await read(open(t), sql, { maxRows: doubles.length });
  assert.deepEqual(rows, doubles.map((double) => [toHex(double), double])); // prettier-ignore
});

test('an error after many rows fails the call', async (t) => {
  const sql = 'SELECT 10 / (500 - n) FROM generate_series(1, 1000) AS n';
  await assert.rejects(read(open(t), sql, { maxRows: 1_000 }), hasCode('QUERY_FAILED', /division by zero/));
});

test('what the database says along the way is passed on, but not without end', async (t) => {
  await admin.query(`CREATE FUNCTION chatty() RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN FOR i IN 1..100 LOOP RAISE NOTICE 'note %', i; END LOOP; RETURN 1; END $$`);
  const { notices } = await read(open(t), 'SELECT chatty()');
  assert.equal(notices.length, 5);
  assert.equal(notices[0], 'The database says: note 1');
});

test('a database that is down is told within 2.5 s, without address or password', async (t) => {
  const port = await freePort();
  const started = performance.now();
  const database = open(t, { url: `postgresql://u:hunter2@127.0.0.1:${port}/d` });
  await assert.rejects(read(database, 'SELECT 1'), hasCode('UNAVAILABLE', /Postgres database cannot be reached/));
  assert.ok(performance.now() - started < 2_500);
  assert.equal((await checkReadiness(database)).ready, false);
});

test('a wrong password and a wrong database name are told apart', async (t) => {
  const wrong = new URL(server.adminUrl);
  wrong.password = 'hunter2';
  await assert.rejects(read(open(t, { url: wrong.href }), 'SELECT 1'), hasCode('UNAVAILABLE', /refuses the user/));
  const other = new URL(server.adminUrl);
  other.pathname = '/nosuch';
  await assert.rejects(read(open(t, { url: other.href }), 'SELECT 1'), hasCode('UNAVAILABLE', /does not exist/));
});

test('connections that were ended while idle are replaced without an error', async (t) => {
  const lost: string[] = [];
  const database = open(t, { onConnectionLost: (reason) => lost.push(reason) });
  const [[pid] = []] = (await read(database, 'SELECT pg_backend_pid()')).rows;
  await admin.query('SELECT pg_terminate_backend($1)', [pid]);
  assert.deepEqual((await read(database, 'SELECT 1')).rows, [[1]]);
});

test('a connection that breaks during a statement fails that call only', async (t) => {
  const database = open(t);
  const call = read(database, 'SELECT pg_sleep(60), $$break me$$');
  const failed = assert.rejects(call, hasCode('UNAVAILABLE', /ended the connection/));
  await waitFor(async () => (await running('SELECT pg_sleep(60), $$break me$$')) === 1, { what: 'the start' });
  await admin.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60), $$break me$$'",
  );
  await failed;
  assert.deepEqual((await read(database, 'SELECT 1')).rows, [[1]]);
});
