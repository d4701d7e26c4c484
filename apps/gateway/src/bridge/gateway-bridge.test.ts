import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { startFixtureServer } from '@database-mcp/testing';
import type { Gateway } from '../app.ts';
import { callTool, listNames, post, startTestGateway, until } from '../test-gateway.ts';
import { answerJson, startTestUpstream } from '../test-upstream.ts';
import { startForeign } from './test-bridge.ts';

const SCRIPT = fileURLToPath(new URL('test-stdio/main.ts', import.meta.url));

/** A gateway before one server of each kind. */
async function startAll(t: TestContext): Promise<Gateway> {
  const [sessions, stateless, sse] = [
    await startForeign(t, 'sessions'),
    await startForeign(t, 'stateless'),
    await startForeign(t, 'sse'),
  ];
  const modern = await startFixtureServer({ legacy: 'reject', prefix: '' });
  t.after(modern.close);
  const gateway = await startTestGateway(t, [
    { name: 'sessions', url: sessions.url },
    { name: 'stateless', url: stateless.url },
    { name: 'sse', url: sse.url },
    { name: 'modern', url: modern.url },
    { name: 'stdio', command: process.execPath, args: [SCRIPT] },
  ]);
  await until('the command has started', async () => (await listNames(gateway)).includes('stdio_env'), 10_000);
  return gateway;
}

const CALLS = [
  { name: 'sessions_progress', text: 'done' },
  { name: 'stateless_progress', text: 'done' },
  { name: 'sse_progress', text: 'done' },
  { name: 'modern_echo', text: 'hi' },
  { name: 'stdio_progress', text: 'pid' },
];

/** Which upstreams' transport has a way for progress besides the answer. */
const WITH_PROGRESS = new Set(['sessions_progress', 'sse_progress', 'stdio_progress']);

interface Result {
  content: unknown;
}

/** Calls every upstream with progress wanted, and checks the answers and what was told meanwhile. */
async function callAll(
  call: (name: string, args: Record<string, unknown>, onprogress: () => void) => Promise<Result>,
): Promise<void> {
  for (const { name, text } of CALLS) {
    let progress = 0;
    const result = await call(name, { text: 'hi' }, () => progress++);
    assert.match(JSON.stringify(result.content), new RegExp(text), name);
    if (WITH_PROGRESS.has(name)) assert.ok(progress > 0, `${name} told its progress`);
  }
}

test('a modern SDK client calls upstreams of every era and transport through the gateway', async (t) => {
  const gateway = await startAll(t);
  const client = new ModernClient(
    { name: 'modern', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  await client.connect(new ModernTransport(new URL(`${gateway.url}/mcp`)));
  t.after(() => client.close());
  await callAll((name, args, onprogress) => client.callTool({ name, arguments: args }, { onprogress }));
});

test('a legacy SDK client over Streamable HTTP calls upstreams of every era and transport', async (t) => {
  const gateway = await startAll(t);
  const client = new Client({ name: 'legacy', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`)));
  t.after(() => client.close());
  await callAll(
    (name, args, onprogress) =>
      client.callTool({ name, arguments: args }, undefined, { onprogress }) as Promise<Result>,
  );
});

test('a legacy SDK client over HTTP+SSE calls upstreams of every era and transport', async (t) => {
  const gateway = await startAll(t);
  const client = new Client({ name: 'legacy', version: '1' });
  await client.connect(new SSEClientTransport(new URL(`${gateway.url}/sse`)));
  t.after(() => client.close());
  await callAll(
    (name, args, onprogress) =>
      client.callTool({ name, arguments: args }, undefined, { onprogress }) as Promise<Result>,
  );
});

test('a client of 2024-11-05 gets links and audio as text from every server; a newer one gets them as they are', async (t) => {
  const link = '{"type":"resource_link","uri":"test://a","name":"a"}';
  const audio = '{"type":"audio","data":"AA==","mimeType":"audio/wav"}';
  const own = await startTestUpstream(t, {
    onCall: ({ body }, response) =>
      answerJson(response, `{"jsonrpc":"2.0","id":${JSON.stringify(body.id)},"result":{"content":[${link},${audio}]}}`),
  });
  const foreign = await startForeign(t, 'sessions');
  const gateway = await startTestGateway(t, [
    { name: 'own', url: own.url },
    { name: 'foreign', url: foreign.url },
  ]);
  const table = [
    { version: '2024-11-05', own: ['text', 'text'], foreign: ['text'], why: 'knows neither links nor audio' },
    { version: '2025-03-26', own: ['text', 'audio'], foreign: ['text'], why: 'knows audio' },
    { version: '2025-11-25', own: ['resource_link', 'audio'], foreign: ['resource_link'], why: 'knows both' },
  ];
  // What a server is, is found out at its first legacy call.
  await callTool(gateway, 'own_query');
  for (const { version, why, ...expected } of table) {
    const call = async (name: string): Promise<string[]> => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } });
      const { result } = JSON.parse((await post(gateway, body, { 'mcp-protocol-version': version })).text);
      return result.content.map(({ type }: { type: string }) => type);
    };
    assert.deepEqual(await call('own_query'), expected.own, why);
    assert.deepEqual(await call('foreign_link'), expected.foreign, why);
  }
});

test('an answer that a client of an old revision can read keeps every byte, `_meta` and unknown members included', async (t) => {
  const answer = `{ "jsonrpc":"2.0", "result": {"resultType":"complete","content":[ {"type":"text","text":"\\u0061"} ],
    "_meta":{"io.modelcontextprotocol/serverInfo":{"name":"a","version":"1.0"},"x":9007199254740993}, "unknown":1.10}, "id":1 }`;
  const own = await startTestUpstream(t, { onCall: (_request, response) => answerJson(response, answer) });
  const gateway = await startTestGateway(t, [{ name: 'own', url: own.url }]);
  await callTool(gateway, 'own_query');
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'own_query' } });
  for (const version of ['2024-11-05', '2025-03-26']) {
    assert.equal((await post(gateway, body, { 'mcp-protocol-version': version })).text, answer, version);
  }
});

test('a client over HTTP+SSE gets links as its own revision has them', async (t) => {
  const foreign = await startForeign(t, 'sessions');
  const gateway = await startTestGateway(t, [{ name: 'foreign', url: foreign.url }]);
  const client = new Client({ name: 'legacy', version: '1' });
  await client.connect(new SSEClientTransport(new URL(`${gateway.url}/sse`)));
  t.after(() => client.close());
  const { content } = (await client.callTool({ name: 'foreign_link' })) as Result;
  assert.match(JSON.stringify(content), /"resource_link"/);
});
