import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ToolError } from '@database-mcp/errors';
import { toParameters } from './parameters.ts';

test('whole numbers become integers at every depth, others stay floats', () => {
  const params = { a: 1, b: 1.5, c: [2, { d: 3 }], e: 9_223_372_036_854_775_807n, f: 'x', g: null, h: true, i: 1e20 };
  assert.deepEqual(toParameters(params), {
    ...params,
    a: 1n,
    c: [2n, { d: 3n }],
  });
});

test('a parameter named __proto__ stays a parameter', () => {
  const params = toParameters(JSON.parse('{"__proto__": {"a": 1}}') as Record<string, unknown>);
  assert.deepEqual(Object.keys(params), ['__proto__']);
});

const WRONG: { params: Record<string, unknown>; where: string; why: string }[] = [
  { params: { a: [0, 2n ** 63n] }, where: 'params.a[1]', why: 'no INTEGER holds it' },
  { params: { a: -(2n ** 63n) - 1n }, where: 'params.a', why: 'nor this one' },
  {
    params: { a: { __isInteger__: true, low: 1, high: 1 } },
    where: 'params.a.__isInteger__',
    why: 'a driver object in disguise',
  },
];

test('a parameter that cannot be sent as it is names its place', () => {
  for (const { params, where, why } of WRONG) {
    assert.throws(
      () => toParameters(params),
      (error) => error instanceof ToolError && error.code === 'INVALID_ARGUMENT' && error.where === where,
      why,
    );
  }
});

test('parameters that are nested without end are refused', () => {
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level++) deep = [deep];
  assert.throws(() => toParameters({ deep }), { code: 'INVALID_ARGUMENT' });
});
