import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ToolError } from '@database-mcp/errors';
import { converterOf, toExactArray, toExactJson, toExactNumber, toParameterTexts } from './values.ts';

const NUMBERS = [
  { text: '0', cell: 0, why: 'zero' },
  { text: '-42', cell: -42, why: 'a small integer' },
  { text: '9007199254740992', cell: 9_007_199_254_740_992, why: '2^53 is a double' },
  { text: '9007199254740993', cell: '9007199254740993', why: '2^53 + 1 is none' },
  { text: '9223372036854775807', cell: '9223372036854775807', why: 'the largest int8' },
  { text: '-9223372036854775808', cell: '-9223372036854775808', why: 'the smallest int8 prints as another number' },
  { text: '0.1', cell: 0.1, why: 'prints as the same decimal' },
  { text: '12.50', cell: 12.5, why: 'the same number, its scale is in the type' },
  { text: '0.1000000000000000055', cell: '0.1000000000000000055', why: 'more digits than a double prints' },
  { text: '1e+30', cell: 1e30, why: 'float8 writes exponents' },
  { text: '5e-324', cell: 5e-324, why: 'the smallest double' },
  { text: '1e400', cell: '1e400', why: 'beyond a double, would be Infinity' },
  { text: '-0', cell: '-0', why: 'JSON.stringify would drop the sign' },
  { text: 'NaN', cell: 'NaN', why: 'JSON has none, null would be a lie' },
  { text: '-Infinity', cell: '-Infinity', why: 'JSON has none' },
  { text: '0.0000', cell: 0, why: 'zero with a scale' },
];

for (const { text, cell, why } of NUMBERS) {
  test(`the number ${text} becomes ${JSON.stringify(cell)}: ${why}`, () => assert.deepEqual(toExactNumber(text), cell));
}

const JSONS = [
  { text: '{"a": [1, 2.5, {"b": null}]}', isKept: false, why: 'ordinary' },
  { text: '{"a": 9007199254740993}', isKept: true, why: 'an integer beyond a double' },
  { text: '[1e400]', isKept: true, why: 'beyond the range of a double' },
  { text: '{"a":1,"a":2}', isKept: true, why: 'a repeated key would lose a value' },
  { text: '{"a:b":"c:\\"d"}', isKept: false, why: 'colons inside of strings are no keys' },
  { text: '-0', isKept: true, why: 'the sign would be lost' },
  { text: '"9007199254740993"', isKept: false, why: 'digits in a string are safe' },
  { text: `${'['.repeat(50_000)}${']'.repeat(50_000)}`, isKept: true, why: 'nesting that overflows the stack' },
];

for (const { text, isKept, why } of JSONS) {
  test(`JSON ${text.slice(0, 30)} ${isKept ? 'stays text' : 'is parsed'}: ${why}`, () => {
    assert.deepEqual(toExactJson(text), isKept ? text : JSON.parse(text));
  });
}

const ARRAYS = [
  { oid: 1007, text: '{1,NULL,3}', cell: [1, null, 3], why: 'NULL is null' },
  { oid: 1007, text: '{}', cell: [], why: 'empty' },
  { oid: 1007, text: '{{1,2},{3,4}}', cell: [[1, 2], [3, 4]], why: 'nested' }, // prettier-ignore
  { oid: 1007, text: '[2:3]={1,2}', cell: '[2:3]={1,2}', why: 'bounds of its own' },
  { oid: 1009, text: '{"a,b","c\\"d","NULL",NULL,"","\\\\x","{}"}', cell: ['a,b', 'c"d', 'NULL', null, '', '\\x', '{}'], why: 'quoting' }, // prettier-ignore
  { oid: 1016, text: '{9007199254740993,1}', cell: ['9007199254740993', 1], why: 'each element exact' },
  { oid: 1000, text: '{t,f}', cell: [true, false], why: 'booleans' },
  { oid: 3807, text: '{"{\\"a\\": 1}"}', cell: [{ a: 1 }], why: 'jsonb inside an array' },
  {
    oid: 1020,
    text: '{(1,1),(0,0);(2,2),(1,1)}',
    cell: '{(1,1),(0,0);(2,2),(1,1)}',
    why: 'box has another delimiter, stays text',
  },
];

for (const { oid, text, cell, why } of ARRAYS) {
  test(`the array ${text} becomes ${JSON.stringify(cell)}: ${why}`, () =>
    assert.deepEqual(converterOf(oid)(text), cell));
}

test('a very long element of an array is kept', () => {
  const long = 'x"y'.repeat(1_000_000);
  assert.deepEqual(
    toExactArray(`{"${long.replaceAll('"', '\\"')}"}`, (text) => text),
    [long],
  );
});

test('a type that is not known is text', () => assert.equal(converterOf(99_999)('{1,2}'), '{1,2}'));

test('parameters become text: null is NULL, objects and arrays are JSON, integers keep their digits', () => {
  assert.deepEqual(toParameterTexts(['a', 1, 0.5, true, null, 9007199254740993n, { a: [1n] }, [1, 'b']]), [
    'a',
    '1',
    '0.5',
    'true',
    null,
    '9007199254740993',
    '{"a":[1]}',
    '[1,"b"]',
  ]);
});

for (const { params, why } of [
  { params: ['ok', 'a\0b'], why: 'NUL' },
  { params: ['\ud800'], why: 'half of a surrogate pair' },
  { params: Array.from({ length: 65_536 }, () => 1), why: 'more than the protocol can count' },
]) {
  test(`parameters with ${why} are refused (${params.length} of them)`, () => {
    assert.throws(() => toParameterTexts(params), ToolError);
  });
}
