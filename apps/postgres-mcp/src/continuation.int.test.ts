/** Pages of an answer against a real Postgres: nothing is held between them, and what was given is passed over there. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { ToolError, toErrorText } from '@database-mcp/errors';
import type { Cell, TableResult, Tool } from '@database-mcp/mcp-kit';
import { waitFor } from '@database-mcp/testing';
import { Client } from 'pg';
import { MessageGuard } from './connection/message-guard.ts';
import { toCursor } from './continuation.ts';
import { createDatabase, type Database } from './database.ts';
import { targetOf } from './test-target.ts';
import { createTools } from './tools/index.ts';

const LIMITS = { maxRows: 300, maxBytes: 10_000, maxCellBytes: 1_000 };

let server: EmbeddedPostgres;
let admin: Client;
let database: Database;
let query: Tool;

before(async () => {
  server = await startPostgres();
  admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
  await admin.query(`
    CREATE TABLE item (id int PRIMARY KEY, body text);
    INSERT INTO item SELECT n, repeat(n::text || ' ', 10) FROM generate_series(1, 1000) AS n; ANALYZE item`);
  const connection = { target: targetOf(server.adminUrl) };
  database = createDatabase({ ...connection, poolSize: 1, timeoutMs: 10_000, applicationName: 'int-test' });
  query = createTools(database, LIMITS).find((tool) => tool.name === 'query') ?? assert.fail();
});

after(async () => {
  await database.close();
  await admin.end();
  await server.stop();
});

async function call(args: object): Promise<TableResult> {
  const parsed = query.validate(args);
  assert.ok(parsed.success, JSON.stringify(parsed.error?.issues));
  return await query.run(parsed.data, { signal: new AbortController().signal });
}

async function allPages(args: object): Promise<{ rows: Cell[][]; sizes: number[]; last: TableResult }> {
  const rows: Cell[][] = [];
  const sizes: number[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await call({ ...args, ...(cursor === undefined ? {} : { cursor }) });
    rows.push(...page.rows);
    sizes.push(page.rowCount);
    cursor = page.next;
    if (cursor === undefined) return { rows, sizes, last: page };
  }
}

const STATEMENTS = [
  { sql: 'SELECT id FROM item ORDER BY id', why: 'by an index' },
  { sql: 'SELECT id FROM item ORDER BY id;', why: 'a semicolon at the end' },
  { sql: 'SELECT id FROM item ORDER BY id -- the end', why: 'a comment at the end' },
  { sql: '/* first */ WITH s AS (SELECT id FROM item) SELECT id FROM s ORDER BY 1', why: 'a comment and a CTE before' },
  { sql: '(SELECT id FROM item WHERE id <= 500) UNION ALL (SELECT id FROM item WHERE id > 500) ORDER BY id', why: 'parentheses first' }, // prettier-ignore
  { sql: 'SELECT n AS id FROM generate_series(1, 1000) AS n ORDER BY n', why: 'a function' },
];

for (const { sql, why } of STATEMENTS) {
  test(`every row comes once over all pages: ${sql} (${why})`, async () => {
    const { rows, sizes, last } = await allPages({ sql, limit: 300 });
    assert.deepEqual(rows.map(([id]) => id), Array.from({ length: 1000 }, (_, index) => index + 1)); // prettier-ignore
    assert.deepEqual(sizes, [300, 300, 300, 100]);
    assert.equal(last.truncated, false);
  });
}

test('pages also continue after the bytes limit, with params, and the limit may change between them', async () => {
  const sql = 'SELECT body FROM item WHERE id = ANY($1) AND id > $2 ORDER BY id';
  const params = [Array.from({ length: 600 }, (_, index) => index + 1), 100];
  const { rows, sizes } = await allPages({ sql, params, limit: 300 });
  assert.equal(rows.length, 500);
  assert.deepEqual([rows[0], rows[499]], [['101 '.repeat(10)], ['600 '.repeat(10)]]);
  assert.ok(sizes.length > 2, sizes.join());
  const first = await call({ sql, params, limit: 2 });
  const second = await call({ sql, params, limit: 3, cursor: first.next });
  assert.deepEqual(second.rows.map(([body]) => String(body).slice(0, 3)), ['103', '104', '105']); // prettier-ignore
  assert.deepEqual(second.columns, first.columns);
});

test('an answer that ends exactly at the limit has no next, and nothing comes after the last row', async () => {
  const sql = 'SELECT id FROM item WHERE id <= 3 ORDER BY id';
  const whole = await call({ sql, limit: 3 });
  assert.deepEqual([whole.truncated, whole.next], [false, undefined]);
  const beyond = await call({ sql, limit: 3, cursor: toCursor({ sql, params: [] }, 3) });
  assert.deepEqual([beyond.rows, beyond.truncated, beyond.columns], [[], false, [{ name: 'id', type: 'integer' }]]);
});

test('it is said when the order is not guaranteed, and only then', async () => {
  const unordered = await call({ sql: 'SELECT id FROM item', limit: 5 });
  assert.match(unordered.notices?.join(' ') ?? '', /Without ORDER BY the order may change/);
  const ordered = await call({ sql: 'SELECT id FROM item ORDER BY id', limit: 5 });
  assert.equal(/ORDER BY/.test(ordered.notices?.join(' ') ?? ''), false);
  const plan = await call({ sql: 'SHOW ALL', limit: 5 });
  assert.deepEqual([plan.truncated, plan.next], [true, undefined]);
  assert.match(plan.notices?.join(' ') ?? '', /To get more: raise limit\./);
});

test('rows that were given are passed over by Postgres and are not sent again', async (t) => {
  const push = t.mock.method(MessageGuard.prototype, 'push');
  const bytes = (): number => push.mock.calls.reduce((sum, { arguments: [chunk] }) => sum + chunk.length, 0);
  const sql = 'SELECT id, repeat(body, 100) FROM item ORDER BY id';
  const { rows } = await call({ sql, limit: 5, cursor: toCursor({ sql, params: [] }, 990) });
  assert.deepEqual(rows.map(([id]) => id), [991, 992, 993, 994, 995]); // prettier-ignore
  assert.ok(bytes() < 50_000, `${bytes()} bytes`);
});

test('an answer that would take too much from the database ends early, with its columns and a way on', async () => {
  await admin.query("CREATE TYPE mood AS ENUM ('ok')");
  const sql = "SELECT n, repeat('x', 7500000), 'ok'::mood AS mood FROM generate_series(1, 40) AS n ORDER BY n";
  const first = await call({ sql });
  assert.deepEqual(first.columns.map(({ type }) => type), ['integer', 'text', 'mood']); // prettier-ignore
  assert.ok(first.rowCount > 5 && first.rowCount < 15, String(first.rowCount));
  assert.equal(first.truncated, true);
  assert.match(first.notices?.join(' ') ?? '', /Reading stopped after 64 MiB from the database; there is more/);
  const second = await call({ sql, limit: 1, cursor: first.next });
  assert.deepEqual(second.rows[0]?.[0], first.rowCount + 1);
});

test('between the pages no transaction and no cursor is left open', async () => {
  await call({ sql: 'SELECT id FROM item ORDER BY id', limit: 5, cursor: toCursor({ sql: 'SELECT id FROM item ORDER BY id', params: [] }, 5) }); // prettier-ignore
  const busy = "SELECT state FROM pg_stat_activity WHERE application_name = 'int-test' AND state <> 'idle'";
  await waitFor(async () => (await admin.query(busy)).rowCount === 0, { what: 'rest' });
  assert.deepEqual((await call({ sql: 'SELECT name FROM pg_cursors WHERE name <> $1', params: [''] })).rows, []);
});

const FAILURES = [
  { sql: 'SELECT id FROM item', cursor: 'nonsense', says: /INVALID_ARGUMENT: cursor is not[^]*Pass next/, why: 'no token' },
  { sql: 'SELECT id FROM item', cursor: toCursor({ sql: 'SELECT 1', params: [] }, 5), says: /INVALID_ARGUMENT: cursor belongs to another statement/, why: 'of another statement' },
  { sql: 'SELECT id FROM item\nWHERE nosuch = 1', cursor: toCursor({ sql: 'SELECT id FROM item\nWHERE nosuch = 1', params: [] }, 5), says: /NOT_FOUND.*\nWhere: line 2, column 7/, why: 'the place is that of the statement as it was written' },
  { sql: 'SELECT 10 / (500 - id) FROM item ORDER BY id', cursor: toCursor({ sql: 'SELECT 10 / (500 - id) FROM item ORDER BY id', params: [] }, 450), says: /QUERY_FAILED: division by zero/, why: 'an error among the rows of the page' },
  { sql: 'DELETE FROM item', cursor: toCursor({ sql: 'DELETE FROM item', params: [] }, 5), says: /READ_ONLY/, why: 'a token allows nothing' },
]; // prettier-ignore

for (const { sql, cursor, says, why } of FAILURES) {
  test(`a page fails clearly: ${JSON.stringify(sql)} (${why})`, async () => {
    const error = await call({ sql, cursor, limit: 100 }).then(() => undefined, (reason: unknown) => reason); // prettier-ignore
    assert.ok(error instanceof ToolError, String(error));
    assert.match(toErrorText(error), says);
  });
}
