/** postgres_explain against a real Postgres. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { Client } from 'pg';
import { openTools, type OpenTools } from './test-tools.ts';

const PREPARE = `
  CREATE TABLE big AS SELECT n AS id, n % 1000 AS bucket, md5(n::text) AS text FROM generate_series(1, 100000) n;
  CREATE TABLE keyed AS SELECT n AS id FROM generate_series(1, 1000) n; ALTER TABLE keyed ADD PRIMARY KEY (id);
  CREATE TABLE grown (id int) WITH (autovacuum_enabled = false); INSERT INTO grown SELECT 1 FROM generate_series(1, 10); ANALYZE grown;
  INSERT INTO grown SELECT n FROM generate_series(1, 50000) n;
  CREATE TABLE parted (n int) PARTITION BY LIST (n);
  DO $$ BEGIN FOR n IN 1..300 LOOP EXECUTE format('CREATE TABLE parted_%s PARTITION OF parted FOR VALUES IN (%s)', n, n); END LOOP; END $$;
  CREATE FUNCTION touch() RETURNS int VOLATILE LANGUAGE sql AS 'DELETE FROM keyed; SELECT 1';
  ANALYZE big, keyed`;

let server: EmbeddedPostgres;
let admin: Client;
let at: OpenTools;

before(async () => {
  server = await startPostgres();
  admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
  await admin.query(PREPARE);
  at = openTools(server.url);
});

after(async () => {
  await at.database.close();
  await admin.end();
  await server.stop();
});

/** The facts as lines, and the plan. */
async function explain(args: object): Promise<{ facts: string[]; plan: string; notices: string }> {
  const { rows, notices = [] } = await at.call('explain', args);
  const lines = rows.map(([fact, value, where]) =>
    [fact, typeof value === 'string' ? value : JSON.stringify(value), where].filter(Boolean).join(' | '),
  );
  return { facts: lines.slice(0, -1), plan: lines.at(-1) ?? '', notices: notices.join(' ') };
}

test('a plan is shown with its cost, the costliest node and the scan that reads in vain; nothing is run', async () => {
  const { facts, plan, notices } = await explain({
    sql: 'SELECT text FROM big WHERE id = $1 ORDER BY text;',
    params: [5],
  });
  assert.match(facts[0] ?? '', /^total \| cost \d+, 1 rows expected$/);
  assert.match(facts[1] ?? '', /^costliest node \| cost \d+ by itself \(\d+ %\) \| Seq Scan on big$/);
  assert.match(
    facts[2] ?? '',
    /^sequential scan \| reads about 100000 rows and keeps 1: \(id = 5\) \| Seq Scan on big$/,
  );
  assert.match(plan, /"node":"Sort".*"node":"Seq Scan on big","cost":\d+,"rows":1,"filter":"\(id = 5\)"/);
  assert.match(notices, /estimates; analyze: true/);
});

test('an index that is used is no finding', async () => {
  const { facts, plan } = await explain({ sql: 'SELECT id FROM keyed WHERE id = 7' });
  assert.equal(facts.length, 1);
  assert.match(plan, /Index Only Scan using keyed_pkey on keyed","cost":[\d.]+,"rows":1,"condition":"\(id = 7\)"/);
});

test('analyze runs it and tells time, rows, blocks, the slowest node and what was dropped', async () => {
  const { facts, plan, notices } = await explain({ sql: 'SELECT count(*) FROM big WHERE bucket = 3', analyze: true });
  assert.match(
    facts[0] ?? '',
    /^total \| [\d.]+ ms, planning [\d.]+ ms; 1 rows; \d+ blocks from the cache, \d+ from disk$/,
  );
  assert.match(facts.join('\n'), /^slowest node \| [\d.]+ ms by itself \(\d+ %\).* \| /m);
  assert.match(
    facts.join('\n'),
    /^sequential scan \| reads 100000 rows and keeps 100: \(bucket = 3\) \| (Parallel )?Seq Scan on big$/m,
  );
  assert.match(plan, /"removed":99900/);
  assert.equal(notices.includes('estimates'), false);
});

test('analyze tells a misjudged number of rows, and what was written to disk', async () => {
  assert.match(
    (await explain({ sql: 'SELECT * FROM grown WHERE id > 1', analyze: true })).facts.join('\n'),
    /^worst row estimate \| \d+ rows estimated, 49999 came: \d+ times too low \| Seq Scan on grown$/m,
  );
  const spill = (await explain({ sql: 'SELECT * FROM big ORDER BY text', analyze: true })).facts.join('\n');
  assert.match(spill, /^spill to disk \| \d+ kB written to temporary files; work_mem is 4MB \| Sort$/m);
});

test('a large plan is cut and says so', async () => {
  const { plan, notices } = await explain({ sql: 'SELECT * FROM parted' });
  assert.ok(Buffer.byteLength(plan) < 4_100);
  assert.match(plan, /"leftOut":\d+/);
  assert.match(notices, /The plan has 301 nodes; the \d+ that matter most are shown/);
});

test('many comments before a statement cost no time', async () => {
  const started = performance.now();
  const { plan } = await explain({ sql: `${'/* a */ '.repeat(5_000)}SELECT 1` });
  assert.match(plan, /Result/);
  assert.ok(performance.now() - started < 5_000);
});

test('an index that would serve the filter is proposed, and it is said that it was not tried', async () => {
  const { facts, notices } = await explain({ sql: 'SELECT * FROM big WHERE bucket > 990 AND id = 7' });
  assert.equal(facts.at(-1), 'index that may help | CREATE INDEX CONCURRENTLY ON big (id, bucket); | Seq Scan on big');
  assert.match(notices, /not tried, which needs the extension HypoPG: CREATE EXTENSION hypopg/);
});

test('62: with HypoPG an index is proposed only when the planner would use it, and nothing of it is left behind', async (t) => {
  const { rows } = await admin.query("SELECT FROM pg_available_extensions WHERE name = 'hypopg'");
  if (rows.length === 0) return t.skip('this Postgres has no HypoPG');
  await admin.query('CREATE EXTENSION hypopg');
  t.after(() => admin.query('DROP EXTENSION hypopg'));
  const useful = { sql: 'SELECT * FROM big WHERE id = $1 AND bucket > 0', params: [7] };
  const { facts, notices } = await explain(useful);
  assert.match(
    facts.at(-1) ?? '',
    /^index that helps \| CREATE INDEX CONCURRENTLY ON big \(id, bucket\); cost \d{4} → [\d.]{1,5}, tried with HypoPG \| Seq Scan on big$/,
  );
  assert.equal(notices.includes('HypoPG'), false);
  assert.match((await explain(useful)).plan, /"node":"Seq Scan on big"/, 'the index is forgotten');
  // The filter keeps few rows, but its only column that an index serves keeps all.
  const useless = await explain({ sql: "SELECT * FROM big WHERE bucket >= 0 AND text LIKE '%xyz%'" });
  assert.equal(
    useless.facts.some((fact) => fact.startsWith('index')),
    false,
  );
});

const REFUSED = [
  { args: { sql: 'DELETE FROM keyed', analyze: true }, says: /^READ_ONLY/, why: 'a write would run' },
  { args: { sql: 'DELETE FROM keyed' }, says: /^READ_ONLY/, why: 'a write' },
  { args: { sql: 'WITH d AS (DELETE FROM keyed RETURNING *) SELECT * FROM d', analyze: true }, says: /^READ_ONLY/, why: 'a hidden write' }, // prettier-ignore
  { args: { sql: 'SELECT touch()', analyze: true }, says: /^READ_ONLY/, why: 'a function that writes' },
  { args: { sql: "SELECT pg_read_file('/etc/passwd')", analyze: true }, says: /^READ_ONLY/, why: 'files' },
  {
    args: { sql: 'SELECT 1; DELETE FROM keyed', analyze: true },
    says: /^READ_ONLY: One statement/,
    why: 'two statements',
  },
  { args: { sql: '/* x */ -- y\n EXPLAIN SELECT 1' }, says: /^INVALID_ARGUMENT: sql: it begins with EXPLAIN/, why: 'EXPLAIN is ours' }, // prettier-ignore
  { args: { sql: 'SELECT *\n FROM bigg' }, says: /^NOT_FOUND.*\nWhere: line 2, column 7: FROM bigg\nNext: Did you mean big\?/, why: 'misspelt' }, // prettier-ignore
  { args: { sql: 'SELECT id FROM keyed WHERE id = $1' }, says: /^INVALID_ARGUMENT: sql uses \$1, but params has 0/, why: 'no value' }, // prettier-ignore
  { args: { sql: 'SELECT\n FROM WHERE' }, says: /^SYNTAX_ERROR.*\nWhere: line 2/, why: 'syntax' },
  {
    args: { sql: 'SELECT 1/0 FROM keyed', analyze: true },
    says: /^QUERY_FAILED: division by zero/,
    why: 'fails as it runs',
  },
];

for (const { args, says, why } of REFUSED) {
  test(`explain fails clearly: ${JSON.stringify(args)} (${why})`, async () => {
    assert.match(await at.failureOf('explain', args), says);
    assert.equal((await admin.query('SELECT count(*)::int AS n FROM keyed')).rows[0]?.n, 1_000);
  });
}
