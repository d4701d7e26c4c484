import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPlan } from './read-plan.ts';
import { suggestIndex } from './suggest-index.ts';

const FILTERS: [filter: string, columns: string[] | undefined, why: string][] = [
  ['(id = 5)', ['id'], 'one comparison'],
  ["((b.status)::text = 'paid'::text)", ['status'], 'an alias and a cast'],
  ["((placed > '2024-01-01'::date) AND (customer_id = 7))", ['customer_id', 'placed'], 'equality comes before a range'],
  ['((a > 1) AND (b > 2))', ['a'], 'one range is all that an index uses'],
  ['("Odd ""One""" = 5)', ['"Odd ""One"""'], 'a quoted name'],
  ["(region = ANY ('{a,b}'::text[]))", ['region'], 'a list'],
  ['(n = $0)', ['n'], 'the result of a subquery'],
  ["(amount >= '-5'::numeric)", ['amount'], 'a negative number'],
  ['((a = 1) OR (b = 2))', undefined, 'an OR needs two'],
  ["(lower(name) = 'x'::text)", undefined, 'a function needs an index on the expression'],
  ['((id % 7) = 3)', undefined, 'so does arithmetic'],
  ["(name ~~ '%x%'::text)", undefined, 'a pattern needs another kind of index'],
  ['(a = b)', undefined, 'two columns of one table'],
  ['(NOT done)', undefined, 'no comparison'],
  ["((a = 1) AND (lower(name) = 'x'::text))", ['a'], 'what can be served is served'],
];

for (const [filter, columns, why] of FILTERS) {
  test(`the filter ${filter} wants ${columns ? `an index on ${columns.join(', ')}` : 'no index'} (${why})`, () => {
    const { root } = readPlan([{ Plan: { 'Node Type': 'Seq Scan', 'Relation Name': 't', Filter: filter } }]);
    assert.deepEqual(suggestIndex(root)?.columns, columns);
  });
}
