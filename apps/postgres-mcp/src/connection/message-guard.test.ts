import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ToolError } from '@database-mcp/errors';
import { MessageGuard } from './message-guard.ts';

const message = (kind: string, body: Buffer): Buffer => {
  const header = Buffer.alloc(5);
  header.write(kind, 'latin1');
  header.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
};

const row = (...values: (Buffer | string | null)[]): Buffer => {
  const count = Buffer.alloc(2);
  count.writeUInt16BE(values.length);
  const parts = values.map((value) => {
    const length = Buffer.alloc(4);
    if (value === null) length.writeInt32BE(-1);
    else length.writeUInt32BE(Buffer.byteLength(value));
    return Buffer.concat([length, Buffer.from(value ?? '')]);
  });
  return message('D', Buffer.concat([count, ...parts]));
};

const error = (...fields: [letter: string, text: string][]): Buffer =>
  message('E', Buffer.concat([...fields.map(([letter, text]) => Buffer.from(`${letter}${text}\0`)), Buffer.from([0])]));

interface Passed {
  bytes: Buffer;
  cuts: [place: number, size: number][][];
}

/** What passes a guard when the bytes come in pieces of this size. */
function pass(bytes: Buffer, pieceBytes: number, prepare: (guard: MessageGuard) => void = () => {}): Passed {
  const chunks: Buffer[] = [];
  const cuts: Passed['cuts'] = [];
  const guard = new MessageGuard((chunk) => {
    chunks.push(Buffer.from(chunk));
    if (guard.cuts?.size) cuts.push([...guard.cuts]);
  });
  prepare(guard);
  for (let at = 0; at < bytes.length; at += pieceBytes) guard.push(bytes.subarray(at, at + pieceBytes));
  assert.equal(guard.cuts, undefined, 'nothing of a row is remembered');
  return { bytes: Buffer.concat(chunks), cuts };
}

const SHORT = Buffer.concat([
  message('1', Buffer.alloc(0)),
  row('a', null, ''),
  message('T', Buffer.alloc(300)),
  row('x'.repeat(1_000)),
  message('Z', Buffer.from('I')),
]);

test('ordinary messages pass byte for byte, however they are cut into pieces', () => {
  for (let pieceBytes = 1; pieceBytes < 40; pieceBytes++) assert.deepEqual(pass(SHORT, pieceBytes).bytes, SHORT);
  assert.deepEqual(pass(SHORT, SHORT.length).bytes, SHORT);
});

const LONG = 'y'.repeat(400_000);

test('of a long row each value keeps its beginning, and what was cut is told with its size while the row passes', () => {
  const sent = Buffer.concat([SHORT, row('a', LONG, null, '', 'z'.repeat(20_000), LONG), SHORT]);
  const expected = Buffer.concat([SHORT, row('a', 'y'.repeat(100), null, '', 'z'.repeat(100), 'y'.repeat(100)), SHORT]);
  for (const pieceBytes of [1, 7, 8_192, 65_536, sent.length]) {
    const passed = pass(sent, pieceBytes, (guard) => (guard.maxValueBytes = 100));
    assert.deepEqual(passed.bytes, expected, `pieces of ${pieceBytes}`);
    assert.deepEqual(passed.cuts, [[[1, 400_000], [4, 20_000], [5, 400_000]]]); // prettier-ignore
  }
});

test('a long row of values that are all wanted passes whole', () => {
  const sent = row(...Array.from({ length: 200 }, () => 'w'.repeat(10_000)));
  const passed = pass(sent, 65_536, (guard) => (guard.maxValueBytes = 10_000));
  assert.deepEqual(passed, { bytes: sent, cuts: [] });
});

test('of a row with very many long values no more than 16 MiB are kept, and every size is told', () => {
  const sent = row(...Array.from({ length: 40 }, () => 'v'.repeat(600_000)));
  const { bytes, cuts } = pass(sent, 65_536, (guard) => (guard.maxValueBytes = 600_000));
  assert.ok(bytes.length < 17 * 1024 * 1024);
  assert.equal(cuts[0]?.length, 40 - Math.floor((16 * 1024 * 1024) / 600_000));
});

test('a long error keeps the beginning of each part, and its place', () => {
  const sent = error(['S', 'ERROR'], ['C', '22P02'], ['M', `invalid: ${LONG}`], ['P', '17']);
  const expected = error(['S', 'ERROR'], ['C', '22P02'], ['M', `invalid: ${LONG.slice(0, 8_192 - 9)}…`], ['P', '17']);
  for (const pieceBytes of [1, 8_192, sent.length]) assert.deepEqual(pass(sent, pieceBytes).bytes, expected);
});

test('anything else that is too large for memory is refused before it is read', () => {
  const header = Buffer.from([0x64, 0x7f, 0xff, 0xff, 0xff]);
  assert.throws(() => pass(header, 5), (found) => found instanceof ToolError && found.code === 'TOO_LARGE'); // prettier-ignore
});

const ESCAPED = [
  { bytes: Buffer.from('café😀'), text: 'café😀', why: 'UTF-8 stays' },
  { bytes: Buffer.from('caf\xe9', 'latin1'), text: 'caf\\xe9', why: 'a Latin-1 letter' },
  { bytes: Buffer.from([0xe9, 0x61]), text: '\\xe9a', why: 'the beginning of a character that does not go on' },
  { bytes: Buffer.from([0xff, 0xfe]), text: '\\xff\\xfe', why: 'bytes that UTF-8 never has' },
  { bytes: Buffer.from([0xc0, 0x80]), text: '\\xc0\\x80', why: 'too long a form of NUL' },
  { bytes: Buffer.from([0xed, 0xa0, 0x80]), text: '\\xed\\xa0\\x80', why: 'half of a surrogate pair' },
  { bytes: Buffer.from([0x61, 0xf0, 0x9f]), text: 'a\\xf0\\x9f', why: 'a character that is cut off' },
];

for (const { bytes, text, why } of ESCAPED) {
  test(`[54] bytes that are no UTF-8 become ${text} (${why})`, () => {
    const passed = pass(row('n', bytes, null), 3, (guard) => (guard.escapes = true));
    assert.deepEqual(passed.bytes, row('n', text, null));
  });
}

test('[54] a character at which a long value is cut is not taken for wrong bytes', () => {
  for (const maxValueBytes of [10, 11, 12, 13]) {
    const passed = pass(row('é😀'.repeat(100_000)), 8_192, (guard) =>
      Object.assign(guard, { escapes: true, maxValueBytes }),
    );
    assert.equal(passed.bytes.includes('\\x'), false, `${maxValueBytes} bytes`);
    assert.equal(passed.bytes.includes('é😀'), true);
  }
});
