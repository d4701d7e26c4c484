import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCancellableCalls, createSessionId, isSessionId } from './stateless-session.ts';

test('a session id is visible ASCII of bounded length', () => {
  const rows: [unknown, boolean, string][] = [
    [createSessionId(), true, 'our own'],
    ['!~', true, "another server's"],
    ['x'.repeat(128), true, 'the longest'],
    ['x'.repeat(129), false, 'too long'],
    ['', false, 'empty'],
    ['a b', false, 'a space, as between two headers'],
    ['a\tb', false, 'a control character'],
    ['é', false, 'not ASCII'],
    [['a', 'b'], false, 'two headers'],
    [undefined, false, 'no header'],
  ];
  for (const [text, expected, why] of rows) assert.equal(isSessionId(text), expected, why);
  assert.notEqual(createSessionId(), createSessionId());
});

test('a cancellation reaches the one call with that session and id, once', () => {
  const calls = createCancellableCalls();
  const cancelled: string[] = [];
  const rows = [
    ['s', '1'],
    ['s', '"1"'],
    ['t', '1'],
  ] as const;
  const forget = rows.map(([session, id]) => calls.add(session, id, () => cancelled.push(`${session} ${id}`)));
  calls.cancel('u', '1');
  calls.cancel('s', '2');
  assert.deepEqual(cancelled, []);
  calls.cancel('s', '1');
  calls.cancel('s', '1');
  assert.deepEqual(cancelled, ['s 1']);
  for (const each of forget) each();
  assert.equal(calls.size, 0);
  calls.cancel('t', '1');
  assert.deepEqual(cancelled, ['s 1']);
});

test('an id that is used twice at a time belongs to the later call, also when the earlier one ends', () => {
  const calls = createCancellableCalls();
  const cancelled: string[] = [];
  const forgetFirst = calls.add('s', '1', () => cancelled.push('first'));
  calls.add('s', '1', () => cancelled.push('second'));
  forgetFirst();
  calls.cancel('s', '1');
  assert.deepEqual(cancelled, ['second']);
});
