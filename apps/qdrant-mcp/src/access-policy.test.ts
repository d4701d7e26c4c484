import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { validateFilter } from './access-policy.ts';

const on = (key: string, test: object): object => ({ must: [{ key, ...test }] });
const point = (lon: number, lat: number): object => ({ lon, lat });
const RING = { points: [point(1, 47), point(14, 47), point(14, 50), point(1, 47)] };

function nest(depth: number): object {
  let filter: object = on('a', { match: { value: 1 } });
  for (let level = 0; level < depth; level++) filter = { must: [filter] };
  return filter;
}

const MUST_ACCEPT: [filter: unknown, why: string][] = [
  [undefined, 'no filter'],
  [{}, 'an empty object says that there is no filter'],
  [on('city', { match: { value: 'Berlin' } }), 'a text'],
  [on('stock', { match: { value: 5 } }), 'an integer'],
  [on('big', { match: { value: -9223372036854775808n } }), 'the smallest 64-bit integer'],
  [on('in_stock', { match: { value: false } }), 'a boolean'],
  [on('city', { match: { any: ['Paris', 'London'] } }), 'one of several texts'],
  [on('stock', { match: { any: [0, 5] } }), 'one of several integers'],
  [on('city', { match: { any: [] } }), 'one of nothing matches nothing, which is what it says'],
  [on('city', { match: { except: ['Berlin'] } }), 'none of several'],
  [on('title', { match: { text: 'quick fox' } }), 'words'],
  [on('title', { match: { text_any: 'dog bread' } }), 'any of the words'],
  [on('title', { match: { phrase: 'brown fox' } }), 'a phrase'],
  [on('city', { match: { prefix: 'Ber' } }), 'a beginning'],
  [on('drop', { match: { value: 'delete' } }), 'a name is no reason to refuse'],
  [on('price', { range: { gte: 10, lt: 20.5 } }), 'numbers'],
  [on('price', { range: { gte: null, lte: 5 } }), 'null is no bound, beside one that is'],
  [on('t', { range: { gt: '2024-01-01', lte: '2024-01-01T00:00:00.123+02:00' } }), 'dates in two spellings'],
  [on('t', { range: { lt: '2024-02-29 00:00:00' } }), 'a blank for the T, a leap day'],
  [on('tags', { values_count: { gte: 3 } }), 'a count'],
  [on('loc', { geo_radius: { center: point(13.4, 52.5), radius: 1000 } }), 'a circle'],
  [on('loc', { geo_bounding_box: { top_left: point(170, 10), bottom_right: point(-170, -10) } }), 'over the date line'],
  [on('loc', { geo_polygon: { exterior: RING, interiors: [RING] } }), 'a polygon with a hole'],
  [on('note', { is_empty: true }), 'emptiness as a test on a key'],
  [{ must: [{ is_empty: { key: 'note' } }, { is_null: { key: 'note' } }] }, 'emptiness as conditions'],
  [{ must: [{ has_id: [1, 18446744073709551615n, '936DA01F9ABD4D9D80C702AF85C822A8'] }] }, 'ids of every kind'],
  [{ must: [{ has_vector: '' }, { has_vector: 'image' }] }, 'vectors that a point has'],
  [{ must: [{ slice: { index: 0, total: 2 } }] }, 'a part of the points'],
  [{ must: [{ nested: { key: 'diet', filter: on('food', { match: { value: 'meat' } }) } }] }, 'elements of a list'],
  [{ must: { key: 'a', match: { value: 1 } } }, 'a single condition without its list'],
  [{ must: [{ should: [{ key: 'a', match: { value: 1 } }] }], must_not: [{ has_id: [1] }] }, 'filters in filters'],
  [{ min_should: { conditions: [{ key: 'a', match: { value: 1 } }], min_count: 1 } }, 'at least some of several'],
  [
    { must: [{ key: 'a', match: { value: 1 }, range: null, geo_radius: null }], should: null, min_should: null },
    'clients that write every field they know',
  ],
  [{ ...on('a', { match: { value: 1 } }), should: [], must_not: [] }, 'empty clauses beside one that is not'],
  [on('city', { match: { any: Array.from({ length: 100_000 }, (_, index) => index) } }), 'very many values'],
  [nest(31), 'deep, but not too deep'],
];

test('a filter that means what it says is allowed', () => {
  for (const [filter, why] of MUST_ACCEPT) {
    const verdict = validateFilter(filter);
    assert.equal(verdict.kind, 'allowed', `${why}: ${inspect(verdict)}`);
  }
});

const MUST_REFUSE: [filter: unknown, where: string, hint: RegExp, why: string][] = [
  [{ musst: [] }, 'filter.musst', /Did you mean "must"\?/, 'a mistyped clause'],
  [{ $or: [] }, 'filter["$or"]', /Did you mean "should"\?/, 'the clause of another system'],
  [{ country: 'FR' }, 'filter.country', /A filter is \{"must"/, 'a key in place of a clause'],
  [[], 'filter', /A filter is/, 'a list in place of a filter'],
  [{ must: [] }, 'filter', /Leave the filter out/, 'only an empty clause'],
  [{ must: [{ should: [] }] }, 'filter.must[0]', /A filter is/, 'only an empty clause, inside'],
  [
    { min_should: { conditions: [], min_count: 1 } },
    'filter.min_should.conditions',
    /A condition is/,
    'some of nothing',
  ],
  [{ must: null }, 'filter', /A filter is/, 'no clause is left'],
  [{ must: [{}] }, 'filter.must[0]', /A condition is/, 'an empty condition matches everything'],
  [{ must: ['x'] }, 'filter.must[0]', /A condition is/, 'no condition at all'],
  [{ must: [null] }, 'filter.must[0]', /A condition is/, 'null'],
  [on('a', { rang: { gt: 1 } }), 'filter.must[0].rang', /Did you mean "range"\?/, 'a mistyped test'],
  [on('a', {}), 'filter.must[0]', /A key takes one of/, 'a key without a test'],
  [on('a', { match: null }), 'filter.must[0]', /A key takes one of/, 'a test that is null'],
  [{ must: [{ match: { value: 1 } }] }, 'filter.must[0]', /Add "key"/, 'a test without a key'],
  [{ must: [{ field: 'a', match: {} }] }, 'filter.must[0].field', /Did you mean "key"\?/, 'the name of another system'],
  [on('', { match: { value: 1 } }), 'filter.must[0].key', /A condition is/, 'a key without a name'],
  [
    on('a', { match: { value: 1 }, range: { gt: 1 } }),
    'filter.must[0]',
    /one condition for each/,
    'two tests on a key',
  ],
  [on('a', { match: { value: 1, any: [2] } }), 'filter.must[0].match', /one condition for each/, 'two ways to match'],
  [on('a', { match: {} }), 'filter.must[0].match', /A match is/, 'a match of nothing'],
  [on('a', { match: 'x' }), 'filter.must[0].match', /"match": \{"value"/, 'a value in place of a match'],
  [on('a', { match: { valu: 1 } }), 'filter.must[0].match.valu', /Did you mean "value"\?/, 'a mistyped match'],
  [
    on('a', { match: { $in: [1] } }),
    'filter.must[0].match["$in"]',
    /Did you mean "any"\?/,
    'the match of another system',
  ],
  [on('a', { match: { value: 1.5 } }), 'filter.must[0].match.value', /use range/, 'a fraction never matches'],
  [on('a', { match: { value: null } }), 'filter.must[0].match.value', /is_null/, 'null never matches'],
  [on('a', { match: { value: [1] } }), 'filter.must[0].match.value', /\{"any"/, 'a list never matches'],
  [on('a', { match: { value: 2n ** 63n } }), 'filter.must[0].match.value', /one of several/, 'more than 64 bits'],
  [on('a', { match: { any: [1, 'x'] } }), 'filter.must[0].match.any[1]', /only texts/, 'mixed values'],
  [on('a', { match: { any: 'x' } }), 'filter.must[0].match.any', /Write a list/, 'one value in place of a list'],
  [on('a', { match: { text: '' } }), 'filter.must[0].match.text', /text to look for/, 'no words match everything'],
  [on('a', { range: { foo: 1 } }), 'filter.must[0].range.foo', /A range has/, 'an unknown bound is ignored'],
  [on('a', { range: { min: 1 } }), 'filter.must[0].range.min', /Did you mean "gte"\?/, 'the bound of another system'],
  [on('a', { range: {} }), 'filter.must[0].range', /A range has/, 'no bound matches everything'],
  [on('a', { range: { gt: null } }), 'filter.must[0].range', /A range has/, 'only null bounds'],
  [on('a', { range: { gt: '5' } }), 'filter.must[0].range.gt', /without quotes/, 'a number as text'],
  [on('a', { range: { gt: 'soon' } }), 'filter.must[0].range.gt', /A range has/, 'a text that is no date'],
  [on('a', { range: { gt: '2023-02-29' } }), 'filter.must[0].range.gt', /A range has/, 'a day that does not exist'],
  [on('a', { range: { gt: Infinity } }), 'filter.must[0].range.gt', /A range has/, '1e999 would be sent as null'],
  [on('a', { range: { gt: 1, lt: '2024-01-01' } }), 'filter.must[0].range', /A range has/, 'numbers and dates mixed'],
  [on('a', { range: [1, 2] }), 'filter.must[0].range', /A range has/, 'a list in place of bounds'],
  [on('a', { values_count: { gte: -1 } }), 'filter.must[0].values_count.gte', /whole numbers/, 'a negative count'],
  [on('a', { values_count: {} }), 'filter.must[0].values_count', /whole numbers/, 'no bound'],
  [on('a', { is_empty: 'yes' }), 'filter.must[0].is_empty', /true or false/, 'no boolean'],
  [{ must: [{ is_null: 'a' }] }, 'filter.must[0].is_null', /\{"is_null": \{"key"/, 'a name in place of the object'],
  [{ must: [{ is_null: { key: 'a', x: 1 } }] }, 'filter.must[0].is_null.x', /is_null/, 'something beside the key'],
  [
    on('a', { geo_radius: { center: point(200, 0), radius: 1 } }),
    'filter.must[0].geo_radius.center.lon',
    /degrees/,
    'off the globe',
  ],
  [
    on('a', { geo_radius: { center: { lon: 1 }, radius: 1 } }),
    'filter.must[0].geo_radius.center.lat',
    /degrees/,
    'half a position',
  ],
  [
    on('a', { geo_radius: { center: point(1, 1), radius: -5 } }),
    'filter.must[0].geo_radius.radius',
    /metres/,
    'nothing is nearer than that',
  ],
  [
    on('a', { geo_bounding_box: { top_left: point(0, -10), bottom_right: point(1, 10) } }),
    'filter.must[0].geo_bounding_box',
    /Swap/,
    'upside down',
  ],
  [
    on('a', { geo_polygon: { exterior: { points: [point(1, 1), point(2, 2), point(3, 3), point(4, 4)] } } }),
    'filter.must[0].geo_polygon.exterior.points',
    /equal to the first/,
    'an open line',
  ],
  [{ must: [{ has_id: 3 }] }, 'filter.must[0].has_id', /A point id is/, 'one id in place of a list'],
  [{ must: [{ has_id: [1, -1] }] }, 'filter.must[0].has_id[1]', /A point id is/, 'a negative id'],
  [{ must: [{ has_id: [2n ** 64n] }] }, 'filter.must[0].has_id[0]', /A point id is/, 'more than 64 bits'],
  [{ must: [{ has_id: ['x'] }] }, 'filter.must[0].has_id[0]', /A point id is/, 'a free text'],
  [{ must: [{ has_vector: 1 }] }, 'filter.must[0].has_vector', /default vector/, 'a number for a name'],
  [{ must: [{ has_id: [1], has_vector: '' }] }, 'filter.must[0]', /object of its own/, 'two conditions in one object'],
  [
    { must: [{ key: 'a', match: { value: 1 }, has_id: [1] }] },
    'filter.must[0].has_id',
    /A key takes/,
    'a key and an id',
  ],
  [{ must: [{ slice: { index: 2, total: 2 } }] }, 'filter.must[0].slice', /"total": 4/, 'a part that is not there'],
  [{ must: [{ nested: { key: 'a' } }] }, 'filter.must[0].nested.filter', /A filter is/, 'nested without a filter'],
  [{ must: [{ nested: { filter: {} } }] }, 'filter.must[0].nested.key', /list of objects/, 'nested without a key'],
  [
    { must: [{ nested: { key: 'a', filter: { must: [{ has_id: [1] }] } } }] },
    'filter.must[0].nested.filter.must[0].has_id',
    /beside the nested/,
    'an element has no id',
  ],
  [
    { must: [{ must: [{ key: 'a', mach: 1 }] }] },
    'filter.must[0].must[0].mach',
    /Did you mean "match"\?/,
    'deep inside',
  ],
  [{ should: { keey: 'a' } }, 'filter.should.keey', /Did you mean "key"\?/, 'in a single condition'],
  [{ min_should: [{ key: 'a' }] }, 'filter.min_should', /min_count/, 'a list in place of the object'],
  [{ min_should: { conditions: [{}], min_count: 0 } }, 'filter.min_should.min_count', /min_count/, 'at least none'],
  [
    { min_should: { conditions: [{}], min_count: 1 } },
    'filter.min_should.conditions[0]',
    /A condition is/,
    'an empty one',
  ],
  [nest(32), `filter${'.must[0]'.repeat(32)}`, /Flatten/, 'deeper than the parser of Qdrant goes'],
];

test('a filter that Qdrant would read differently, or not at all, is refused with the path of the mistake', () => {
  for (const [filter, where, hint, why] of MUST_REFUSE) {
    const verdict = validateFilter(filter);
    assert.ok(verdict.kind === 'refused', why);
    assert.equal(verdict.where, where, why);
    assert.ok(verdict.message.startsWith(where), `${why}: ${verdict.message}`);
    assert.match(verdict.hint, hint, why);
  }
});

test('ids come back as the text that a result shows, and are sent as integers', () => {
  const given = {
    must_not: [{ must: [{ has_id: ['18446744073709551615', '7', 7, '936da01f-9abd-4d9d-80c7-02af85c822a8'] }] }],
  };
  assert.deepEqual(validateFilter(given), {
    kind: 'allowed',
    filter: {
      must_not: [{ must: [{ has_id: [18446744073709551615n, 7n, 7, '936da01f-9abd-4d9d-80c7-02af85c822a8'] }] }],
    },
  });
});
