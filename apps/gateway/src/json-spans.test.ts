import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findValue, firstKeyOf, listElements, splice, isCostly } from './json-spans.ts';

const FOUND = [
  { text: '{"id":1}', path: ['id'], value: '1', why: 'the plain case' },
  { text: '{"id": 9007199254740993 , "a":1}', path: ['id'], value: '9007199254740993', why: 'digits beyond a double' },
  { text: '{"a":{"id":2},"id":3}', path: ['id'], value: '3', why: 'an inner key of the same name is another key' },
  { text: '{"id":1,"id":2}', path: ['id'], value: '2', why: 'JSON.parse takes the last of equal keys' },
  { text: '{"a":"}\\"id\\":9","id":4}', path: ['id'], value: '4', why: 'quotes and braces in a string' },
  { text: '{"a":"\\\\","id":5}', path: ['id'], value: '5', why: 'a string that ends in a backslash' },
  { text: '{"\\u0069d":6}', path: ['id'], value: '6', why: 'an escaped key is the same key' },
  { text: '\n{ "p" :\t{ "n" : "x" } }', path: ['p', 'n'], value: '"x"', why: 'spaces everywhere' },
  {
    text: '{"ключ":"é","n":[1,{"n":2}]}',
    path: ['n'],
    value: '[1,{"n":2}]',
    why: 'bytes, not characters, are counted',
  },
  { text: '{}', path: ['id'], value: undefined, why: 'an empty object' },
  { text: '{"p":[1]}', path: ['p', 'n'], value: undefined, why: 'an array has no keys' },
];

test('a value is found where JSON.parse would take it from', async (t) => {
  for (const { text, path, value, why } of FOUND) {
    await t.test(why, () => {
      const bytes = Buffer.from(text);
      const span = findValue(bytes, ...path);
      assert.equal(span && bytes.toString('utf8', span.start, span.end), value);
    });
  }
});

test('elements of an array are told apart whatever they hold', () => {
  const bytes = Buffer.from('[ {"a":[1,2]} ,"],[", 3,null , [ ] ]');
  const texts = listElements(bytes, 0).map(({ start, end }) => bytes.toString('utf8', start, end));
  assert.deepEqual(texts, ['{"a":[1,2]}', '"],["', '3', 'null', '[ ]']);
  assert.deepEqual(listElements(Buffer.from('[ ]'), 0), []);
});

test('a splice changes only its own span', () => {
  const bytes = Buffer.from('{"ü": "é" , "n":1}');
  const span = findValue(bytes, 'ü');
  assert.ok(span);
  assert.equal(splice(bytes, span, '"long ✓"').toString(), '{"ü": "long ✓" , "n":1}');
});

test('the beginning of a message tells a response from a notification', () => {
  const keys = ['method', 'result', 'error'];
  assert.equal(firstKeyOf(Buffer.from('{"jsonrpc":"2.0","id":"method","result":{"te'), keys), 'result');
  assert.equal(firstKeyOf(Buffer.from('{"params":{"result":1},"method":"no'), keys), 'method');
  assert.equal(firstKeyOf(Buffer.from('{"jsonrpc":"2.0","id'), keys), undefined);
});

function members(count: number): string {
  return `{${Array.from({ length: count }, (_, index) => `"k${index}":1`).join(',')}}`;
}

test('a text is costly by its arrays and objects and by very large objects, not by what stands in texts', () => {
  const limits = { containers: 10, members: 5 };
  const table: [text: string, expected: boolean, why: string][] = [
    ['[]'.repeat(10), false, 'as many as allowed'],
    ['[]'.repeat(11), true, 'one more'],
    ['[{'.repeat(6), true, 'never closed'],
    ['"[[[[[[[[[[[[\\"[["', false, 'in a text'],
    [members(1_005), false, 'as many members as allowed'],
    [members(1_006), true, 'one more'],
    [`[${members(600)},${members(600)}]`, false, 'two objects of common size'],
    [`[${members(1_003)},${members(1_003)}]`, true, 'two large objects'],
    ['}}]]:::', false, 'no JSON'],
  ];
  for (const [text, expected, why] of table) assert.equal(isCostly(Buffer.from(text), limits), expected, why);
});
