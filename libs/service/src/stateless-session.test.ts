import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSessionId, createStatelessSessions, isSessionId } from './stateless-session.ts';

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
  const sessions = createStatelessSessions();
  const cancelled: string[] = [];
  const rows = [
    ['s', '1'],
    ['s', '"1"'],
    ['t', '1'],
  ] as const;
  const forget = rows.map(([session, id]) => sessions.add(session, id, () => cancelled.push(`${session} ${id}`)));
  sessions.cancel('u', '1');
  sessions.cancel('s', '2');
  assert.deepEqual(cancelled, []);
  sessions.cancel('s', '1');
  sessions.cancel('s', '1');
  assert.deepEqual(cancelled, ['s 1']);
  for (const each of forget) each();
  assert.equal(sessions.size, 0);
  sessions.cancel('t', '1');
  assert.deepEqual(cancelled, ['s 1']);
});

test('an id that is used twice at a time belongs to the later call, also when the earlier one ends', () => {
  const sessions = createStatelessSessions();
  const cancelled: string[] = [];
  const forgetFirst = sessions.add('s', '1', () => cancelled.push('first'));
  sessions.add('s', '1', () => cancelled.push('second'));
  forgetFirst();
  sessions.cancel('s', '1');
  assert.deepEqual(cancelled, ['second']);
});

test('a session that ends takes its own calls in progress with it, and is known as ended', () => {
  const sessions = createStatelessSessions();
  const cancelled: string[] = [];
  const rows = [
    ['s', '1'],
    ['st', '1'],
    ['s', '"2"'],
    ['t', 's 1'],
  ] as const;
  for (const [session, id] of rows) sessions.add(session, id, () => cancelled.push(`${session} ${id}`));
  sessions.end('s');
  assert.deepEqual(cancelled, ['s 1', 's "2"']);
  assert.equal(sessions.size, 2);
  assert.deepEqual(['s', 'st', 't'].map(sessions.isEnded), [true, false, false]);
});

test('only the latest ended sessions are remembered', () => {
  const sessions = createStatelessSessions();
  for (let count = 0; count < 10_002; count++) sessions.end(`s${count}`);
  assert.deepEqual(['s0', 's1', 's2', 's10001'].map(sessions.isEnded), [false, false, true, true]);
});
