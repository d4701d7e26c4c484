import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canBeAsked, toAskKey, toCapabilities } from './client-capabilities.ts';
import { askKeyOf, createAskableSessionId } from './session-id.ts';

const TABLE = [
  { declared: undefined, key: '', why: 'nothing at all' },
  { declared: { roots: true, sampling: null, elicitation: [] }, key: '', why: 'what is no object is not declared' },
  { declared: { elicitation: {} }, key: 'f', again: { elicitation: { form: {} } }, why: 'forms, as before URLs' },
  { declared: { elicitation: { form: {}, url: {} } }, key: 'fu', why: 'both modes' },
  { declared: { elicitation: { url: {} } }, key: 'u', why: 'URLs alone' },
  { declared: { sampling: { tools: {}, context: {} } }, key: 'stc', why: 'sampling with all its parts' },
  {
    declared: { roots: { listChanged: true } },
    key: 'r',
    again: { roots: {} },
    why: 'changes of roots are not relayed',
  },
  { declared: { experimental: { x: {} }, sampling: {} }, key: 's', again: { sampling: {} }, why: 'nothing unknown' },
];

for (const { declared, key, again = declared ?? {}, why } of TABLE) {
  test(`what a client declares survives as a key, and in its session id: ${why}`, () => {
    assert.equal(toAskKey(declared), key);
    const relayed = key === '' ? {} : again;
    assert.deepEqual(toCapabilities(key), relayed);
    const id = createAskableSessionId({ capabilities: declared });
    assert.match(id, /^[0-9a-f-]{36}(\.[a-z]+)?$/);
    assert.equal(askKeyOf(id), key);
    assert.equal(toAskKey(toCapabilities(key)), key);
  });
}

test('an id that the gateway did not make says nothing of its client', () => {
  for (const id of ['', '.', 'a.', 'x.z', 'x.fus!', 'x.ff', 'x.rf', 'fus', 'x.t', 'x.f.ux'])
    assert.equal(askKeyOf(id), '');
});

test('a client is asked in no mode that it did not declare', () => {
  assert.equal(canBeAsked('f', 'elicitation/create', {}), true);
  assert.equal(canBeAsked('f', 'elicitation/create', { mode: 'url' }), false);
  assert.equal(canBeAsked('u', 'elicitation/create', { mode: 'form' }), false);
  assert.equal(canBeAsked('s', 'sampling/createMessage', {}), true);
  assert.equal(canBeAsked('s', 'sampling/createMessage', { tools: [] }), false);
  assert.equal(canBeAsked('fustcr', 'tasks/get', {}), false);
  assert.equal(canBeAsked('', 'roots/list', {}), false);
});
