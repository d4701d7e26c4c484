import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeRequest, describeSearch } from './describe-statement.ts';

test('a request is described by operation and collection', () => {
  assert.deepEqual(describeRequest('query_points', 'countries'), { summary: 'query_points countries' });
  assert.deepEqual(describeRequest('get_collections'), { summary: 'get_collections' });
});

const SEARCHES: { filter: unknown; text: string; why: string }[] = [
  { filter: undefined, text: 'query_points countries', why: 'no filter' },
  {
    filter: { must: [{ key: 'region', match: { value: 'hunter2' } }], should: { key: 'area', range: { gte: 4711 } } },
    text: 'query_points countries {"must":[{"key":"region","match":{"value":"?"}}],"should":{"key":"area","range":{"gte":"?"}}}',
    why: 'keys stay, what they are compared with does not',
  },
  {
    filter: { must: [{ key: 'code', match: { any: ['hunter2', 4711n, null] } }, { has_id: [4711] }] },
    text: 'query_points countries {"must":[{"key":"code","match":{"any":"?"}},{"has_id":"?"}]}',
    why: 'a list of values is one value; a 64-bit integer',
  },
  {
    filter: { must: ['hunter2'], key: { key: 4711 } },
    text: 'query_points countries {"must":"?","key":{"key":"?"}}',
    why: 'what is no filter',
  },
];

test('a search is described with its filter, without the values in it', () => {
  for (const { filter, text, why } of SEARCHES) assert.equal(describeSearch('countries', filter).text, text, why);
});

test('a filter that is nested without end is cut', () => {
  let filter: unknown = 'hunter2';
  for (let depth = 0; depth < 10_000; depth++) filter = { must: filter };
  const { text = '' } = describeSearch('countries', filter);
  assert.ok(text.length < 1_000 && !text.includes('hunter2'));
});
