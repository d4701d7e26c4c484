import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeOffset, describePosition } from './sql-position.ts';

const LONG = `SELECT ${'a, '.repeat(100)}b FORM t`;

const PLACES: { sql: string; position: number; is: string | undefined; why: string }[] = [
  { sql: 'SELECT x', position: 8, is: 'line 1, column 8', why: 'a short line needs no quoting' },
  { sql: 'SELECT x\n', position: 8, is: 'line 1, column 8', why: 'a line feed at the end is no line' },
  { sql: 'SELECT x\n  FORM y', position: 12, is: 'line 2, column 3: FORM y', why: 'the offending line' },
  { sql: "SELECT 'é😀',\n  x FORM y", position: 17, is: 'line 2, column 4: x FORM y', why: 'characters, not bytes or UTF-16 units' },
  { sql: LONG, position: 310, is: `line 1, column 310: …${', a'.repeat(12)}, b FORM t`, why: 'a part of a long line' },
  { sql: `${LONG}\nx`, position: 1, is: 'line 1, column 1: SELECT a, a, a, a, a, a, a, a, a, a, a,…', why: 'the beginning of a long line' },
  { sql: 'a\nb', position: 4, is: 'line 2, column 2: b', why: 'the end' },
  { sql: 'a', position: 3, is: undefined, why: 'beyond the end' },
  { sql: 'a', position: 0, is: undefined, why: 'before the beginning' },
]; // prettier-ignore

for (const { sql, position, is, why } of PLACES) {
  test(`[34] character ${position} of ${JSON.stringify(sql.slice(0, 30))} is ${is} (${why})`, () =>
    assert.equal(describePosition(sql, position), is));
}

test('an offset in bytes is the same place', () =>
  assert.equal(
    describeOffset("SELECT 'é😀',\n  x FORM y", Buffer.byteLength("SELECT 'é😀',\n  x ")),
    'line 2, column 5: x FORM y',
  ));
