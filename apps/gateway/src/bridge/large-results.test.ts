/** Results of many MiB from servers that are spoken to in another form than the client's: edited on their way. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Client, SSEClientTransport } from '@modelcontextprotocol/client';
import type { Gateway } from '../app.ts';
import { modernBody, modernHeaders, post, readResult, startTestGateway, until } from '../test-gateway.ts';
import { heldBytes } from '../test-held-bytes.ts';
import { answerJson, startTestUpstream, toolText, type SeenRequest, type TestUpstream } from '../test-upstream.ts';
import { legacyResultRules, MODERN_RESULT_RULES, spliceResult } from './message-text.ts';

const MIB = 1024 * 1024;
/** Larger than the largest message that is held. */
const PARTS = 64;
const PART = 'x'.repeat(MIB);
const SERVER_INFO = '{"name":"far","version":"9007199254740993"}';
const INITIALIZED = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":${SERVER_INFO}}`;
const NOT_MODERN = '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no such version"}}';
const NOT_LEGACY = '{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"no","data":{}}}';
const TOOLS = { tools: [toolText('big'), toolText('small')] };

const WAYS: readonly Way[] = [
  { server: 'legacy', form: 'json', lines: false },
  { server: 'legacy', form: 'events', lines: false },
  { server: 'legacy', form: 'events', lines: true },
  { server: 'modern', form: 'json', lines: true },
  { server: 'modern', form: 'events', lines: false },
];

/** A way on which a result is edited. `lines`: its text has line breaks, so it is several lines of an event. */
interface Way {
  server: 'legacy' | 'modern';
  form: 'json' | 'events';
  lines: boolean;
}

/** Sends a result of many parts, each when the one before is out. */
type SendBig = (response: ServerResponse, head: string, tail: string, isEvents: boolean) => void;

const sendAll: SendBig = (response, head, tail, isEvents) => {
  response.write(isEvents ? `event: message\ndata: ${head.replaceAll('\n', '\ndata: ')}` : head);
  let left = PARTS;
  const fill = (): void => {
    while (left-- > 0) if (!response.write(PART)) return void response.once('drain', fill);
    response.end(isEvents ? `${tail.replaceAll('\n', '\ndata: ')}\n\n` : tail);
  };
  fill();
};

async function start(t: TestContext, way: Way, sendBig: SendBig = sendAll): Promise<[Gateway, TestUpstream]> {
  const onCall = (seen: SeenRequest, response: ServerResponse): void => {
    if (seen.body.params?.name === 'small') return answerJson(response, toMessage(way, seen.body.id, '"called"'));
    response.writeHead(200, { 'content-type': way.form === 'json' ? 'application/json' : 'text/event-stream' });
    const [head = '', tail = ''] = toMessage(way, seen.body.id, '"PARTS"').split('PARTS');
    sendBig(response, head, tail, way.form === 'events');
  };
  const onRequest = (seen: SeenRequest, response: ServerResponse): boolean => {
    const isModern = seen.headers['mcp-protocol-version'] === '2026-07-28';
    if (way.server === 'modern' && !isModern) return (answerJson(response, NOT_LEGACY, 400), true);
    if (way.server === 'legacy' && isModern) return (answerJson(response, NOT_MODERN, 400), true);
    if (seen.body.method !== 'initialize') return false;
    const id = JSON.stringify(seen.body.id);
    answerJson(response, `{"jsonrpc":"2.0","id":${id},"result":${INITIALIZED}}`);
    return true;
  };
  const upstream = await startTestUpstream(t, { ...TOOLS, onCall, onRequest });
  const gateway = await startTestGateway(t, [{ name: 'far', url: upstream.url, prefix: '', maxConcurrency: 4 }]);
  // The first call finds out what the server is.
  const { headers, body } = toCall(way, 'small');
  assert.match((await post(gateway, body, headers)).text, /"called"/);
  return [gateway, upstream];
}

/** The answer of the server to a call; members that the bridge changes stand before and after the content. */
function toMessage({ server, lines }: Way, id: unknown, text: string): string {
  const gap = lines ? '\n' : ' ';
  const stamp = server === 'modern' ? `"resultType":"complete",${gap}` : '';
  const meta = server === 'modern' ? `,"io.modelcontextprotocol/serverInfo":${SERVER_INFO}` : '';
  return (
    `{"result":{${stamp}"n":9007199254740993,${gap}"content":[{"type":"text","text":${text}}],"isError":false,` +
    `"_meta":{"a":1.0${meta}}},${gap}"jsonrpc":"2.0","id":${JSON.stringify(id)}}`
  );
}

/** A call in the era that is not the server's. */
function toCall({ server }: Way, name: string): { headers: Record<string, string>; body: string } {
  if (server === 'legacy') return { headers: modernHeaders('tools/call', name), body: modernBody('tools/call', { name }, 'c1') }; // prettier-ignore
  const body = JSON.stringify({ jsonrpc: '2.0', id: 'c1', method: 'tools/call', params: { name } });
  return { headers: { 'mcp-protocol-version': '2025-06-18' }, body };
}

/** What the client must get, as text with the place of the parts. */
function toExpected(way: Way, id: unknown): string {
  const legacy = { era: 'modern', idText: '"c1"', method: 'tools/call', serverInfo: SERVER_INFO } as const;
  const rules = way.server === 'legacy' ? legacyResultRules(legacy) : MODERN_RESULT_RULES;
  return spliceResult(Buffer.from(toMessage(way, id, '"PARTS"')), rules).toString('utf8');
}

for (const way of WAYS) {
  const name = `${way.server} server, ${way.form}${way.lines ? ', many lines' : ''}`;

  test(`a result of 64 MiB is edited on its way, with flat memory (${name})`, async (t) => {
    const [gateway, upstream] = await start(t, way);
    const { headers, body } = toCall(way, 'big');
    const before = heldBytes();
    const response = await fetch(`${gateway.url}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
      body,
    });
    const hash = createHash('sha256');
    let [size, measuredAt, peak] = [0, 0, 0];
    for await (const chunk of response.body ?? []) {
      hash.update(chunk);
      size += chunk.length;
      if (size - measuredAt < 8 * MIB) continue;
      measuredAt = size;
      peak = Math.max(peak, heldBytes() - before);
    }
    const [head = '', tail = ''] = toExpected(way, upstream.calls[1]?.body.id).split('PARTS');
    const isEvent = response.headers.get('content-type') === 'text/event-stream';
    const expected = createHash('sha256').update(isEvent ? `event: message\ndata: ${head}` : head);
    for (let part = 0; part < PARTS; part++) expected.update(PART);
    expected.update(isEvent ? `${tail}\n\n` : tail);
    assert.equal(hash.digest('hex'), expected.digest('hex'));
    assert.ok(measuredAt >= 48 * MIB && peak < 40 * MIB, `${Math.round(peak / MIB)} MiB were held`);
  });

  test(`a client that reads a large result slowly holds back only itself (${name})`, async (t) => {
    const [gateway, upstream] = await start(t, way);
    const { headers, body } = toCall(way, 'big');
    const slow = connect(gateway.port, '127.0.0.1');
    t.after(() => slow.destroy());
    await once(slow, 'connect');
    const lines = Object.entries({ 'content-type': 'application/json', 'content-length': body.length, ...headers });
    const head = lines.map(([key, value]) => `${key}: ${value}\r\n`).join('');
    const before = heldBytes();
    slow.write(`POST /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${head}\r\n${body}`);
    slow.pause();
    await until('the big call is at the upstream', () => upstream.calls.length === 2);
    const small = toCall(way, 'small');
    for (let call = 0; call < 100; call++) {
      assert.equal(readResult(await post(gateway, small.body, small.headers)).text, 'called');
    }
    assert.ok(heldBytes() - before < 20 * MIB, 'the big answer waits at the upstream, not in memory');
    let size = 0;
    slow.on('data', (chunk: Buffer) => (size += chunk.length));
    slow.resume();
    await once(slow, 'close');
    assert.ok(size > PARTS * MIB, `${size} bytes`);
  });

  test(`a large result that breaks off is seen to be no whole one, and frees its place (${name})`, async (t) => {
    const [gateway] = await start(t, way, (response, head, _tail, isEvents) => {
      response.write(isEvents ? `data: ${head.replaceAll('\n', '\ndata: ')}` : head);
      response.write(PART, () => setImmediate(() => response.destroy()));
    });
    const { headers, body } = toCall(way, 'big');
    const small = toCall(way, 'small');
    for (let call = 0; call < 8; call++) {
      const outcome = await post(gateway, body, headers).then(
        ({ text }) => text,
        (error: unknown) => error,
      );
      const isSeen = outcome instanceof Error || /UNAVAILABLE: The database server .* closed/.test(String(outcome));
      assert.ok(isSeen, String(outcome).slice(-300));
    }
    assert.equal(readResult(await post(gateway, small.body, small.headers)).text, 'called');
  });
}

test('a large answer that asks for more is held whole, and not taken for a result', async (t) => {
  const way: Way = { server: 'modern', form: 'json', lines: false };
  const asked = JSON.stringify({ a: { method: 'elicitation/create', params: { mode: 'form', message: PART } } });
  const [gateway] = await start(t, way, (response) => {
    response.end(`{"jsonrpc":"2.0","id":"c1","result":{"inputRequests":${asked},"resultType":"input_required"}}`);
  });
  const { headers, body } = toCall(way, 'big');
  const answer = readResult(await post(gateway, body, headers));
  assert.equal(answer.isError, true);
  assert.match(answer.text, /asks for further input/);
});

for (const way of WAYS) {
  test(`a large result reaches a client of HTTP+SSE whole (${way.server} server, ${way.form}${way.lines ? ', many lines' : ''})`, async (t) => {
    const [gateway] = await start(t, way, (response, head, tail, isEvents) => {
      const text = `${head}${PART}${PART}${tail}`;
      response.end(isEvents ? `data: ${text.replaceAll('\n', '\ndata: ')}\n\n` : text);
    });
    const client = new Client({ name: 'c', version: '1' });
    await client.connect(new SSEClientTransport(new URL(`${gateway.url}/sse`)));
    t.after(() => client.close());
    const { content } = await client.callTool({ name: 'big' });
    assert.deepEqual(content, [{ type: 'text', text: PART + PART }]);
  });
}
