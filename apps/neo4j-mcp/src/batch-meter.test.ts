import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBatchMeter } from './batch-meter.ts';

const RECORD = 0x71;
const SUCCESS = 0x70;

/** A Bolt message: chunks of at most `chunkBytes`, then the end mark. */
function message(signature: number, bytes: number, chunkBytes = 100): Buffer {
  const body = Buffer.alloc(bytes, 0xcc);
  body[0] = 0xb1;
  body[1] = signature;
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes; at += chunkBytes) {
    const chunk = body.subarray(at, at + chunkBytes);
    parts.push(Buffer.from([chunk.length >> 8, chunk.length & 0xff]), chunk);
  }
  return Buffer.concat([...parts, Buffer.from([0, 0])]);
}

function countExceeded(limitBytes: number, bytes: Buffer, sliceBytes: number): number {
  let exceeded = 0;
  const meter = createBatchMeter(limitBytes, () => exceeded++);
  for (let at = 0; at < bytes.length; at += sliceBytes) meter(bytes.subarray(at, at + sliceBytes));
  return exceeded;
}

const CASES: { messages: Buffer[]; exceeded: number; why: string }[] = [
  { messages: [message(RECORD, 1_000)], exceeded: 0, why: 'exactly the limit' },
  { messages: [message(RECORD, 1_001)], exceeded: 1, why: 'one record that is too large' },
  { messages: [message(RECORD, 600), message(RECORD, 600)], exceeded: 1, why: 'two records of one batch' },
  { messages: [message(RECORD, 600), message(SUCCESS, 10), message(RECORD, 600)], exceeded: 0, why: 'two batches' },
  {
    messages: [message(RECORD, 600, 1), message(SUCCESS, 10, 1), message(RECORD, 600, 1)],
    exceeded: 0,
    why: 'chunks of one byte',
  },
  { messages: [message(RECORD, 5_000), message(RECORD, 5_000)], exceeded: 1, why: 'told once' },
  {
    messages: [Buffer.from([0, 0, 0, 0]), message(RECORD, 1_000)],
    exceeded: 0,
    why: 'empty messages keep a connection alive',
  },
];

test('a batch of records that is larger than the limit is told, however the bytes are cut', () => {
  for (const { messages, exceeded, why } of CASES) {
    for (const sliceBytes of [1, 2, 3, 7, 1_000_000]) {
      assert.equal(
        countExceeded(1_000, Buffer.concat(messages), sliceBytes),
        exceeded,
        `${why}, slices of ${sliceBytes}`,
      );
    }
  }
});
