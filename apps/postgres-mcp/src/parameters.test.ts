import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ToolError } from '@database-mcp/errors';
import { checkParameters, toParameterTexts, type ParameterType } from './parameters.ts';

const TEXT: ParameterType = { kind: 'text', name: 'text' };
const JSONB: ParameterType = { kind: 'json', name: 'jsonb' };
const INTEGER: ParameterType = { kind: 'other', name: 'integer' };
const BOX: ParameterType = { kind: 'other', name: 'box' };
const arrayOf = (element: ParameterType, delimiter = ','): ParameterType => ({
  kind: 'array',
  name: `${element.name}[]`,
  element,
  delimiter,
});

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

const COMPOSITES: { value: unknown; type: ParameterType; text: string; why: string }[] = [
  { value: [], type: JSONB, text: '[]', why: 'an empty JSON array' },
  { value: [], type: arrayOf(INTEGER), text: '{}', why: 'an empty array of Postgres' },
  { value: ['a', 1], type: JSONB, text: '["a",1]', why: 'JSON' },
  { value: { a: 9007199254740993n }, type: JSONB, text: '{"a":9007199254740993}', why: 'JSON, exact' },
  { value: ['a'], type: TEXT, text: '["a"]', why: 'JSON for text' },
  {
    value: [1, 9007199254740993n, null],
    type: arrayOf(INTEGER),
    text: '{"1","9007199254740993",NULL}',
    why: 'numbers',
  },
  { value: [[1], [2]], type: arrayOf(INTEGER), text: '{{"1"},{"2"}}', why: 'two dimensions' },
  { value: ['NULL', '', null], type: arrayOf(TEXT), text: '{"NULL","",NULL}', why: 'the word, empty, and none' },
  {
    value: ['a"b', 'c\\d', '{e,f}'],
    type: arrayOf(TEXT),
    text: '{"a\\"b","c\\\\d","{e,f}"}',
    why: 'what an array gives a meaning',
  },
  { value: [{ a: 1 }], type: arrayOf(TEXT), text: '{"{\\"a\\":1}"}', why: 'JSON for text, inside' },
  {
    value: [{ a: 1 }, [1], 'x', null],
    type: arrayOf(JSONB),
    text: '{"{\\"a\\":1}","[1]","\\"x\\"",NULL}',
    why: 'each element a document',
  },
  {
    value: ['(1,1),(0,0)', '(2,2),(1,1)'],
    type: arrayOf(BOX, ';'),
    text: '{"(1,1),(0,0)";"(2,2),(1,1)"}',
    why: 'box has another delimiter',
  },
  {
    value: [[1, 2], [3]],
    type: arrayOf(arrayOf(INTEGER)),
    text: '{"{\\"1\\",\\"2\\"}","{\\"3\\"}"}',
    why: 'elements that are arrays by themselves (a domain)',
  },
];

for (const { value, type, text, why } of COMPOSITES) {
  test(`${JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? `${item}` : item))} for ${type.name} becomes ${text}: ${why}`, () => {
    assert.deepEqual(toParameterTexts([value], [type]), [text]);
  });
}

const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
const veryDeep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) as unknown;

const REFUSED: { params: unknown[]; types?: (ParameterType | undefined)[]; says: RegExp; why: string }[] = [
  { params: ['ok', 'a\0b'], says: /\$2 holds a NUL/, why: 'NUL' },
  { params: ['\ud800'], says: /\$1 is not valid Unicode/, why: 'half of a surrogate pair' },
  { params: [['a\0b']], types: [arrayOf(TEXT)], says: /\$1 holds a NUL/, why: 'NUL inside of an array' },
  {
    params: [1, [1, 2]],
    types: [undefined, INTEGER],
    says: /\$2 has the type integer in sql, but is a JSON array.*= ANY\(\$2\)/,
    why: 'an array for one value',
  },
  {
    params: [{ a: 1 }],
    types: [INTEGER],
    says: /\$1 has the type integer in sql, but is a JSON object.*\$1::jsonb/,
    why: 'an object for one value',
  },
  {
    params: [{ a: 1 }],
    types: [arrayOf(INTEGER)],
    says: /integer\[\] in sql, but is a JSON object.*JSON array/,
    why: 'an object for an array',
  },
  {
    params: [[{ a: 1 }]],
    types: [arrayOf(INTEGER)],
    says: /integer\[\] in sql, but holds a JSON object.*\$1::jsonb\[\]/,
    why: 'an object in an array',
  },
  {
    params: [deep(7)],
    types: [arrayOf(INTEGER)],
    says: /at most 6 dimensions/,
    why: 'more dimensions than Postgres has',
  },
  { params: [veryDeep], types: [JSONB], says: /nested too deeply/, why: 'nesting that overflows the stack' },
];

for (const { params, types, says, why } of REFUSED) {
  test(`parameters are refused clearly: ${why}`, () => {
    assert.throws(
      () => toParameterTexts(params, types),
      (error) =>
        error instanceof ToolError && error.code === 'INVALID_ARGUMENT' && says.test(`${error.message} ${error.hint}`),
    );
  });
}

const COUNTS: { count: number; value: unknown; isRefused: boolean; why: string }[] = [
  { count: 65_535, value: 1, isRefused: false, why: 'all that the protocol can count' },
  { count: 65_536, value: 1, isRefused: true, why: 'more than the protocol can count' },
  { count: 32_767, value: [1], isRefused: false, why: 'all that the driver can describe' },
  { count: 32_768, value: [1], isRefused: true, why: 'more than the driver can describe' },
];

for (const { count, value, isRefused, why } of COUNTS) {
  test(`${count} parameters of ${JSON.stringify(value)} are ${isRefused ? 'refused' : 'allowed'}: ${why}`, () => {
    const check = (): void => checkParameters(Array.from({ length: count }, () => value));
    if (isRefused) assert.throws(check, ToolError);
    else check();
  });
}
