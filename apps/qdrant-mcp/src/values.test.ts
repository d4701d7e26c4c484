import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonTypeOf, parseExactJson, printExactJson, toCell, WholeFloat } from './values.ts';

test('a number stays a number only where a double holds it exactly', () => {
  const table: [source: string, cell: unknown, why: string][] = [
    ['9007199254740991', 9007199254740991, 'the largest safe integer'],
    ['9007199254740993', '9007199254740993', 'the first that a double cannot hold'],
    ['18446744073709551615', '18446744073709551615', 'the largest id'],
    ['-9223372036854775808', '-9223372036854775808', 'the smallest payload integer'],
    ['0.9024558', 0.9024558, 'a score'],
    ['1.8446744073709552e19', 1.8446744073709552e19, 'a double that Qdrant prints'],
    ['-0.0', '-0.0', 'JSON.stringify would drop the sign'],
    ['{"a":[9007199254740993,{"__proto__":1}]}', JSON.parse('{"a":["9007199254740993",{"__proto__":1}]}'), 'inside'],
    ['null', null, 'null'],
  ];
  for (const [source, cell, why] of table) assert.deepEqual(toCell(parseExactJson(source)), cell, why);
});

test('what was read is written again digit for digit', () => {
  const source = '{"ids":[18446744073709551615,0,"x"],"gte":9007199254740993}';
  assert.equal(printExactJson(parseExactJson(source)), source);
});

test('whole floats are told apart from integers where that is asked for', () => {
  assert.deepEqual(parseExactJson('[1,1.0,1.5]', { wholeFloats: true }), [1, new WholeFloat(1), 1.5]);
  const types = ['1', '1.0', '9007199254740993', '1.5', 'null', '[]', '{}', '"a"', 'true'].map((source) =>
    jsonTypeOf(parseExactJson(source, { wholeFloats: true })),
  );
  assert.deepEqual(types, ['integer', 'float', 'integer', 'float', 'null', 'array', 'object', 'string', 'boolean']);
  assert.equal(toCell(new WholeFloat(18)), 18);
});
