/** Arrays and objects as parameters, against a real Postgres: what becomes of them is decided by the type in the statement. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { ToolError } from '@database-mcp/errors';
import type { Cell, SourceCell } from '@database-mcp/mcp-kit';
import { waitFor } from '@database-mcp/testing';
import { Client } from 'pg';
import { createDatabase, type Database } from './database.ts';
import { targetOf } from './test-target.ts';

let server: EmbeddedPostgres;
let admin: Client;
let database: Database;

before(async () => {
  server = await startPostgres();
  admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
  await admin.query(`
    CREATE TYPE mood AS ENUM ('sad', 'o,k');
    CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN ids AS int[];
    CREATE DOMAIN document AS jsonb;
    CREATE TABLE item (id int, code varchar(3), body jsonb);
    INSERT INTO item VALUES (1, 'AUT', '[1, 2]'), (2, 'LIE', '{"a": 1}'), (3, 'CHE', '[]')`);
  database = createDatabase({
    target: targetOf(server.adminUrl),
    poolSize: 1,
    timeoutMs: 10_000,
    applicationName: 'int-test',
  });
});

after(async () => {
  await database.close();
  await admin.end();
  await server.stop();
});

async function read(sql: string, params: unknown[], signal = new AbortController().signal) {
  const rows: SourceCell[][] = [];
  const answer = await database.read({ sql, params }, { maxRows: 100, push: (row) => rows.push(row) > 0 }, signal);
  return { ...answer, rows };
}

const NASTY = [
  '',
  'NULL',
  'null',
  'a"b',
  "it's",
  'a,b',
  '{x}',
  'back\\slash',
  '\\"',
  ' space ',
  '\n\t',
  'täb😀',
  '\\N',
];

const WORKING: { sql: string; params: unknown[]; rows: Cell[][]; why: string }[] = [
  {
    sql: 'SELECT id FROM item WHERE code = ANY($1) ORDER BY id',
    params: [['AUT', 'LIE']],
    rows: [[1], [2]],
    why: 'a list of texts',
  },
  {
    sql: 'SELECT id FROM item WHERE id = ANY($1) ORDER BY id',
    params: [[1, 3, null]],
    rows: [[1], [3]],
    why: 'a list of integers',
  },
  { sql: 'SELECT id FROM item WHERE id <> ALL($1)', params: [[]], rows: [[1], [2], [3]], why: 'an empty list' },
  {
    sql: 'SELECT $1::int[], $2::int[]',
    params: [[1, null, -3], '{4,5}'],
    rows: [
      [
        [1, null, -3],
        [4, 5],
      ],
    ],
    why: 'nulls inside; a string is passed as it is',
  },
  {
    sql: 'SELECT $1::int[]',
    params: [
      [
        [1, 2],
        [3, null],
      ],
    ],
    rows: [
      [
        [
          [1, 2],
          [3, null],
        ],
      ],
    ],
    why: 'two dimensions',
  },
  { sql: 'SELECT $1::text[]', params: [NASTY], rows: [[NASTY]], why: 'texts that an array literal gives a meaning' },
  { sql: 'SELECT $1::text[]', params: [[null, 'NULL']], rows: [[[null, 'NULL']]], why: 'NULL and the word' },
  { sql: 'SELECT $1::int8[]', params: [[9007199254740993n, 1n]], rows: [[['9007199254740993', 1]]], why: 'bigint' },
  {
    sql: 'SELECT $1::numeric[]',
    params: [[1.5, '1.50', 1e21]],
    rows: [[['1.5', '1.50', '1000000000000000000000']]],
    why: 'decimals',
  },
  { sql: 'SELECT $1::float8[]', params: [[1.5, 1e300, 'NaN']], rows: [[[1.5, 1e300, 'NaN']]], why: 'doubles' },
  { sql: 'SELECT $1::bool[]', params: [[true, false, null]], rows: [[[true, false, null]]], why: 'booleans' },
  { sql: 'SELECT $1::date[]', params: [['2024-02-29']], rows: [[['2024-02-29']]], why: 'dates' },
  {
    sql: 'SELECT $1::mood[]',
    params: [['o,k', 'sad']],
    rows: [['{"o,k",sad}']],
    why: 'an enum of the user, looked up',
  },
  {
    sql: 'SELECT $1::pair[]',
    params: [['(1,"x,y")']],
    rows: [['{"(1,\\"x,y\\")"}']],
    why: 'rows, each as Postgres writes it',
  },
  { sql: 'SELECT $1::ids', params: [[1, 2]], rows: [[[1, 2]]], why: 'a domain over an array' },
  {
    sql: 'SELECT $1::box[]',
    params: [['(1,1),(0,0)', '(3,3),(2,2)']],
    rows: [[['(1,1),(0,0)', '(3,3),(2,2)']]],
    why: 'an array with another delimiter',
  },
  {
    sql: 'SELECT $1::inet[]',
    params: [['10.0.0.1']],
    rows: [[['10.0.0.1']]],
    why: 'a type of Postgres that is looked up',
  },
  { sql: 'SELECT $1::jsonb, $2::int[]', params: [[], []], rows: [[[], []]], why: 'empty for jsonb and for an array' },
  {
    sql: 'SELECT jsonb_typeof($1), $1::text',
    params: [['a', '1']],
    rows: [['array', '["a", "1"]']],
    why: 'texts for jsonb are a JSON array',
  },
  { sql: 'SELECT $1::json::text', params: [[1, { a: 'x' }]], rows: [['[1,{"a":"x"}]']], why: 'json' },
  { sql: 'SELECT $1::document', params: [[1]], rows: [[[1]]], why: 'a domain over jsonb' },
  { sql: 'SELECT id FROM item WHERE body @> $1 ORDER BY id', params: [[1]], rows: [[1]], why: 'jsonb by its operator' },
  { sql: 'SELECT id FROM item WHERE body @> $1', params: [{ a: 1 }], rows: [[2]], why: 'an object for jsonb' },
  {
    sql: 'SELECT $1::jsonb[]',
    params: [[{ a: 1 }, [1, 2], 'x', null]],
    rows: [[[{ a: 1 }, [1, 2], 'x', null]]],
    why: 'each element a document',
  },
  { sql: 'SELECT $1', params: [['a', 1]], rows: [['["a",1]']], why: 'no type at all is text, so JSON' },
  {
    sql: 'SELECT $1::text || $2::varchar',
    params: [{ a: 1 }, [1]],
    rows: [['{"a":1}[1]']],
    why: 'text and varchar get JSON',
  },
  {
    sql: 'SELECT id, $2::text FROM item WHERE id = ANY($3) AND code = $1',
    params: ['AUT', 'x', [1, 2]],
    rows: [[1, 'x']],
    why: 'single values beside a list',
  },
];

for (const { sql, params, rows, why } of WORKING) {
  test(`an array or object works in ${sql}: ${why}`, async () =>
    assert.deepEqual((await read(sql, params)).rows, rows));
}

const FAILING: { sql: string; params: unknown[]; says: RegExp; why: string }[] = [
  {
    sql: 'SELECT * FROM item WHERE id = $1',
    params: [[1, 2]],
    says: /^INVALID_ARGUMENT \$1 has the type integer in sql, but is a JSON array\. .*= ANY\(\$1\)/,
    why: 'a list for one integer',
  },
  {
    sql: 'SELECT $1::text, $2::date',
    params: ['x', { a: 1 }],
    says: /^INVALID_ARGUMENT \$2 has the type date .*JSON object/,
    why: 'an object for a date',
  },
  {
    sql: 'SELECT $1::pair',
    params: [{ a: 1 }],
    says: /^INVALID_ARGUMENT \$1 has the type pair .*string/,
    why: 'an object for a row',
  },
  {
    sql: 'SELECT $1::int[]',
    params: [{ a: 1 }],
    says: /^INVALID_ARGUMENT \$1 has the type integer\[\] /,
    why: 'an object for an array',
  },
  {
    sql: 'SELECT $1::int[]',
    params: [[{ a: 1 }]],
    says: /^INVALID_ARGUMENT \$1 has the type integer\[\] in sql, but holds/,
    why: 'objects for integers',
  },
  {
    sql: 'SELECT $1::int2vector',
    params: [[1, 2]],
    says: /^INVALID_ARGUMENT \$1 has the type int2vector /,
    why: 'no array, whatever its category says',
  },
  {
    sql: 'SELECT $1::int[]',
    params: [[[1], [2, 3]]],
    says: /^QUERY_FAILED .*same length/,
    why: 'arrays of different lengths',
  },
  { sql: 'SELECT $1::int[]', params: [['x']], says: /^QUERY_FAILED .*"x"/, why: 'an element that is no integer' },
  { sql: 'SELECT $1::int[]', params: ['1,2'], says: /^QUERY_FAILED .*JSON array/, why: 'text that is no array' },
  {
    sql: 'SELECT nosuch FROM item WHERE id = ANY($1)',
    params: [[1]],
    says: /^NOT_FOUND .*"nosuch".* @line 1, column 8$/,
    why: 'a mistake in the statement has its place',
  },
  {
    sql: 'SELECT 1; SELECT $1::int[]',
    params: [[1]],
    says: /^SYNTAX_ERROR .*multiple commands/,
    why: 'several statements',
  },
];

for (const { sql, params, says, why } of FAILING) {
  test(`an array or object fails clearly in ${sql}: ${why}`, async () => {
    await assert.rejects(read(sql, params), (error) => {
      assert.ok(error instanceof ToolError, String(error));
      assert.match(`${error.code} ${error.message} ${error.hint} @${error.where}`, says);
      return true;
    });
    assert.deepEqual((await read('SELECT $1::int[]', [[1]])).rows, [[[1]]], 'the connection is usable');
  });
}

test('a list of a hundred thousand numbers arrives', async () => {
  const list = Array.from({ length: 100_000 }, (_, n) => n);
  const { rows } = await read('SELECT count(*), sum(n) FROM unnest($1::int[]) AS n', [list]);
  assert.deepEqual(rows, [[100_000, 4_999_950_000]]);
});

test('what Postgres says as it reads the statement is passed on once', async () => {
  const { notices } = await read(`SELECT $1::int[] AS ${'x'.repeat(70)}`, [[1]]);
  assert.equal(notices.length, 1, notices.join());
});

test('a call that is cancelled while its parameters are described ends on the server', async () => {
  const controller = new AbortController();
  await admin.query('BEGIN; LOCK TABLE item');
  const failed = assert.rejects(read('SELECT id FROM item WHERE id = ANY($1)', [[1]], controller.signal));
  const waiting = async (): Promise<number> => {
    const { rows } = await admin.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
    );
    return rows[0]?.n ?? -1;
  };
  try {
    await waitFor(async () => (await waiting()) === 1, { what: 'the wait for the lock' });
    controller.abort();
    await failed;
    await waitFor(async () => (await waiting()) === 0, { what: 'the end' });
  } finally {
    await admin.query('ROLLBACK');
  }
  assert.deepEqual((await read('SELECT id FROM item WHERE id = ANY($1)', [[1]])).rows, [[1]]);
});

test('the database is asked for types once, and only when there is an array or object', async (t) => {
  const sent: string[] = [];
  const query = t.mock.method(Client.prototype, 'query');
  const own = createDatabase({
    target: targetOf(server.adminUrl),
    poolSize: 1,
    timeoutMs: 10_000,
    applicationName: 'int-test',
  });
  t.after(() => own.close());
  const count = async (params: unknown[]): Promise<number> => {
    query.mock.resetCalls();
    await own.read(
      { sql: 'SELECT $1::mood[]', params },
      { maxRows: 1, push: () => true },
      new AbortController().signal,
    );
    sent.push(String(query.mock.callCount()));
    return query.mock.callCount();
  };
  await count(['{sad}']);
  const plain = await count(['{sad}']);
  const first = await count([['sad']]);
  const second = await count([['sad']]);
  // A description is put into the driver's queue twice; the first time two types are looked up besides.
  assert.deepEqual([first - plain, second - plain], [4, 2], sent.join());
});
