import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ToolError } from '@database-mcp/errors';
import { judgeContinuation, readCursor, toCursor } from './continuation.ts';

const STATEMENT = { sql: 'SELECT $1', params: [1, 'x', [2n ** 60n], null] };

test('a token tells how many rows were given, and only for its own statement', () => {
  const cursor = toCursor(STATEMENT, 250);
  assert.match(cursor, /^[\w-]{20,60}$/);
  assert.equal(readCursor(cursor, structuredClone(STATEMENT)), 250);
});

const REFUSED = [
  { cursor: toCursor(STATEMENT, 5), statement: { ...STATEMENT, sql: 'SELECT $1 ' }, says: /another statement/, why: 'other text' },
  { cursor: toCursor(STATEMENT, 5), statement: { ...STATEMENT, params: ['1'] }, says: /other params/, why: 'other values' },
  { cursor: toCursor({ sql: 'a', params: ['1'] }, 5), statement: { sql: 'a', params: [1] }, says: /other params/, why: 'text is no number' },
  { cursor: toCursor({ sql: 'a', params: [1n] }, 5), statement: { sql: 'a', params: ['1'] }, says: /other params/, why: 'a big integer is no text' },
  { cursor: '', statement: STATEMENT, says: /not a value that this tool gave/, why: 'empty' },
  { cursor: 'MQ', statement: STATEMENT, says: /not a value that this tool gave/, why: 'a part of one' },
  { cursor: '100', statement: STATEMENT, says: /not a value that this tool gave/, why: 'a number' },
  { cursor: '😀', statement: STATEMENT, says: /not a value that this tool gave/, why: 'no token at all' },
  { cursor: encode('2.5.abc'), statement: STATEMENT, says: /not a value that this tool gave/, why: 'of another version' },
  { cursor: encode('1.0.abc'), statement: STATEMENT, says: /not a value that this tool gave/, why: 'after no row' },
  { cursor: encode('1.-5.abc'), statement: STATEMENT, says: /not a value that this tool gave/, why: 'backwards' },
  { cursor: encode(`1.${'9'.repeat(30)}.abc`), statement: STATEMENT, says: /not a value that this tool gave/, why: 'too far' },
  { cursor: encode('1.5; DROP TABLE t.abc'), statement: STATEMENT, says: /not a value that this tool gave/, why: 'SQL' },
]; // prettier-ignore

function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}

for (const { cursor, statement, says, why } of REFUSED) {
  test(`refused as a cursor: ${JSON.stringify(cursor)} (${why})`, () => {
    assert.throws(
      () => readCursor(cursor, statement),
      (error) => error instanceof ToolError && error.code === 'INVALID_ARGUMENT' && says.test(error.message),
    );
  });
}

const JUDGED = [
  { sql: 'SELECT 1', isPossible: true, isOrdered: false, why: 'no order' },
  { sql: 'SELECT a FROM t ORDER BY a', isPossible: true, isOrdered: true, why: 'an order' },
  { sql: 'SELECT 1 UNION SELECT 2 ORDER BY 1', isPossible: true, isOrdered: true, why: 'the order of all' },
  { sql: 'SELECT * FROM (SELECT a FROM t ORDER BY a) s', isPossible: true, isOrdered: false, why: 'only inside' },
  { sql: 'WITH s AS (SELECT a FROM t ORDER BY a) TABLE s', isPossible: true, isOrdered: false, why: 'only inside' },
  {
    sql: 'SELECT array_agg(a ORDER BY a) FROM t GROUP BY b',
    isPossible: true,
    isOrdered: false,
    why: 'of an aggregate',
  },
  { sql: 'VALUES (1), (2)', isPossible: true, isOrdered: true, why: 'as written' },
  { sql: 'EXPLAIN SELECT 1', isPossible: false, isOrdered: false, why: 'no cursor can be declared for it' },
  { sql: 'SHOW ALL', isPossible: false, isOrdered: false, why: 'no cursor can be declared for it' },
];

for (const { sql, isPossible, isOrdered, why } of JUDGED) {
  test(`continuation of ${sql}: ${why}`, async () =>
    assert.deepEqual(await judgeContinuation(sql), { isPossible, isOrdered }));
}
