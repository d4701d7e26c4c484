import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capCompletion } from './cap-completion.ts';

const VALUES = Array.from({ length: 150 }, (_, index) => `v${index}`);

function cap(text: string): string {
  return capCompletion(Buffer.from(text)).toString('utf8');
}

const FORMS = [
  { completion: { values: VALUES }, why: 'nothing is said of more' },
  { completion: { values: VALUES, hasMore: false, total: 150 }, why: 'more is denied after the values' },
  { completion: { hasMore: false, values: VALUES }, why: 'more is denied before the values' },
];

test('of more than a hundred values the first hundred remain, and it is told that there are more', async (t) => {
  for (const { completion, why } of FORMS) {
    await t.test(why, () => {
      const capped = cap(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { completion } }));
      const expected = { ...completion, values: VALUES.slice(0, 100), hasMore: true };
      assert.deepEqual(JSON.parse(capped).result.completion, expected);
    });
  }
});

test('anything else passes as it is', () => {
  const most = JSON.stringify({ result: { completion: { values: VALUES.slice(0, 100) } } });
  for (const text of [
    most,
    '{"result":{}}',
    '{"error":{"code":1}}',
    '[1]',
    '{',
    '{"result":{"completion":{"values":7}}}',
  ]) {
    assert.equal(cap(text), text);
  }
});
