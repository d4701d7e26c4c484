import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '../upstream/upstream.ts';
import { clientErrorType, OutcomeReader, readOwnAnswer, serverErrorType } from './outcome.ts';

const LONG = 'x'.repeat(200_000);
const TRAP = String.raw`{\"isError\":true}`;

/** Reads the text in pieces of that size; `hasLength`: its length is known before. */
function read(text: string, kind: 'json' | 'events', pieceBytes: number, hasLength = false): Outcome {
  const reader = new OutcomeReader();
  const bytes = Buffer.from(text);
  reader.start(kind === 'events' ? { kind } : { kind, status: 200, length: hasLength ? bytes.length : undefined });
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes));
  assert.equal(reader.bytes, bytes.length);
  return reader.finish();
}

const TABLE: { text: string; expected: string | undefined; why: string }[] = [
  { text: '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}', expected: undefined, why: 'a result' },
  { text: '{"result":{"content":[],"isError": true},"id":1}', expected: 'tool_error', why: 'isError at the end' },
  { text: '{"result":{"isError":true,"content":[]},"id":1}', expected: 'tool_error', why: 'isError at the beginning' },
  { text: '{"result":{"isError":false},"id":1}', expected: undefined, why: 'isError is false' },
  { text: `{"result":{"content":[{"text":"${TRAP}"}]},"id":1}`, expected: undefined, why: 'a text that looks like it' },
  {
    text: '{"result":{"structuredContent":{"isError":true}},"id":1}',
    expected: undefined,
    why: 'a member of the content with that name',
  },
  { text: '{"id":1,"error":{"code":-32603,"message":"no"}}', expected: '-32603', why: 'a JSON-RPC error' },
  {
    text: `{"result":{"content":["${LONG}"],"isError":true}}`,
    expected: 'tool_error',
    why: 'a long result, at its end',
  },
  {
    text: `{"result":{"isError":true,"content":["${LONG}"]}}`,
    expected: 'tool_error',
    why: 'a long one, at its beginning',
  },
  { text: `{"result":{"content":["${TRAP}${LONG}${TRAP}"]}}`, expected: undefined, why: 'a long one with such texts' },
  { text: `{"error":{"code":-32001,"message":"${LONG}"}}`, expected: '-32001', why: 'a long error' },
];
for (const { text, expected, why } of TABLE) {
  for (const pieceBytes of [100, 16_384, 65_536, 400_000]) {
    test(`an outcome is read in passing: ${why} (pieces of ${pieceBytes} bytes)`, () => {
      assert.equal(clientErrorType(read(text, 'json', pieceBytes)), expected);
      assert.equal(clientErrorType(read(text, 'json', pieceBytes, true)), expected, 'with a known length');
      const progress = 'event: message\ndata: {"method":"notifications/progress","params":{}}\n\n';
      const events = `: comment\n\n${progress}event: message\ndata: ${text}\n\n: comment\n\n`;
      assert.equal(clientErrorType(read(events, 'events', pieceBytes)), expected, 'as an event');
    });
  }
}

test('an answer without a response was cut off', () => {
  const CUT = { kind: 'failure', failure: 'cut-off' };
  assert.deepEqual(read('', 'json', 1), CUT);
  assert.deepEqual(read('data: {"method":"notifications/message"}\n\n', 'events', 100), CUT);
});

test('a mistake of the caller is an error for the client only', () => {
  for (const [code, isServerError] of [
    [-32_700, false],
    [-32_600, false],
    [-32_601, false],
    [-32_602, false],
    [-32_002, false],
    [-32_603, true],
    [-32_000, true],
  ] as const) {
    const outcome: Outcome = { kind: 'rpc-error', code, message: '' };
    assert.equal(clientErrorType(outcome), String(code));
    assert.equal(serverErrorType(outcome), isServerError ? String(code) : undefined);
  }
});

test("the gateway's own answers tell their outcome", () => {
  assert.equal(readOwnAnswer('{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}').kind, 'ok');
  assert.equal(readOwnAnswer('{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":true}}').kind, 'tool-error');
  assert.deepEqual(readOwnAnswer('{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}'), {
    kind: 'rpc-error',
    code: -32_601,
    message: 'no',
  });
});
