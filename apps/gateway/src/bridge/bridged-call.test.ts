import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BridgedCall, readAsked } from './bridged-call.ts';

const MIB = 1024 * 1024;

test('an answer that is there as a whole is given as fast as it is taken, and the call keeps its place until then', () => {
  const taken: Buffer[] = [];
  let isEnded = false;
  let released = 0;
  const call = new BridgedCall(
    readAsked({
      body: Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}'),
      headers: {},
    }),
    {
      start: () => {},
      // Takes a piece, and then nothing until it is asked for more.
      data: (piece) => {
        taken.push(piece);
        return false;
      },
      end: () => {
        isEnded = true;
      },
      failed: () => assert.fail('the call failed'),
    },
    { released: () => released++, abandoned: () => {}, failed: () => {} },
    60_000,
  );
  const answer = Buffer.alloc(MIB, 'x');
  call.reply(answer);
  call.notify(Buffer.from('{"jsonrpc":"2.0","method":"notifications/message"}'));
  assert.ok(taken.length === 1 && (taken[0]?.length ?? MIB) < MIB / 2);
  assert.deepEqual({ isEnded, released }, { isEnded: false, released: 0 });
  for (let piece = 0; piece < 10; piece++) call.resume();
  assert.ok(isEnded);
  assert.ok(Buffer.concat(taken).equals(answer), 'all of it, and nothing else');
  assert.equal(released, 1);
});
