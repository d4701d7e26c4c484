/** postgres_health against a real Postgres in which something is wrong. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { waitFor } from '@database-mcp/testing';
import { Client } from 'pg';
import { openTools, type OpenTools } from './test-tools.ts';

const PREPARE = [
  `CREATE TABLE customer (id int PRIMARY KEY); INSERT INTO customer SELECT generate_series(1, 10);
   CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customer, placed date, note text, other int REFERENCES customer);
   INSERT INTO orders SELECT n, n % 10 + 1, '2024-01-01', repeat('x', 50), n % 10 + 1 FROM generate_series(1, 120000) n;
   CREATE INDEX orders_placed ON orders (placed); CREATE INDEX orders_placed_again ON orders (placed);
   CREATE INDEX orders_placed_note ON orders (placed, note);
   CREATE INDEX orders_other_id ON orders (other, id);
   CREATE UNIQUE INDEX orders_unique ON orders (id);
   CREATE TABLE wasted (n int) WITH (autovacuum_enabled = false); INSERT INTO wasted SELECT generate_series(1, 30000);
   DELETE FROM wasted WHERE n > 5000;
   CREATE TABLE twice (n int); INSERT INTO twice VALUES (1), (1)`,
  // It fails and leaves an index that is not valid.
  'CREATE UNIQUE INDEX CONCURRENTLY twice_key ON twice (n)',
  'VACUUM (ANALYZE) orders',
  "SELECT pg_create_physical_replication_slot('forgotten', true)",
  'CREATE ROLE watcher LOGIN PASSWORD $$w$$; GRANT pg_monitor TO watcher',
];

let server: EmbeddedPostgres;
let admin: Client;
let low: OpenTools;
let watcher: OpenTools;
let superuser: OpenTools;
const opened: OpenTools[] = [];

before(async () => {
  server = await startPostgres({
    settings: { wal_level: 'replica', shared_preload_libraries: 'pg_stat_statements' },
  });
  admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
  for (const sql of PREPARE)
    await admin.query(sql).catch((error: unknown) => assert.match(String(error), /could not create unique index/));
  low = openTools(server.url);
  superuser = openTools(server.adminUrl);
  const url = new URL(server.url);
  url.username = 'watcher';
  url.password = 'w';
  watcher = openTools(url.href);
  opened.push(low, superuser, watcher);
});

after(async () => {
  for (const { database } of opened) await database.close();
  await admin.end();
  await server.stop();
});

/** The findings as lines. */
async function health(tools: OpenTools, ...checks: string[]): Promise<string[]> {
  const { rows } = await tools.call('health', checks.length > 0 ? { checks } : {});
  return rows.map((row) => row.filter((cell) => cell !== null).join(' | '));
}

test('all checks run for a role with few rights, and what it may not see is said with the grant that helps', async () => {
  const { rows, columns } = await low.call('health', {});
  assert.deepEqual(columns.map(({ name }) => name), ['check', 'severity', 'finding', 'evidence', 'fix']); // prettier-ignore
  const checks = [
    'role',
    'connections',
    'cache',
    'indexes',
    'vacuum',
    'locks',
    'replication',
    'statements',
    'index_advice',
  ];
  assert.deepEqual(new Set(rows.map(([check]) => check)), new Set(checks));
  const order = ['critical', 'warning', 'info', 'not run', 'ok'];
  const ranks = rows.map(([, severity]) => order.indexOf(String(severity)));
  assert.deepEqual(
    ranks,
    ranks.toSorted((a, b) => a - b),
  );
  assert.equal(
    rows.some(([, , finding]) => finding === 'The check failed.'),
    false,
    JSON.stringify(rows),
  );
  const notRun = rows.filter(([, severity]) => severity === 'not run');
  assert.deepEqual(
    notRun.map(([check, , , , fix]) => [check, fix]),
    [
      ['locks', 'GRANT pg_monitor TO mcp_reader;'],
      ['replication', 'GRANT pg_monitor TO mcp_reader;'],
      ['statements', "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'; -- keep what is there; restart, then: CREATE EXTENSION pg_stat_statements;"],
    ],
  ); // prettier-ignore
  assert.ok(
    rows.every(([, severity, , , fix]) => severity === 'ok' || fix !== null),
    'each finding has a way out',
  );
});

test('only the checks that are asked for are run', async () => {
  const lines = await health(low, 'connections', 'cache', 'connections');
  assert.deepEqual(lines.map((line) => line.split(' | ')[0]), ['connections', 'cache']); // prettier-ignore
  assert.match(lines[0] ?? '', /ok \| Connections are free\. \| \d+ of 47 are in use \(max_connections 50\)/);
  const { error } = low.tools.get('health')?.validate({ checks: ['disk'] }) ?? assert.fail();
  assert.deepEqual(error?.issues[0]?.path, ['checks', 0]);
});

test('the role of the server is judged: one that only reads is right, a superuser is critical', async () => {
  assert.match((await health(low, 'role'))[0] ?? '', /^role \| ok \| .* \| mcp_reader on PostgreSQL \d+/);
  assert.match((await health(superuser, 'role'))[0] ?? '', /^role \| critical \| .*superuser.*--print-role-sql/);
});

const INDEX_FINDINGS = [
  /^indexes \| warning \| The index twice_key is invalid.* \| on twice \| REINDEX INDEX CONCURRENTLY twice_key;$/,
  /^indexes \| warning \| The index orders_placed_again is the same as orders_placed\. \| \d+ kB on orders \| DROP INDEX CONCURRENTLY orders_placed_again;$/,
  /^indexes \| warning \| The index orders_unique is the same as orders_pkey\./,
  /^indexes \| info \| The index orders_placed is the beginning of orders_placed_note\./,
  /^indexes \| (info|warning) \| The index orders_other_id was never used\. \| \d+ (kB|MB) on orders, since .*; use on replicas is not counted \| DROP INDEX CONCURRENTLY orders_other_id;$/,
];

for (const expected of INDEX_FINDINGS) {
  test(`indexes: ${expected.source}`, async () =>
    assert.match((await health(low, 'indexes')).join('\n'), new RegExp(expected.source, 'm')));
}

test('an index that a constraint needs is never proposed for dropping', async () => {
  assert.equal(
    (await health(low, 'indexes')).some((line) =>
      /DROP INDEX CONCURRENTLY (orders_pkey|customer_pkey|orders_unique_)/.test(line),
    ),
    false,
  );
});

test('vacuum: dead rows, stale statistics and autovacuum that is off are told with the SQL that mends them', async () => {
  await waitFor(async () => (await health(low, 'vacuum')).some((line) => line.includes('full of dead rows')), {
    what: 'the statistics',
  });
  const lines = (await health(low, 'vacuum')).join('\n');
  assert.match(
    lines,
    /^vacuum \| warning \| The table wasted is full of dead rows\. \| 25000 dead beside 5000 live; last vacuumed never \| VACUUM \(ANALYZE\) wasted;$/m,
  );
  assert.match(
    lines,
    /^vacuum \| info \| The planner knows little of the table wasted\. \| \d+ rows changed .*\(never\), of 5000 \| ANALYZE wasted;$/m,
  );
  assert.match(
    lines,
    /^vacuum \| info \| Autovacuum is off for the table wasted\. \| ALTER TABLE wasted RESET \(autovacuum_enabled\);$/m,
  );
});

test('index advice: a foreign key of a large table without an index; one that a wider index serves is none', async () => {
  const lines = (await health(low, 'index_advice')).join('\n');
  assert.match(
    lines,
    /^index_advice \| warning \| The foreign key orders_customer_id_fkey of orders has no index\. \| each DELETE in customer reads all of about 120000 rows \| CREATE INDEX CONCURRENTLY ON orders \(customer_id\);$/m,
  );
  assert.equal(lines.includes('orders_other_fkey'), false);
});

test('index advice: a large table that is read from end to end again and again', async (t) => {
  await admin.query(
    'SET max_parallel_workers_per_gather = 0; DO $$ BEGIN FOR n IN 1..60 LOOP PERFORM count(*) FROM orders WHERE (id + 0) = n; END LOOP; END $$; RESET max_parallel_workers_per_gather; SELECT pg_stat_force_next_flush()',
  );
  t.after(() => admin.query('SELECT pg_stat_reset()'));
  await waitFor(
    async () =>
      (await health(low, 'index_advice')).some((line) =>
        /The table orders is often read from end to end\. \| \d+ times, \d+ rows each; by index \d+ times/.test(line),
      ),
    { what: 'the statistics' },
  );
});

test('replication: a slot that nobody uses keeps the log, and can be dropped', async () => {
  assert.match(
    (await health(low, 'replication')).join('\n'),
    /^replication \| warning \| The replication slot forgotten is not used and keeps the log\. \| .*kept, wal_status reserved \| SELECT pg_drop_replication_slot\('forgotten'\);$/m,
  );
});

test('locks: who holds up whom is told to every role, what it runs to those that may know', async (t) => {
  const [holder, waiter] = [
    new Client({ connectionString: server.adminUrl }),
    new Client({ connectionString: server.adminUrl }),
  ];
  await Promise.all([holder.connect(), waiter.connect()]);
  await holder.query("BEGIN; UPDATE customer SET id = id WHERE id = 1; SELECT 'mark'");
  const { rows } = await holder.query<{ pid: number }>(
    "SELECT pg_backend_pid() AS pid, 'it''s hunter2',\n $x$hunter2'$x$",
  );
  const pid = rows[0]?.pid ?? 0;
  const waiting = waiter.query('BEGIN; LOCK TABLE customer IN ACCESS EXCLUSIVE MODE; ROLLBACK');
  t.after(async () => {
    await holder.query('ROLLBACK');
    await waiting;
    await holder.end();
    await waiter.end();
  });
  const find = async (tools: OpenTools): Promise<string | undefined> =>
    (await health(tools, 'locks')).find((line) => line.includes('holds up'));
  await waitFor(async () => (await find(low)) !== undefined, { what: 'the lock' });
  assert.match(
    (await find(low)) ?? '',
    new RegExp(
      `^locks \\| warning \\| Session ${pid} holds up 1 other sessions\\. \\| waiting 00:00:\\d\\d for customer.* \\| SELECT pg_terminate_backend\\(${pid}\\);$`,
    ),
  );
  assert.equal((await find(low))?.includes('pg_backend_pid'), false);
  assert.match((await find(watcher)) ?? '', /idle in transaction: SELECT pg_backend_pid\(\) AS pid, …, … \|/);
});

test('62: without pg_stat_statements it is said how to install it; with it the slow statements are told to those that may see them', async (t) => {
  assert.match(
    (await health(watcher, 'statements'))[0] ?? '',
    /^statements \| not run \| .*not installed.*CREATE EXTENSION pg_stat_statements/,
  );
  await admin.query(
    'CREATE SCHEMA "Odd One"; CREATE EXTENSION pg_stat_statements SCHEMA "Odd One"; GRANT USAGE ON SCHEMA "Odd One" TO PUBLIC',
  );
  t.after(() => admin.query('DROP SCHEMA "Odd One" CASCADE'));
  await admin.query('SELECT "Odd One".pg_stat_statements_reset()');
  await admin.query("SELECT pg_sleep(1.2), 'slow'");
  assert.match(
    (await health(watcher, 'statements'))[0] ?? '',
    /^statements \| warning \| A statement takes \d+ % of the time of all\. \| 1 calls of 1\d\d\d\.\d ms, 1 rows: SELECT pg_sleep\(\$1\), \$2 \| Explain it/,
  );
  const seen = (await health(low, 'statements')).join('\n');
  assert.match(seen, /GRANT pg_monitor TO mcp_reader;/);
  assert.equal(seen.includes('pg_sleep'), false);
});

test('index advice: a statement that takes much time gets an index by its generic plan; it is not run, and what is refused or gone is passed over', async (t) => {
  await admin.query(
    'CREATE EXTENSION pg_stat_statements; CREATE TABLE gone (n int); SELECT pg_stat_statements_reset()',
  );
  t.after(() => admin.query('DROP EXTENSION pg_stat_statements'));
  await admin.query('SELECT pg_sleep(0.2), n FROM gone RIGHT JOIN (SELECT 1) one ON true; DROP TABLE gone');
  const before = await admin.query<{ n: string }>(
    "SELECT max(id) AS n FROM orders WHERE (id + 0) > 0 AND placed > '2000-01-01'",
  );
  assert.equal(Number(before.rows[0]?.n), 120_000);
  for (let n = 0; n < 30; n++) await admin.query("SELECT count(*) FROM orders WHERE customer_id = 77 AND note <> ''");
  const lines = await health(watcher, 'index_advice');
  assert.equal(
    lines.some((line) => line.includes('check failed')),
    false,
  );
  // The watcher may see the statement, but not read the table.
  assert.equal(
    lines.some((line) => line.includes('a statement that takes')),
    false,
  );
  await admin.query('GRANT SELECT ON orders TO watcher');
  const [advice] = (await health(watcher, 'index_advice')).filter((line) => line.includes('a statement that takes'));
  assert.match(
    advice ?? '',
    /^index_advice \| info \| An index may help a statement that takes much time\. \| (Parallel )?Seq Scan on orders; not tried: CREATE EXTENSION hypopg would allow it; 30 calls of [\d.]+ ms: SELECT count\(\*\) FROM orders WHERE customer_id = \$1 AND note <> \$2 \| CREATE INDEX CONCURRENTLY ON orders \(customer_id\);$/,
  );
});
