import assert from 'node:assert/strict';
import { test } from 'node:test';
import { converterOf, toExactArray, toExactJson } from './values.ts';

/** Type OIDs as in pg_type.dat. */
const TYPES = { int8: 20, int4: 23, oid: 26, float4: 700, float8: 701, numeric: 1700 } as const;

const NUMBERS: { type: keyof typeof TYPES; text: string; cell: number | string; why: string }[] = [
  { type: 'int4', text: '0', cell: 0, why: 'zero' },
  { type: 'int4', text: '-42', cell: -42, why: 'a small integer' },
  { type: 'oid', text: '4294967295', cell: 4_294_967_295, why: 'the largest oid' },
  { type: 'int8', text: '9007199254740991', cell: 9_007_199_254_740_991, why: '2^53 - 1, the largest safe integer' },
  { type: 'int8', text: '-9007199254740991', cell: -9_007_199_254_740_991, why: 'the smallest safe integer' },
  { type: 'int8', text: '9007199254740992', cell: '9007199254740992', why: '2^53 is what 2^53 + 1 reads as, too' },
  { type: 'int8', text: '9223372036854775807', cell: '9223372036854775807', why: 'the largest int8' },
  { type: 'numeric', text: '41284', cell: 41284, why: 'a plain integer' },
  { type: 'numeric', text: '9007199254740992', cell: '9007199254740992', why: 'beyond the safe integers' },
  { type: 'numeric', text: '0.1', cell: '0.1', why: 'no double is a tenth' },
  { type: 'numeric', text: '0.5', cell: '0.5', why: 'a double, but with a scale as all decimals' },
  { type: 'numeric', text: '12.50', cell: '12.50', why: 'the scale is kept' },
  { type: 'numeric', text: '0.1000', cell: '0.1000', why: 'the scale is kept' },
  { type: 'numeric', text: '0.0000', cell: '0.0000', why: 'zero has a scale' },
  { type: 'numeric', text: '5.00', cell: '5.00', why: 'an integer with a scale' },
  { type: 'numeric', text: 'NaN', cell: 'NaN', why: 'JSON has none, null would be a lie' },
  { type: 'numeric', text: '-Infinity', cell: '-Infinity', why: 'JSON has none' },
  { type: 'float8', text: '0.1', cell: 0.1, why: 'the double that Postgres writes as 0.1' },
  { type: 'float8', text: '1e+30', cell: 1e30, why: 'float8 writes exponents' },
  { type: 'float8', text: '5e-324', cell: 5e-324, why: 'the smallest double' },
  { type: 'float8', text: '1.7976931348623157e+308', cell: Number.MAX_VALUE, why: 'the largest double' },
  { type: 'float8', text: '9007199254740992', cell: 2 ** 53, why: 'a double is itself, also beyond the integers' },
  { type: 'float8', text: '0', cell: 0, why: 'zero' },
  { type: 'float8', text: '-0', cell: '-0', why: 'JSON.stringify would drop the sign' },
  { type: 'float8', text: 'NaN', cell: 'NaN', why: 'JSON has none' },
  { type: 'float8', text: 'Infinity', cell: 'Infinity', why: 'JSON has none' },
  { type: 'float4', text: '1.5', cell: 1.5, why: 'the same as a double' },
  { type: 'float4', text: '1.6777216e+07', cell: 16_777_216, why: 'the same as a double, written with an exponent' },
  { type: 'float4', text: '0.1', cell: '0.1', why: 'as a double it would be 0.10000000149011612' },
  { type: 'float4', text: '3.4028235e+38', cell: '3.4028235e+38', why: 'the largest float4 is another double' },
  { type: 'float4', text: '-0', cell: '-0', why: 'JSON.stringify would drop the sign' },
  { type: 'float4', text: 'NaN', cell: 'NaN', why: 'JSON has none' },
  { type: 'float4', text: '-Infinity', cell: '-Infinity', why: 'JSON has none' },
];

for (const { type, text, cell, why } of NUMBERS) {
  test(`the ${type} ${text} becomes ${JSON.stringify(cell)}: ${why}`, () => {
    const found = converterOf(TYPES[type])(text);
    assert.ok(Object.is(found, cell), String(found));
  });
}

const JSONS = [
  { text: '{"a": [1, 2.5, {"b": null}]}', isKept: false, why: 'ordinary' },
  { text: '{"a": 9007199254740993}', isKept: true, why: 'an integer beyond a double' },
  { text: '{"price": 1.10}', isKept: true, why: 'the scale would be lost' },
  { text: '[1.0]', isKept: true, why: 'the scale would be lost' },
  { text: '[1E5]', isKept: true, why: 'would be written in another way' },
  { text: '[0.1, 1e+30, -1.5]', isKept: false, why: 'JSON.stringify writes the same' },
  { text: '100000000000000000001', isKept: true, why: 'would be written as 100000000000000000000' },
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
  { oid: 1231, text: '{12.50,7,NULL,NaN}', cell: ['12.50', 7, null, 'NaN'], why: 'numeric, each element by itself' },
  { oid: 1021, text: '{0.1,1.5}', cell: ['0.1', 1.5], why: 'float4, each element by itself' },
  { oid: 1022, text: '{{0.1,-0},{NaN,1e+30}}', cell: [[0.1, '-0'], ['NaN', 1e30]], why: 'float8, nested' }, // prettier-ignore
  { oid: 1000, text: '{t,f}', cell: [true, false], why: 'booleans' },
  { oid: 3807, text: '{"{\\"a\\": 1}"}', cell: [{ a: 1 }], why: 'jsonb inside an array' },
  {
    oid: 1020,
    text: '{(1,1),(0,0);(2,2),(1,1)}',
    cell: ['(1,1),(0,0)', '(2,2),(1,1)'],
    why: 'box alone has another delimiter',
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
