/** The tool that writes, against a real Postgres: what a rehearsal tells and leaves, and when a write is made. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test, type TestContext } from 'node:test';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { ToolError, toErrorText } from '@database-mcp/errors';
import type { Tool } from '@database-mcp/mcp-kit';
import { Client } from 'pg';
import { call, failureOf, openExecute, said, type OpenOptions } from './test-execute.ts';

const PREPARE = `
  DROP MATERIALIZED VIEW IF EXISTS resetting;
  DROP TABLE IF EXISTS line, orders, log, wide, checked CASCADE; DROP SEQUENCE IF EXISTS counter; DROP SCHEMA IF EXISTS fresh CASCADE;
  CREATE TABLE orders (id int PRIMARY KEY, name text, total numeric); INSERT INTO orders SELECT g, 'n' || g, g FROM generate_series(1, 30) g;
  CREATE TABLE line (id int, of int REFERENCES orders ON DELETE CASCADE); INSERT INTO line SELECT g, g % 3 + 1 FROM generate_series(1, 9) g;
  CREATE TABLE log (what text); CREATE SEQUENCE counter;
  CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (NEW.name); RETURN NEW; END $$;
  CREATE TRIGGER noted AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION note();
  CREATE TABLE checked (id int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO checked VALUES (1);
  CREATE MATERIALIZED VIEW resetting AS SELECT setval('counter', 9) WITH NO DATA;
  ANALYZE orders`;
const STATE = `SELECT (SELECT pg_catalog.string_agg(o::text, ',' ORDER BY id) FROM orders o), (SELECT count(*) FROM line), (SELECT count(*) FROM log),
  (SELECT count(*) FROM checked), (SELECT pg_catalog.string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace)`;

let server: EmbeddedPostgres;
let admin: Client;
let version: number;

before(async () => {
  server = await startPostgres();
  admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
  version = Number((await admin.query<{ v: string }>("SELECT current_setting('server_version_num') AS v")).rows[0]?.v);
});

beforeEach(async () => {
  await admin.query(PREPARE);
});

after(async () => {
  await admin.end();
  await server.stop();
});

const state = async (): Promise<unknown> => (await admin.query(STATE)).rows;

const open = (t: TestContext, options: Partial<OpenOptions> = {}): Tool =>
  openExecute(t, { url: server.adminUrl, ...options });

test('a rehearsal changes nothing and tells what would change; the same call with its confirm makes it', async (t) => {
  const tool = open(t);
  const args = { sql: 'UPDATE orders SET name = $1 WHERE id <= $2; -- some', params: ['x', 3] };
  const untouched = await state();
  const rehearsal = await call(tool, args);
  assert.deepEqual(await state(), untouched);
  const names = rehearsal.columns.map(({ name }) => name);
  if (version >= 180_000) {
    assert.deepEqual(names, ['id', 'name (before)', 'name', 'total']);
    assert.deepEqual(rehearsal.rows, [
      [1, 'n1', 'x', 1],
      [2, 'n2', 'x', 2],
      [3, 'n3', 'x', 3],
    ]);
  } else {
    assert.deepEqual(names, ['id', 'name', 'total']);
    assert.deepEqual(rehearsal.rows, [
      [1, 'x', 1],
      [2, 'x', 2],
      [3, 'x', 3],
    ]);
  }
  assert.match(
    said(rehearsal),
    /^Rehearsed and rolled back, nothing is changed yet\. 3 rows affected; it took [\d.]+ ms\./,
  );
  assert.match(said(rehearsal), /Rows by table, with cascades and triggers: .*public\.orders 3 updated/);
  assert.match(said(rehearsal), /public\.log 3 inserted/);
  assert.match(said(rehearsal), /Locks: .*public\.orders RowExclusiveLock/);
  const made = await call(tool, { ...args, confirm: rehearsal.confirm });
  assert.equal(made.confirm, undefined);
  assert.match(said(made), /^Done and committed\. 3 rows affected/);
  assert.deepEqual(made.rows, rehearsal.rows);
  assert.deepEqual((await admin.query("SELECT count(*)::int AS n FROM orders WHERE name = 'x'")).rows, [{ n: 3 }]);
  assert.match(await failureOf(tool, { ...args, confirm: rehearsal.confirm }), /used before\. Nothing was changed/);
});

test('a sample is short, cascades are counted, and a missing WHERE is told', async (t) => {
  const rehearsal = await call(open(t), { sql: 'DELETE FROM orders' });
  assert.equal(rehearsal.rowCount, 10);
  assert.match(
    said(rehearsal),
    /30 rows affected[^]*no WHERE[^]*public\.line 9 deleted; public\.orders 30 deleted[^]*first 10 of the rows/,
  );
});

test('rows that the statement returns itself are given as it asks', async (t) => {
  const { columns, rows } = await call(open(t), {
    sql: 'DELETE FROM orders WHERE id > $1 RETURNING id AS gone',
    params: [10],
  });
  assert.deepEqual([columns, rows.length, rows[0]], [[{ name: 'gone', type: 'integer' }], 20, [11]]);
});

test('of a million returned rows few are kept', async (t) => {
  const before = process.memoryUsage().rss;
  const { rowCount, notices } = await call(open(t), {
    sql: "INSERT INTO log SELECT repeat('x', 100) FROM generate_series(1, 1000000)",
  });
  assert.equal(rowCount, 10);
  assert.match(notices?.join() ?? '', /1000000 rows affected/);
  assert.ok(process.memoryUsage().rss - before < 80 * 1024 * 1024);
});

const ACCEPTED: { sql: string; params?: unknown[]; says?: RegExp; why: string }[] = [
  { sql: "INSERT INTO orders VALUES (31, 'drop table orders', 1)", says: /1 row affected/, why: 'words are data' },
  {
    sql: 'INSERT INTO orders SELECT id + 100, name FROM orders ON CONFLICT DO NOTHING',
    says: /30 rows/,
    why: 'from a query',
  },
  { sql: "INSERT INTO orders (id) VALUES (nextval('counter') + 1000)", why: 'draws from a sequence' },
  {
    sql: 'WITH gone AS (DELETE FROM line RETURNING *) INSERT INTO log SELECT id::text FROM gone',
    says: /9 rows[^]*public\.line 9 deleted/,
    why: 'a write inside of WITH',
  },
  {
    sql: 'UPDATE orders SET total = total * $1 FROM line WHERE line.of = orders.id',
    params: ['1.5'],
    why: 'FROM, an exact number',
  },
  {
    sql: 'UPDATE orders SET name = NULL WHERE id = ANY($1)',
    params: [[1, 2]],
    says: /2 rows/,
    why: 'a list as a parameter',
  },
  { sql: 'DELETE FROM line USING orders WHERE orders.id = line.of', why: 'USING' },
  {
    sql: 'MERGE INTO orders USING (VALUES (1)) v (a) ON id = a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (a)',
    says: /1 row/,
    why: 'MERGE',
  },
  { sql: 'TRUNCATE log, line', says: /Estimated rows before[^]*public\.line AccessExclusiveLock/, why: 'TRUNCATE' },
  {
    sql: 'CREATE TABLE fresh (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, of int REFERENCES orders, at timestamptz DEFAULT now())',
    says: /public\.orders ShareRowExclusiveLock/,
    why: 'a table',
  },
  { sql: 'CREATE TABLE copy AS SELECT * FROM orders', why: 'of a query' },
  {
    sql: 'ALTER TABLE orders ADD COLUMN extra int NOT NULL DEFAULT 0, DROP COLUMN total',
    says: /public\.orders AccessExclusiveLock/,
    why: 'ALTER',
  },
  { sql: 'ALTER TABLE orders RENAME COLUMN name TO title', why: 'RENAME' },
  {
    sql: 'DROP TABLE orders CASCADE',
    says: /Estimated rows before: "orders" 30[^]*Locks: .*orders" AccessExclusiveLock/,
    why: 'DROP',
  },
  {
    sql: 'CREATE UNIQUE INDEX ON orders (lower(name)) WHERE id > 3',
    says: /public\.orders ShareLock/,
    why: 'an index',
  },
  { sql: 'CREATE OR REPLACE VIEW totals AS SELECT sum(total) FROM orders', why: 'a view' },
  { sql: 'CREATE MATERIALIZED VIEW kept AS SELECT 1 AS a', why: 'a materialized view' },
  { sql: "CREATE TYPE mood AS ENUM ('ok')", why: 'a type' },
  { sql: 'CREATE SCHEMA fresh', why: 'a schema' },
  { sql: 'INSERT INTO log DEFAULT VALUES', why: 'no columns' },
  {
    sql: "INSERT INTO orders VALUES (1, 'again') ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    says: /1 row/,
    why: 'an upsert',
  },
  {
    sql: "INSERT INTO log VALUES ('DROP TABLE x; COMMIT'), ($q$DELETE FROM y$q$) -- COPY",
    says: /2 rows/,
    why: 'words as data',
  },
  {
    sql: "INSERT INTO log SELECT format('%s', jsonb_build_object('a', id)) FROM orders LIMIT 3;",
    says: /3 rows/,
    why: 'functions',
  },
  {
    sql: 'INSERT INTO log SELECT gen_random_uuid()::text || clock_timestamp() || random()',
    why: 'volatile and harmless',
  },
  { sql: 'UPDATE orders SET (name, total) = (SELECT $$x$$, 2) WHERE id = 1', says: /1 row/, why: 'several columns' },
  {
    sql: 'UPDATE orders AS old SET total = old.total + 1 WHERE old.id = 1',
    says: /1 row/,
    why: 'an alias that is a word of RETURNING',
  },
  { sql: 'UPDATE ONLY orders SET total = DEFAULT WHERE id < 3', says: /2 rows/, why: 'ONLY and DEFAULT' },
  { sql: 'DELETE FROM orders WHERE id IN (SELECT of FROM line) /* all of them */', says: /3 rows/, why: 'a subquery' },
  {
    sql: 'WITH few AS (SELECT id FROM orders LIMIT 2) DELETE FROM orders USING few WHERE few.id = orders.id',
    says: /2 rows/,
    why: 'a reading WITH',
  },
  { sql: 'UPDATE orders SET name = name WHERE false', says: /0 rows affected/, why: 'nothing to do' },
  { sql: 'TRUNCATE TABLE log RESTART IDENTITY', why: 'with its sequences' },
  { sql: 'ALTER TABLE orders ADD CONSTRAINT positive CHECK (total >= 0) NOT VALID', why: 'a constraint' },
  { sql: 'ALTER TABLE orders ALTER COLUMN name SET NOT NULL', why: 'a column' },
  { sql: 'ALTER TABLE line RENAME TO fresh', why: 'another name' },
  { sql: 'CREATE TABLE IF NOT EXISTS fresh (LIKE orders INCLUDING ALL)', why: 'a copy of a structure' },
  { sql: 'CREATE TABLE fresh (id int) PARTITION BY RANGE (id)', why: 'a partitioned table' },
  { sql: 'CREATE UNLOGGED TABLE fresh (id int)', why: 'an unlogged table' },
  { sql: 'CREATE INDEX IF NOT EXISTS by_name ON orders USING hash (name)', why: 'another kind of index' },
  {
    sql: 'DROP TABLE IF EXISTS nowhere, log',
    says: /nowhere.*does not exist, skipping/,
    why: 'what is there and what is not',
  },
  { sql: 'CREATE SEQUENCE IF NOT EXISTS counter', why: 'a sequence' },
  { sql: 'ALTER SEQUENCE counter RESTART WITH 5', why: 'a sequence set anew' },
  { sql: "COMMENT ON COLUMN orders.name IS 'x'", why: 'a comment' },
  { sql: 'ANALYZE orders', why: 'statistics for the planner' },
];

for (const { sql, params = [], says = /./, why } of ACCEPTED) {
  test(`rehearsed and then made: ${sql} (${why})`, async (t) => {
    const tool = open(t);
    const untouched = await state();
    const rehearsal = await call(tool, { sql, params }).catch((error: unknown) =>
      assert.fail(error instanceof ToolError ? toErrorText(error) : String(error)),
    );
    assert.match(said(rehearsal), says);
    assert.deepEqual(await state(), untouched);
    assert.match(said(await call(tool, { sql, params, confirm: rehearsal.confirm })), /^Done and committed/);
    await admin.query(
      'DROP TABLE IF EXISTS fresh, copy CASCADE; DROP VIEW IF EXISTS totals; DROP MATERIALIZED VIEW IF EXISTS kept; DROP TYPE IF EXISTS mood',
    );
  });
}

const REFUSED: { sql: string; says: RegExp; why: string }[] = [
  { sql: 'DELETE FROM log; DELETE FROM line', says: /One statement only/, why: 'two statements' },
  { sql: 'COMMIT', says: /transaction control .* is not served/, why: 'would end the rehearsal' },
  { sql: 'SELECT 1', says: /query tool/, why: 'reads' },
  {
    sql: 'WITH d AS (DELETE FROM log RETURNING *) SELECT * FROM d',
    says: /as the last statement/,
    why: 'a query around a write',
  },
  { sql: 'SELECT * INTO fresh FROM orders', says: /query/, why: 'CREATE TABLE AS is the form' },
  { sql: "COPY log FROM '/etc/passwd'", says: /COPY is not served/, why: 'a file' },
  { sql: "COPY log TO PROGRAM 'id'", says: /COPY is not served/, why: 'a program' },
  { sql: 'DO $$ BEGIN DELETE FROM log; END $$', says: /DO is not served/, why: 'code' },
  { sql: 'CALL p()', says: /CALL is not served/, why: 'code' },
  { sql: "ALTER SYSTEM SET work_mem = '1GB'", says: /ALTER SYSTEM is not served/, why: 'the server' },
  { sql: 'ALTER ROLE postgres SUPERUSER', says: /ALTER ROLE is not served/, why: 'a role' },
  { sql: 'GRANT ALL ON orders TO PUBLIC', says: /GRANT is not served/, why: 'rights' },
  { sql: 'CREATE EXTENSION dblink', says: /CREATE EXTENSION is not served/, why: 'machine code' },
  { sql: 'CREATE ROLE x', says: /CREATE ROLE is not served/, why: 'a role' },
  { sql: 'CREATE LANGUAGE x', says: /is not served/, why: 'a language' },
  {
    sql: "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    says: /CREATE FUNCTION is not served/,
    why: 'code',
  },
  { sql: 'CREATE TRIGGER a AFTER INSERT ON log EXECUTE FUNCTION note()', says: /is not served/, why: 'code' },
  { sql: 'CREATE RULE r AS ON DELETE TO log DO NOTHING', says: /RULE is not served/, why: 'code' },
  {
    sql: 'CREATE SCHEMA x CREATE TRIGGER a AFTER INSERT ON log EXECUTE FUNCTION note()',
    says: /inside of another statement/,
    why: 'code in a schema',
  },
  { sql: 'ALTER TABLE orders OWNER TO mcp_reader', says: /Owners, triggers/, why: 'rights' },
  { sql: 'ALTER TABLE orders DISABLE TRIGGER ALL', says: /Owners, triggers/, why: 'switches code off' },
  { sql: 'ALTER TABLE orders ADD COLUMN a int, DISABLE ROW LEVEL SECURITY', says: /row security/, why: 'second part' },
  { sql: 'DROP ROLE x', says: /DROP ROLE is not served/, why: 'a role' },
  { sql: 'DROP FUNCTION note CASCADE', says: /of this kind \(FUNCTION\)/, why: 'code' },
  { sql: 'DROP DATABASE postgres', says: /is not served/, why: 'a database' },
  { sql: 'SET ROLE mcp_reader', says: /SET or RESET is not served/, why: 'the session' },
  { sql: 'LOCK TABLE orders', says: /LOCK is not served/, why: 'stops others' },
  { sql: 'VACUUM orders', says: /VACUUM cannot run inside of a transaction/, why: 'no transaction' },
  {
    sql: 'CREATE INDEX CONCURRENTLY ON orders (name)',
    says: /CONCURRENTLY cannot run[^]*by hand/,
    why: 'no transaction',
  },
  { sql: 'DROP INDEX CONCURRENTLY orders_pkey', says: /CONCURRENTLY/, why: 'no transaction' },
  { sql: 'CREATE TEMP TABLE x (a int)', says: /temporary table/, why: 'would be gone' },
  { sql: "INSERT INTO log VALUES (pg_read_file('PG_VERSION'))", says: /reads files/, why: 'a file, in a write' },
  {
    sql: "ALTER TABLE log ADD COLUMN a text DEFAULT pg_read_file('PG_VERSION')",
    says: /reads files/,
    why: 'in a default',
  },
  { sql: "CREATE VIEW peek AS SELECT pg_read_file('PG_VERSION')", says: /reads files/, why: 'in a view' },
  { sql: "UPDATE orders SET id = setval('counter', 9)", says: /changes a sequence/, why: 'not undone by a rollback' },
  {
    sql: 'REFRESH MATERIALIZED VIEW resetting',
    says: /materialized view resetting calls setval, which changes a sequence/,
    why: 'the same behind a materialized view',
  },
  { sql: "DELETE FROM log WHERE what = repeat('x', 1000000000)", says: /out of constants/, why: 'a memory bomb' },
  { sql: 'DELETE FROM log WHERE what\u200b IS NULL', says: /invisible character/, why: 'looks like another name' },
  { sql: 'INSERT INTO checked VALUES (1)', says: /unique constraint/, why: 'a check at the end of the transaction' },
  { sql: 'UPDATE ordres SET id = 1', says: /NOT_FOUND[^]*orders/, why: 'misspelt' },
  { sql: 'INSERT INTO log VALUES ($1)', says: /sql uses \$1, but params has 0/, why: 'no value' },
];

for (const { sql, says, why } of REFUSED) {
  test(`not rehearsed: ${JSON.stringify(sql)} (${why})`, async (t) => {
    const untouched = await state();
    assert.match(await failureOf(open(t), { sql }), says);
    assert.deepEqual(await state(), untouched);
  });
}

test('the write is rolled back when other rows are affected than in the rehearsal', async (t) => {
  const tool = open(t);
  const sql = 'DELETE FROM orders WHERE id > 25';
  const { confirm } = await call(tool, { sql });
  await admin.query('INSERT INTO orders VALUES (31)');
  const untouched = await state();
  assert.match(
    await failureOf(tool, { sql, confirm }),
    /affects 6 rows now, and 5 in the rehearsal: it was rolled back/,
  );
  assert.deepEqual(await state(), untouched);
});

test('two calls with one confirm at the same time make the write once', async (t) => {
  const tool = open(t);
  const sql = "INSERT INTO log VALUES ('once')";
  const { confirm } = await call(tool, { sql });
  const outcomes = await Promise.allSettled([call(tool, { sql, confirm }), call(tool, { sql, confirm })]);
  assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  assert.deepEqual((await admin.query('SELECT count(*)::int AS n FROM log')).rows, [{ n: 1 }]);
});

test('a confirm is for the role and the key that it was made with', async (t) => {
  await admin.query(
    "DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN PASSWORD 'secret'; GRANT INSERT ON log TO clerk",
  );
  const url = new URL(server.adminUrl);
  Object.assign(url, { username: 'clerk', password: 'secret' });
  const key = 'k'.repeat(32);
  const sql = "INSERT INTO log VALUES ('a')";
  const { confirm } = await call(open(t, { key }), { sql });
  assert.match(await failureOf(open(t, { key, url: url.href }), { sql, confirm }), /does not belong to this sql/);
  assert.match(await failureOf(open(t), { sql, confirm }), /another server process made it/);
  assert.match(said(await call(open(t, { key }), { sql, confirm })), /committed/);
});

test('a role that may write and not read rehearses without a sample', async (t) => {
  await admin.query(
    "DROP ROLE IF EXISTS scribe; CREATE ROLE scribe LOGIN PASSWORD 'secret'; GRANT INSERT ON log TO scribe",
  );
  const url = new URL(server.adminUrl);
  Object.assign(url, { username: 'scribe', password: 'secret' });
  const tool = open(t, { url: url.href });
  const sql = "INSERT INTO log VALUES ('a'), ('b')";
  const rehearsal = await call(tool, { sql });
  assert.deepEqual([rehearsal.columns, rehearsal.rows], [[], []]);
  assert.match(said(rehearsal), /2 rows affected/);
  assert.match(said(await call(tool, { sql, confirm: rehearsal.confirm })), /committed/);
  assert.match(await failureOf(tool, { sql: 'DELETE FROM orders' }), /PERMISSION_DENIED/);
});

test('sequences that a rehearsal advanced stay so, which it says', async (t) => {
  const rehearsal = await call(open(t), { sql: "INSERT INTO log VALUES (nextval('counter'))" });
  assert.match(said(rehearsal), /Sequences that the rehearsal advanced stay so/);
  assert.deepEqual((await admin.query('SELECT last_value FROM counter')).rows, [{ last_value: '1' }]);
  assert.deepEqual((await admin.query('SELECT count(*)::int AS n FROM log')).rows, [{ n: 0 }]);
});
