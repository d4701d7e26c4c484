import assert from 'node:assert/strict';
import { test } from 'node:test';
import { median, percentile } from './statistics.ts';

const MEDIANS = [
  { values: [3, 1, 2], expected: 2, why: 'odd count, unsorted' },
  { values: [10, 2, 1, 9], expected: 5.5, why: 'even count, and 10 sorts as a number, not as text' },
  { values: [7], expected: 7, why: 'one value' },
  { values: [], expected: Number.NaN, why: 'none' },
];
for (const { values, expected, why } of MEDIANS) {
  test(`the median of [${values.join(', ')}] is ${expected}: ${why}`, () => assert.equal(median(values), expected));
}

const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
const PERCENTILES = [
  { values: hundred, share: 0.5, expected: 50, why: 'half of them are not above it' },
  { values: hundred, share: 0.99, expected: 99, why: 'one of a hundred is above it' },
  { values: hundred, share: 1, expected: 100, why: 'the largest' },
  { values: hundred, share: 0, expected: 1, why: 'the smallest' },
  { values: [4, 8], share: 0.99, expected: 8, why: 'few values: never beyond the largest' },
  { values: [], share: 0.5, expected: Number.NaN, why: 'none' },
];
for (const { values, share, expected, why } of PERCENTILES) {
  test(`percentile ${share} of ${values.length} values is ${expected}: ${why}`, () => {
    assert.equal(percentile(values, share), expected);
  });
}

test('statistics leave their input as it is', () => {
  const values = [3, 1, 2];
  median(values);
  percentile(values, 0.5);
  assert.deepEqual(values, [3, 1, 2]);
});
