import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { toLoggedError } from './log-error.ts';

const SECRET = 'hunter2';

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was thrown');
}

const ERRORS: { error: unknown; why: string }[] = [
  { error: new Error(`password=${SECRET}`), why: 'a message' },
  { error: new Error('x', { cause: new Error('y', { cause: new Error(SECRET) }) }), why: 'a cause of a cause' },
  { error: new Error('x', { cause: SECRET }), why: 'a cause that is no error' },
  { error: new Error(`two\n    at ${SECRET} (file.ts:1:1)\nlines`), why: 'a message that looks like a stack' },
  { error: Object.assign(new Error('x'), { query: SECRET, detail: `(${SECRET})` }), why: 'fields of a driver' },
  { error: Object.assign(new Error('x'), { code: `no code but ${SECRET}` }), why: 'text in the place of a code' },
  { error: thrownBy(() => JSON.parse(`{"a": ${SECRET}}`)), why: 'the JSON parser repeats its text' },
  { error: thrownBy(() => new URL(SECRET)), why: 'so does the URL parser, in a field' },
  { error: thrownBy(() => BigInt(SECRET)), why: 'so does BigInt' },
  { error: SECRET, why: 'a string that was thrown' },
  { error: { toString: () => SECRET }, why: 'an object that was thrown' },
];

test('what is logged of an error never repeats what was given to it', () => {
  for (const { error, why } of ERRORS) assert.ok(!JSON.stringify(toLoggedError(error)).includes(SECRET), why);
});

test('class, code, place and causes of an error are logged', () => {
  const cause = Object.assign(new RangeError('inner'), { code: '22P02' });
  const logged = toLoggedError(new TypeError('outer', { cause }));
  assert.equal(logged.type, 'TypeError');
  assert.match(logged.stack ?? '', /^ {4}at .*log-error\.test\.ts/);
  assert.deepEqual([logged.cause?.type, logged.cause?.code], ['RangeError', '22P02']);
});

test('an error of the operating system keeps its message: it says what could not be opened or reached', () => {
  const { code, message } = toLoggedError(thrownBy(() => readFileSync('/missing/file')));
  assert.deepEqual([code, message], ['ENOENT', "ENOENT: no such file or directory, open '/missing/file'"]);
});

test('a circle of causes ends', () => {
  const error = new Error('x');
  error.cause = error;
  assert.ok(JSON.stringify(toLoggedError(error)).length < 20_000);
});
