/** The tools against a real Postgres with the sample data. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { loadSampleData, startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { Client } from 'pg';
import type { Database } from './database.ts';
import { openTools, type OpenTools } from './test-tools.ts';

const LIMITS = { maxRows: 200, maxBytes: 20_000, maxCellBytes: 1_000 };
let server: EmbeddedPostgres;
let database: Database;
let tools: OpenTools['tools'];
let call: OpenTools['call'];
let failureOf: OpenTools['failureOf'];

before(async () => {
  server = await startPostgres();
  await loadSampleData({ postgresAdminUrl: server.adminUrl });
  const admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
  await admin.query('CREATE TABLE hidden (a int); REVOKE SELECT ON hidden FROM mcp_reader');
  await admin.end();
  ({ database, tools, call, failureOf } = openTools(server.url, LIMITS));
});

after(async () => {
  await database.close();
  await server.stop();
});

test('a query answers with columns, types and rows; parameters are bound', async () => {
  const sql = 'SELECT name, area_km2, landlocked FROM country WHERE cca3 = $1 AND area_km2 > $2';
  assert.deepEqual(await call('query', { sql, params: ['CHE', 1000] }), {
    columns: [
      { name: 'name', type: 'text' },
      { name: 'area_km2', type: 'numeric' },
      { name: 'landlocked', type: 'boolean' },
    ],
    rows: [['Switzerland', 41284, true]],
    rowCount: 1,
    truncated: false,
  });
});

test('a list as a JSON array works with ANY', async () => {
  const sql = 'SELECT name FROM country WHERE cca3 = ANY($1) ORDER BY name';
  const { rows } = await call('query', { sql, params: [['LIE', 'AUT']] });
  assert.deepEqual(rows, [['Austria'], ['Liechtenstein']]);
});

test('truncated is true only when there is more, and then it is said how to get it', async () => {
  const all = await call('query', { sql: 'SELECT cca3 FROM country LIMIT 3', limit: 3 });
  assert.deepEqual([all.rowCount, all.truncated, all.notices], [3, false, undefined]);
  const some = await call('query', { sql: 'SELECT cca3 FROM country LIMIT 3', limit: 2 });
  assert.deepEqual([some.rowCount, some.truncated], [2, true]);
  assert.match(some.notices?.join(' ') ?? '', /pass next as cursor.*or raise limit/);
  const byDefault = await call('query', { sql: 'SELECT cca3 FROM country' });
  assert.deepEqual([byDefault.rowCount, byDefault.truncated], [100, true]);
});

test('bytes and cells are bounded, and the first row always comes', async () => {
  const wide = await call('query', { sql: 'SELECT repeat($$x$$, 5000) FROM generate_series(1, 1000)', limit: 200 });
  assert.equal(wide.truncated, true);
  assert.ok(JSON.stringify(wide).length < 25_000);
  assert.match(wide.notices?.join(' ') ?? '', /bytes limit.*cut/);
  const many = Array.from({ length: 30 }, () => 'repeat($$x$$, 5000)').join();
  assert.equal((await call('query', { sql: `SELECT ${many}` })).rowCount, 1);
});

test('a very large result costs no memory', async () => {
  const before = process.memoryUsage().rss;
  const result = await call('query', {
    sql: 'SELECT n, repeat($$x$$, 1000) FROM (SELECT generate_series(1, 10000000) AS n) s',
  });
  assert.equal(result.truncated, true);
  assert.ok(process.memoryUsage().rss - before < 80 * 1024 * 1024);
});

const FAILURES = [
  { args: { sql: 'SELECT * FROM contry' }, says: /NOT_FOUND.*\nWhere: line 1, column 15\nNext: Did you mean country\?/, why: 'misspelt' }, // prettier-ignore
  { args: { sql: 'SELECT * FROM odd_shema.weird' }, says: /NOT_FOUND/, why: 'nothing similar' },
  { args: { sql: 'SELECT nam FROM country' }, says: /NOT_FOUND.*\nWhere: line 1, column 8\nNext: .*"country.name"/, why: 'misspelt column' }, // prettier-ignore
  { args: { sql: 'SELECT\n nam, FROM country' }, says: /SYNTAX_ERROR.*"FROM"[^]*line 2, column 7/, why: 'syntax' },
  { args: { sql: 'SELECT nosuch(1)' }, says: /NOT_FOUND.*nosuch\(integer\)/, why: 'unknown function' },
  { args: { sql: 'SELECT * FROM hidden' }, says: /PERMISSION_DENIED.*hidden[^]*operator/, why: 'no right' },
  { args: { sql: 'DELETE FROM country' }, says: /READ_ONLY.*DELETE/, why: 'a write' },
  { args: { sql: 'SELECT $1' }, says: /INVALID_ARGUMENT: sql uses \$1, but params has 0 values/, why: 'too few' },
  { args: { sql: 'SELECT $1, $2', params: [1, 2, 3] }, says: /uses \$1 to \$2, but params has 3/, why: 'too many' },
  { args: { sql: 'SELECT 1', params: [1] }, says: /uses no parameters/, why: 'none expected' },
  { args: { sql: 'SELECT $1::int', params: ['abc'] }, says: /QUERY_FAILED.*"abc"/, why: 'wrong type' },
  { args: { sql: 'SELECT * FROM country WHERE area_km2 = $1', params: [[1, 2]] }, says: /INVALID_ARGUMENT: \$1 has the type numeric[^]*ANY\(\$1\)/, why: 'a JSON array for one value' }, // prettier-ignore
];

for (const { args, says, why } of FAILURES) {
  test(`query fails clearly: ${JSON.stringify(args)} (${why})`, async () =>
    assert.match(await failureOf('query', args), says));
}

test('arguments that are wrong are refused by name', () => {
  const validate = tools.get('query')?.validate ?? assert.fail();
  for (const limit of [0, -1, 1e9, '10', 1.5, Number.NaN]) {
    const { error } = validate({ sql: 'SELECT 1', limit });
    assert.deepEqual(error?.issues[0]?.path, ['limit'], String(limit));
  }
  for (const args of [{}, { sql: ['SELECT 1'] }, { sql: 'SELECT 1', limt: 1 }])
    assert.equal(validate(args).success, false);
});

/** What an answer of 100 rows and 6 columns costs above CSV. JSON puts two quotes around each text, which short texts feel. */
const SHAPES: [shape: string, sql: string, maxPercent: number][] = [
  [
    'numbers',
    'SELECT ccn3::int, area_km2, latitude::float8, longitude::float8, landlocked, un_member FROM country LIMIT 100',
    15,
  ],
  [
    'readings',
    'SELECT n, n % 7 AS sensor, (20 + n % 13 / 10.0)::float8 AS celsius, 1013 + n % 5 AS pressure, n * 3 AS light, 1704067200 + n * 60 AS at FROM generate_series(1, 100) n',
    15,
  ],
  [
    'log lines',
    "SELECT n, 'info' AS level, 'api' AS service, 200 AS status, n % 9 AS worker, 'GET /v1/customers/' || n || '/orders took ' || n || ' ms and returned 25 of 310 rows from the cache' AS message FROM generate_series(1, 100) n",
    15,
  ],
  [
    'orders',
    "SELECT n AS id, 'customer ' || n AS customer, (n * 1.25)::numeric(10, 2) AS amount, timestamptz '2026-01-01 00:00Z' + n * interval '1 hour' AS ordered_at, n % 3 = 0 AS is_paid, 'a note on order ' || n AS note FROM generate_series(1, 100) n",
    20,
  ],
  ['long names', 'SELECT cca3, name, official_name, region, subregion, status FROM country LIMIT 100', 22],
  ['short texts', 'SELECT cca3, name, region, subregion, area_km2, landlocked FROM country LIMIT 100', 27],
  ['decimals', 'SELECT cca3, area_km2, latitude, longitude, landlocked, un_member FROM country LIMIT 100', 27],
];

const toCsvCell = (cell: unknown): string => {
  const text = cell === null ? '' : String(cell);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

for (const [shape, sql, maxPercent] of SHAPES) {
  test(`100 rows of 6 columns cost at most ${maxPercent} % more than CSV (${shape})`, async () => {
    const answer = await call('query', { sql, limit: 100 });
    assert.deepEqual([answer.rowCount, answer.columns.length], [100, 6]);
    const lines = [answer.columns.map(({ name }) => name), ...answer.rows].map((row) => row.map(toCsvCell).join());
    const percent = 100 * (Buffer.byteLength(JSON.stringify(answer)) / Buffer.byteLength(lines.join('\n')) - 1);
    assert.ok(percent > 0 && percent <= maxPercent, `${percent.toFixed(1)} %`);
  });
}
