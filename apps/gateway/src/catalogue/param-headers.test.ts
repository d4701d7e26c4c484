import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { findParamHeaderProblem, toParamHeaders } from '../edge/check-param-headers.ts';
import { decodeHeaderValue, encodeHeaderValue } from '../edge/header-value.ts';
import { scanParamHeaders } from './param-headers.ts';

const region = { type: 'string', 'x-mcp-header': 'Region' };

function inProperties(properties: object, more: object = {}): Record<string, unknown> {
  return { type: 'object', properties, ...more };
}

const VALID = [
  { schema: inProperties({}), headers: [], why: 'nothing is annotated' },
  { schema: inProperties({ r: region }), headers: ['mcp-param-region'], why: 'a string' },
  {
    schema: inProperties({ a: inProperties({ n: { type: 'integer', 'x-mcp-header': 'N-1' } }), r: region }),
    headers: ['mcp-param-n-1', 'mcp-param-region'],
    why: 'any depth of properties',
  },
  {
    schema: inProperties({ e: { enum: [{ 'x-mcp-header': 1 }] } }),
    headers: [],
    why: 'data that looks like an annotation is none',
  },
  { schema: inProperties({ 'x-mcp-header': { type: 'string' } }), headers: [], why: 'an argument of that name' },
];

test('annotations are read from properties at any depth', async (t) => {
  for (const { schema, headers, why } of VALID) {
    await t.test(why, () => {
      const scanned = scanParamHeaders(schema);
      assert.ok(scanned.kind === 'valid');
      assert.deepEqual(scanned.headers.map(({ header }) => header), headers); // prettier-ignore
    });
  }
});

const INVALID = [
  { schema: { ...inProperties({}), 'x-mcp-header': 'A' }, why: 'the top is no argument' },
  { schema: inProperties({ a: { type: 'object', 'x-mcp-header': 'A' } }), why: 'an object' },
  { schema: inProperties({ a: { type: 'number', 'x-mcp-header': 'A' } }), why: 'a number that is no integer' },
  { schema: inProperties({ a: { 'x-mcp-header': 'A' } }), why: 'no type' },
  { schema: inProperties({ a: { type: ['string'], 'x-mcp-header': 'A' } }), why: 'several types' },
  { schema: inProperties({ a: { type: 'string', 'x-mcp-header': '' } }), why: 'an empty name' },
  { schema: inProperties({ a: { type: 'string', 'x-mcp-header': 'A B' } }), why: 'a space' },
  { schema: inProperties({ a: { type: 'string', 'x-mcp-header': 'A\r\nB' } }), why: 'a line break' },
  { schema: inProperties({ a: { type: 'string', 'x-mcp-header': 7 } }), why: 'no string' },
  {
    schema: inProperties({ a: region, b: { type: 'string', 'x-mcp-header': 'REGION' } }),
    why: 'twice but for its case',
  },
  { schema: inProperties({ a: { type: 'array', items: region } }), why: 'in an array' },
  { schema: inProperties({}, { oneOf: [inProperties({ r: region })] }), why: 'in one of several' },
  { schema: inProperties({}, { $defs: { r: region } }), why: 'in a definition' },
  { schema: inProperties({}, { patternProperties: { '^r': region } }), why: 'under a pattern' },
];

test('invalid annotations are found', async (t) => {
  for (const { schema, why } of INVALID) {
    await t.test(why, () => assert.equal(scanParamHeaders(schema).kind, 'invalid'));
  }
});

const HEADER = 'mcp-param-region';
const CHECKS = [
  { value: 'eu', header: 'eu', right: true, why: 'equal text' },
  { value: 'eu', header: 'EU', right: false, why: 'values have a case' },
  { value: 'eu', header: undefined, right: false, why: 'a value needs its header' },
  { value: undefined, header: undefined, right: true, why: 'no value, no header' },
  { value: null, header: undefined, right: true, why: 'null is no value' },
  { value: null, header: 'null', right: false, why: 'null has no header' },
  { value: undefined, header: 'eu', right: false, why: 'a header without a value' },
  { value: 'ä', header: '=?base64?w6Q=?=', right: true, why: 'encoded' },
  { value: 'ä', header: '=?base64?w6Q?=', right: false, why: 'padding is missing' },
  { value: 'ä', header: '=?base64?!!!!?=', right: false, why: 'no Base64' },
  { value: '=?base64?w6Q=', header: '=?base64?w6Q=', right: true, why: 'half a sentinel is text' },
  { value: 42, header: '42', right: true, why: 'an integer' },
  { value: 42, header: '42.0', right: true, why: 'integers are compared as numbers' },
  { value: 42, header: '4e1', right: false, why: 'another number' },
  { value: 0, header: '', right: false, why: 'nothing is not zero' },
  { value: 16, header: '0x10', right: false, why: 'no JSON number' },
  { value: true, header: 'true', right: true, why: 'a boolean' },
  { value: true, header: '1', right: false, why: 'no boolean' },
  { value: 2 ** 53, header: undefined, right: true, why: 'beyond 2^53 a client sends none' },
  { value: { a: 1 }, header: undefined, right: true, why: 'the server itself judges a wrong type' },
];

test('headers must repeat the arguments', async (t) => {
  const annotated = [{ path: ['region'], header: HEADER, type: 'string' as const }];
  for (const { value, header, right, why } of CHECKS) {
    await t.test(why, () => {
      const headers: Record<string, string> = header === undefined ? {} : { [HEADER]: header };
      assert.equal(findParamHeaderProblem(annotated, headers, { region: value }) === undefined, right);
    });
  }
});

test('the headers that the gateway makes for a client that sends none repeat the arguments', () => {
  const annotated = [
    { path: ['a'], header: 'mcp-param-a', type: 'string' as const },
    { path: ['b', 'c'], header: 'mcp-param-c', type: 'integer' as const },
  ];
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.string()), fc.jsonValue(), (a, c) => {
      const args = { a, b: { c } };
      assert.equal(findParamHeaderProblem(annotated, toParamHeaders(annotated, args), args), undefined);
    }),
  );
  assert.deepEqual(toParamHeaders(annotated, { a: 'ä', b: { c: 7 } }), {
    'mcp-param-a': '=?base64?w6Q=?=',
    'mcp-param-c': '7',
  });
});

test('any text survives the encoding, and is a header value that Node sends', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
      (text) => {
        const encoded = encodeHeaderValue(text);
        assert.match(encoded, /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/);
        assert.equal(decodeHeaderValue(encoded), text);
      },
    ),
  );
});

test('no header value makes the decoder fail', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      for (const value of [text, `=?base64?${text}?=`]) assert.doesNotThrow(() => decodeHeaderValue(value));
    }),
  );
});

test('no schema makes the scan fail', () => {
  const keys = fc.constantFrom('properties', 'items', 'type', 'x-mcp-header', '$defs', 'oneOf', 'a');
  const { schema } = fc.letrec((tie) => ({
    schema: fc.oneof({ maxDepth: 6 }, fc.constantFrom('string', 'A', 7, null, true), fc.array(tie('schema'), { maxLength: 3 }), fc.dictionary(keys, tie('schema'), { maxKeys: 4 })), // prettier-ignore
  }));
  fc.assert(fc.property(schema, (value) => assert.doesNotThrow(() => scanParamHeaders({ properties: { value } }))));
});
