import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeVectors, toCollection } from './collection.ts';
import type { Hit } from './database.ts';
import { toHitTable } from './hit-table.ts';
import { describeAccess } from './key-access.ts';
import { summarisePayloads } from './payload-keys.ts';
import { parseExactJson, type JsonObject } from './values.ts';
import { chooseVector, validateVector } from './vector-choice.ts';

const collectionOf = (params: JsonObject): ReturnType<typeof toCollection> =>
  toCollection({ status: 'green', points_count: 1, config: { params }, payload_schema: {} });

const hit = (id: number, payload: string): Hit => ({
  id,
  score: 0.5,
  payload: parseExactJson(payload) as JsonObject,
});

const token = (claims: object): string => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;

const PLAIN = collectionOf({ vectors: { size: 4, distance: 'Cosine' } });
const ONE_NAMED = collectionOf({ vectors: { size: { size: 4, distance: 'Dot' } } });
const NAMED = collectionOf({
  vectors: { text: { size: 4, distance: 'Cosine' }, image: { size: 3, distance: 'Euclid' } },
  sparse_vectors: { words: { modifier: 'idf' } },
});
const MULTI = collectionOf({ vectors: { size: 3, distance: 'Dot', multivector_config: { comparator: 'max_sim' } } });
const SPARSE = collectionOf({ vectors: {}, sparse_vectors: { words: {} } });

test('vectors are described in one line', () => {
  const table: [collection: typeof PLAIN, expected: string][] = [
    [PLAIN, '4 Cosine'],
    [ONE_NAMED, 'size: 4 Dot'],
    [NAMED, 'text: 4 Cosine; image: 3 Euclid; words: sparse'],
    [MULTI, '3 Dot multivector'],
    [SPARSE, 'words: sparse'],
    [collectionOf({ vectors: {} }), 'none'],
  ];
  for (const [collection, expected] of table) assert.equal(describeVectors(collection), expected);
});

test('the vector to search is the one named, else the default one, else the only one', () => {
  const table: [collection: typeof PLAIN, using: string | undefined, expected: string | RegExp, why: string][] = [
    [PLAIN, undefined, '', 'the default one'],
    [ONE_NAMED, undefined, 'size', 'the only one'],
    [NAMED, 'image', 'image', 'the one named'],
    [NAMED, undefined, /several vectors .* Pass `using`, one of: "text", "image"\./, 'which one?'],
    [NAMED, 'imag', /no vector "imag" .* Did you mean "image"\?/, 'a mistyped name'],
    [NAMED, 'words', /is sparse, which cannot be searched here yet/, 'a sparse one'],
    [MULTI, undefined, /is a multivector, which cannot be searched here yet/, 'a list of vectors'],
    [SPARSE, undefined, /only sparse vectors/, 'nothing else'],
    [collectionOf({ vectors: {} }), undefined, /no vectors/, 'payloads only'],
  ];
  for (const [collection, using, expected, why] of table) {
    const choice = chooseVector('c', collection, using);
    if (typeof expected === 'string') assert.equal(choice.kind === 'chosen' && choice.vector.name, expected, why);
    else {
      assert.ok(choice.kind === 'refused', why);
      assert.match(`${choice.failure.message} ${choice.failure.hint}`, expected, why);
    }
  }
});

test('numbers that do not fit the vector are refused with both sizes', () => {
  const [vector] = PLAIN.dense;
  assert.ok(vector);
  assert.equal(validateVector('c', vector, [1, 2, 3, 4]), undefined);
  assert.match(
    validateVector('c', vector, [1, 2])?.message ?? '',
    /has 2 numbers, but collection "c" has vectors of 4/,
  );
  assert.match(validateVector('c', vector, [1, 2, 3, 1e39])?.message ?? '', /query_vector\[3\] is 1e\+39/);
});

test('hits that have their keys in common become columns, others keep one payload', () => {
  assert.deepEqual(toHitTable([hit(1, '{"a":1,"id":9007199254740993}'), hit(2, '{"a":null,"b":["x"]}')]), {
    columns: [
      { name: 'id', type: 'point id' },
      { name: 'score', type: 'float32' },
      { name: 'a', type: 'number' },
      { name: 'payload.id', type: 'integer' },
      { name: 'b', type: 'array' },
    ],
    rows: [
      [1, 0.5, 1, '9007199254740993', null],
      [2, 0.5, null, null, ['x']],
    ],
  });
  const apart = toHitTable(['a', 'b', 'c'].map((key, id) => hit(id, `{"${key}":9007199254740993}`)));
  assert.deepEqual(apart.columns.at(-1), { name: 'payload', type: 'object' });
  assert.deepEqual(apart.rows[0], [0, 0.5, { a: '9007199254740993' }]);
});

test('payload keys are named as a filter would name them', () => {
  const payloads = [
    '{"n":1.0,"loc":{"lon":1,"lat":2.5},"diet":[{"food":"meat"}],"o":{"k":null},"a.b":true,"tags":[]}',
    '{"n":2,"tags":["x",1]}',
    JSON.stringify({ translations: Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`l${index}`, 'x'])) }),
  ].map((source) => parseExactJson(source, { wholeFloats: true }) as JsonObject);
  assert.deepEqual(
    summarisePayloads(payloads).map(({ key, type, points }) => [key, type, points]),
    [
      ['n', 'float | integer', 2],
      ['loc', 'geo', 1],
      ['diet', 'array of object', 1],
      ['diet[].food', 'string', 1],
      ['o', 'object', 1],
      ['o.k', 'null', 1],
      ['"a.b"', 'boolean', 1],
      ['tags', 'array | array of string or integer', 2],
      ['translations', 'object of keys such as l0, l1, l2', 1],
    ],
  );
});

test('what a key may do is told as far as it can be seen, and never the key', () => {
  const table: [key: string | undefined, expected: RegExp, why: string][] = [
    [undefined, /No QDRANT_API_KEY is set/, 'no key'],
    ['s3cret', /cannot be seen/, 'a plain key'],
    ['a.b.c', /cannot be seen/, 'a key with dots that is no token'],
    [token({ access: 'r' }), /may only read/, 'a token for reading everything'],
    [token({ access: [{ collection: 'c', access: 'r' }] }), /may only read/, 'a token for reading one collection'],
    [token({ access: 'm' }), /may write/, 'a token for everything'],
    [token({ access: [{ collection: 'c', access: 'rw' }] }), /may write/, 'a token for writing one collection'],
  ];
  for (const [key, expected, why] of table) {
    assert.match(describeAccess(key), expected, why);
    if (key) assert.ok(!describeAccess(key).includes(key), why);
  }
});
