import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closestName, ToolError, toErrorResult, toJsonRpcError } from './index.ts';

test('an expected failure becomes a text that says what, where and what next', () => {
  const error = new ToolError({
    code: 'NOT_FOUND',
    message: 'table "contry" does not exist',
    where: 'line 1, column 15',
    hint: 'Did you mean "country"?',
  });
  assert.deepEqual(toErrorResult(error), {
    isError: true,
    content: [
      {
        type: 'text',
        text: 'NOT_FOUND: table "contry" does not exist\nWhere: line 1, column 15\nNext: Did you mean "country"?',
      },
    ],
  });
});

test('a JSON-RPC error has data only when there is some', () => {
  assert.deepEqual(toJsonRpcError(7, -32602, 'no'), { jsonrpc: '2.0', id: 7, error: { code: -32602, message: 'no' } });
  assert.deepEqual(toJsonRpcError(null, -32700, 'no', { a: 1 }), {
    jsonrpc: '2.0',
    id: null,
    error: { code: -32700, message: 'no', data: { a: 1 } },
  });
});

test('the closest name is the one a person meant, or none', () => {
  const table: [wrong: string, expected: string | undefined, why: string][] = [
    ['contry', 'country', 'one letter missing'],
    ['COUNTRY', 'country', 'case is no difference'],
    ['boarder', 'border', 'one letter too many'],
    ['conutry', 'country', 'two letters swapped'],
    ['bodrer', 'border', 'two letters of a short name swapped'],
    ['zzz', undefined, 'nothing is near'],
    ['tset', undefined, 'not near either name'],
    ['', undefined, 'an empty name means nothing'],
  ];
  for (const [wrong, expected, why] of table) assert.equal(closestName(wrong, ['country', 'border']), expected, why);
});
