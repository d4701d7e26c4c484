import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  array,
  assert as assertProperty,
  constantFrom,
  integer,
  letrec,
  oneof,
  property,
  shuffledSubarray,
  string,
  tuple,
  type Arbitrary,
} from 'fast-check';
import { editMessage, editObject, type MemberEdits } from './bridge/message-text.ts';
import { findValue } from './json-spans.ts';
import { JsonSplicer, type SpliceRules } from './json-splicer.ts';

/** What comes out when the text is pushed in pieces of these lengths. */
function pushAll(rules: SpliceRules, text: Buffer, lengths: readonly number[]): string {
  const splicer = new JsonSplicer(rules);
  const out: Buffer[] = [];
  let at = 0;
  for (let piece = 0; at < text.length; piece++) {
    const end = at + (lengths[piece % lengths.length] ?? 1);
    out.push(splicer.push(text.subarray(at, end)));
    at = end;
  }
  assert.ok(splicer.isDone, 'the object has ended');
  return Buffer.concat(out).toString('utf8');
}

const EDITS: MemberEdits = { stamp: '"s"', gone: undefined };
const RULES: SpliceRules = {
  edits: { id: '"7"', jsonrpc: undefined },
  within: {
    result: { edits: { ttlMs: undefined, kind: '1' }, within: { _meta: { edits: { stamp: '"s"', gone: undefined } } } },
  },
};

/** The same edits on a text that is there as a whole. */
function editWhole(text: Buffer): string {
  const result = findValue(text, 'result') ?? assert.fail('no result');
  const meta = findValue(text, 'result', '_meta');
  const newMeta = meta ? editObject(text, meta, EDITS) : editMessage(Buffer.from('{}'), EDITS);
  const newResult = editObject(text, result, { ttlMs: undefined, kind: '1', _meta: newMeta });
  return editMessage(text, { id: '"7"', jsonrpc: undefined, result: newResult }).toString('utf8');
}

const space = constantFrom('', ' ', '\n', '\t ', '\r\n');
const scalar = oneof(
  constantFrom('9007199254740993', '-0', '1e400', 'true', 'null', '"}"', '"\\\\"', '"\\"\\\\\\""', '"\\u0069d"'),
  string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
);
const json: Arbitrary<string> = letrec<{ value: string }>((tie) => ({
  value: oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    tuple(space, array(tie('value'), { maxLength: 4 })).map(([gap, values]) => `[${gap}${values.join(`${gap},`)}]`),
    tuple(space, array(tuple(string(), tie('value')), { maxLength: 4 })).map(
      ([gap, members]) => `{${members.map(([key, value]) => `${gap}${JSON.stringify(key)}${gap}:${value}`).join(',')}}`,
    ),
  ),
})).value;

function anyObject(
  keys: readonly string[],
  inner: Readonly<Record<string, Arbitrary<string>>> = {},
): Arbitrary<string> {
  return tuple(shuffledSubarray([...keys, ...Object.keys(inner)], { minLength: 0 }), space).chain(([chosen, gap]) =>
    tuple(...chosen.map((key) => inner[key] ?? json)).map(
      (values) =>
        `{${chosen.map((key, index) => `${gap}"${key}"${gap}:${gap}${values[index]}${gap}`).join(',')}${gap}}`,
    ),
  );
}

const meta = anyObject(['stamp', 'gone', 'kept', 'io.modelcontextprotocol/x']);
const result = anyObject(['content', 'ttlMs', 'kind', 'structuredContent'], { _meta: meta });
const message = tuple(anyObject(['jsonrpc', 'id', 'x']), result).map(([rest, text]) => {
  const end = rest.lastIndexOf('}');
  return `${rest.slice(0, end)}${rest.includes(':') ? ',' : ''}"result":${text}}`;
});

test('a message that passes in pieces comes out as if it had been edited as a whole', () => {
  assertProperty(
    property(message, array(integer({ min: 1, max: 40 }), { minLength: 1 }), (text, lengths) => {
      JSON.parse(text);
      const bytes = Buffer.from(text);
      assert.equal(pushAll(RULES, bytes, lengths), editWhole(bytes));
    }),
    { numRuns: 2_000 },
  );
});

const OMIT: SpliceRules = { within: { _meta: { edits: { gone: undefined }, isOmittedEmpty: true } } };
const CASES = [
  { why: 'an object of which nothing remains', rules: OMIT, text: '{"a":1,"_meta":{"gone":2}}', out: '{"a":1}' },
  { why: '… and that stands first', rules: OMIT, text: '{"_meta":{ "gone":2 },"a":1}', out: '{"a":1}' },
  { why: '… and that something remains of', rules: OMIT, text: '{"_meta":{"gone":2,"b":3}}', out: '{"_meta":{"b":3}}' },
  { why: 'an object that is not there', rules: OMIT, text: '{}', out: '{}' },
  {
    why: 'no object where one is edited',
    rules: RULES,
    text: '{"result":[1]}',
    out: '{"id":"7","result":{"kind":1,"_meta":{"stamp":"s"}}}',
  },
  { why: 'an escaped key', rules: { edits: { id: '1' } }, text: '{"\\u0069d":2}', out: '{"id":1}' },
  {
    why: 'a key that is there twice',
    rules: { edits: { id: '1' } },
    text: '{"id":2,"a":0,"id":3}',
    out: '{"id":1,"a":0}',
  },
  { why: 'what follows the object', rules: {}, text: '{"a":1}\n\n', out: '{"a":1}' },
];

for (const { why, rules, text, out } of CASES) {
  test(`members are edited in every form (${why})`, () => {
    for (const length of [1, 2, 3, text.length]) assert.equal(pushAll(rules, Buffer.from(text), [length]), out);
  });
}

test('a key without end is not held', () => {
  const splicer = new JsonSplicer({});
  splicer.push(Buffer.from('{"'));
  assert.throws(() => {
    for (let piece = 0; piece < 100; piece++) splicer.push(Buffer.alloc(1_024, 'x'));
  }, RangeError);
});
