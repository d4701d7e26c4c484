import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createRewritingReply } from '../edge/rewriting-reply.ts';
import type { ReplyHead } from '../upstream/upstream.ts';
import { toPublishedUri, toUpstreamUri } from './published-uris.ts';
import { rewriteMessage } from './rewrite-uris.ts';

const OWN = 'db://x';
const PUBLISHED = 'two+db://x';
const link = { type: 'resource_link', uri: OWN, name: 'n' };
const embedded = { type: 'resource', resource: { uri: OWN, text: 't' } };

/** In `message` every URI that stands at a place the protocol names is OWN; elsewhere the text is "data". */
const PLACES = [
  { message: { result: { contents: [{ uri: OWN, text: 'data' }] } }, why: 'contents of a resource' },
  { message: { result: { content: [link, embedded] } }, why: 'content of a tool result' },
  { message: { result: { messages: [{ role: 'user', content: embedded }] } }, why: 'messages of a prompt' },
  { message: { result: { messages: [{ role: 'user', content: [link] }] } }, why: 'messages with several blocks' },
  {
    message: { result: { content: [{ type: 'tool_result', toolUseId: 'a', content: [link, embedded] }] } },
    why: 'a tool result within a message',
  },
  {
    message: {
      result: {
        resultType: 'input_required',
        inputRequests: { a: { method: 'sampling/createMessage', params: { messages: [{ content: [embedded] }] } } },
      },
    },
    why: 'what an unfinished call asks of the client',
  },
  { message: { result: { _meta: { ui: { resourceUri: OWN } } } }, why: 'the user interface of a result' },
  { message: { method: 'notifications/resources/updated', params: { uri: OWN } }, why: 'a changed resource' },
  { message: { error: { code: -32602, message: 'data', data: { uri: OWN } } }, why: 'a resource that is missing' },
];

const ELSEWHERE = [
  { message: { result: { structuredContent: { uri: OWN, content: [link] } } }, why: 'data of a tool' },
  { message: { result: { content: [{ type: 'text', text: OWN, uri: OWN }] } }, why: 'text' },
  { message: { method: 'notifications/message', params: { uri: OWN, data: link } }, why: 'a log line' },
  { message: { result: { completion: { values: [OWN] } } }, why: 'values of a completion' },
];

function rewrite(text: string): string {
  return rewriteMessage(Buffer.from(text), (uri) => toPublishedUri('two', uri)).toString('utf8');
}

test('URIs are translated at every place that the protocol names, and no other byte changes', async (t) => {
  for (const { message, why } of PLACES) {
    await t.test(why, () => {
      const text = JSON.stringify({ n: 0, ...message }, undefined, 1).replace(
        '"n": 0',
        '"n":\t9007199254740993 , "é":""',
      );
      assert.equal(rewrite(text), text.replaceAll(OWN, PUBLISHED));
      assert.notEqual(rewrite(text), text);
    });
  }
});

test('what only looks like a URI of a resource stays', async (t) => {
  for (const { message, why } of ELSEWHERE) {
    await t.test(why, () => assert.equal(rewrite(JSON.stringify(message)), JSON.stringify(message)));
  }
});

test('any JSON passes, and text that is none', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      assert.doesNotThrow(() => rewrite(text));
    }),
  );
  assert.equal(rewrite('{"result":'), '{"result":');
});

test('a published URI leads back to the one that it was made of', () => {
  fc.assert(
    fc.property(fc.webUrl(), fc.constantFrom('', 'ui://', 'a+b:', 'urn:x:'), (url, scheme) => {
      const uri = `${scheme}${url}`;
      assert.equal(toUpstreamUri('two', toPublishedUri('two', uri)), uri);
      assert.equal(toUpstreamUri('one', toPublishedUri('two', uri)), undefined);
    }),
  );
});

const STREAM = [
  ': hello\r\n\r\n',
  `event: message\r\nid: 1\r\ndata: {"method":"notifications/resources/updated",\r\ndata: "params":{"uri":"${OWN}"}}\r\n\r\n`,
  'data: {"method":"notifications/message","params":{"data":"é"}}\n\n',
  `data:{"id":1,"result":{"contents":[{"uri":"${OWN}"}]}}\n\n`,
].join('');

test('an event stream is translated in the same way however it is cut into pieces', () => {
  const run = (cuts: readonly number[]): string => {
    const bytes = Buffer.from(STREAM);
    const out: Buffer[] = [];
    let isEnded = false;
    const reply = createRewritingReply(
      {
        attach: () => {},
        start: (head: ReplyHead) => assert.equal(head.kind, 'events'),
        data: (chunk) => out.push(chunk) > 0,
        end: () => {
          isEnded = true;
        },
        failed: () => assert.fail(),
      },
      'two',
    );
    reply.start({ kind: 'events' });
    const places = [0, ...cuts.map((cut) => cut % bytes.length).toSorted((a, b) => a - b), bytes.length];
    for (let index = 1; index < places.length; index++) reply.data(bytes.subarray(places[index - 1], places[index]));
    reply.end();
    assert.ok(isEnded);
    return Buffer.concat(out).toString('utf8');
  };
  const whole = run([]);
  assert.equal(whole.split(PUBLISHED).length, 3);
  assert.ok(whole.startsWith(': hello\r\n\r\nevent: message\r\nid: 1\r\n'));
  fc.assert(fc.property(fc.array(fc.nat(), { maxLength: 20 }), (cuts) => assert.equal(run(cuts), whole)));
});
