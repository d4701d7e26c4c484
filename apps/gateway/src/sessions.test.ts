/** Sessions of the `initialize` revisions: ids that nobody stores, and what ends with them. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import {
  Client as ModernClient,
  SSEClientTransport,
  StreamableHTTPClientTransport as ModernTransport,
} from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { Gateway } from './app.ts';
import { initialize } from './bridge/test-legacy-call.ts';
import { callTool, modernBody, modernHeaders, post, readResult, startTestGateway, until } from './test-gateway.ts';
import { startTestUpstream, toolText, type TestUpstream } from './test-upstream.ts';

const NOTED = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

function call(id: unknown = 1): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'pg_a' } });
}

/** A gateway before a server; `isWaiting`: its calls are never answered. */
async function start(t: TestContext, isWaiting = false): Promise<{ gateway: Gateway; upstream: TestUpstream }> {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_a')], onCall: isWaiting ? () => {} : undefined });
  return { upstream, gateway: await startTestGateway(t, [{ name: 'pg', url: upstream.url }]) };
}

/** What DELETE is answered; for an error its code too. */
async function end(gateway: { url: string }, headers: Record<string, string>): Promise<[number, number | undefined]> {
  const response = await fetch(`${gateway.url}/mcp`, { method: 'DELETE', headers });
  const text = await response.text();
  return [response.status, text === '' ? undefined : JSON.parse(text).error.code];
}

test('a legacy client gets a session id that is kept nowhere: any id of the right form serves, a malformed one is told', async (t) => {
  const { gateway } = await start(t);
  const ids = [await initialize(gateway, {}), await initialize(gateway, {})];
  assert.match(ids[0] ?? '', /^[0-9a-f-]{36}$/);
  assert.notEqual(ids[0], ids[1]);
  for (const session of [ids[0] ?? '', 'from-another-replica', '!~']) {
    const answered = await post(gateway, call(), { 'mcp-session-id': session });
    assert.equal(readResult(answered).text, 'called pg_a');
    assert.equal(answered.headers.get('mcp-session-id'), null);
  }
  for (const session of ['two words', 'x'.repeat(129)]) {
    assert.equal((await post(gateway, call(), { 'mcp-session-id': session })).status, 400);
  }
  const modern = { ...modernHeaders('tools/call', 'pg_a'), 'mcp-session-id': 'two words' };
  assert.equal(readResult(await post(gateway, modernBody('tools/call', { name: 'pg_a' }), modern)).text, 'called pg_a');
});

test('DELETE ends a session: what comes with its id from then on is told to initialize again', async (t) => {
  const { gateway } = await start(t);
  const session = await initialize(gateway);
  const headers = { 'mcp-session-id': session };
  assert.equal(readResult(await post(gateway, call(), headers)).text, 'called pg_a');
  assert.deepEqual(await end(gateway, { ...headers, 'mcp-protocol-version': '2025-11-25' }), [204, undefined]);
  for (const body of [call(), NOTED, `[${call()}]`]) {
    const { status, text } = await post(gateway, body, headers);
    assert.deepEqual([status, JSON.parse(text).error.code], [404, -32_001], body);
    assert.match(JSON.parse(text).error.message, /send initialize again/);
  }
  assert.deepEqual(await end(gateway, headers), [404, -32_001]);
  assert.equal((await callTool(gateway, 'pg_a')).status, 200, 'a client without an id');
  assert.equal((await post(gateway, call(), { 'mcp-session-id': await initialize(gateway) })).status, 200, 'a new one');
  const modern = { ...modernHeaders('tools/call', 'pg_a'), ...headers };
  const left = await post(gateway, modernBody('tools/call', { name: 'pg_a' }), modern);
  assert.equal(readResult(left).text, 'called pg_a', 'a modern client, whatever it has left over');
});

test('DELETE that names no session says what it needs', async (t) => {
  const { gateway } = await start(t);
  assert.deepEqual(await end(gateway, {}), [400, -32_600]);
  assert.deepEqual(await end(gateway, { 'mcp-session-id': 'two words' }), [400, -32_600]);
  const modern = { 'mcp-session-id': 'abc', 'mcp-protocol-version': '2026-07-28' };
  assert.deepEqual(await end(gateway, modern), [400, -32_600], 'there is no session in 2026-07-28');
  assert.equal((await post(gateway, call(), { 'mcp-session-id': 'abc' })).status, 200);
});

const STREAM = { accept: 'text/event-stream', 'mcp-protocol-version': '2025-11-25' };

test('GET opens a stream for legacy clients alone, and one that says what else it is for is refused', async (t) => {
  const { gateway } = await start(t);
  const table: { headers: Record<string, string>; status: number; why: string }[] = [
    { headers: {}, status: 405, why: 'a browser' },
    { headers: { ...STREAM, 'mcp-protocol-version': '2026-07-28' }, status: 405, why: 'a modern client' },
    { headers: { ...STREAM, 'last-event-id': '7' }, status: 405, why: 'the rest of another stream' },
    { headers: { ...STREAM, 'mcp-session-id': 'two words' }, status: 400, why: 'a malformed id' },
  ];
  for (const { headers, status, why } of table) {
    const got = await fetch(`${gateway.url}/mcp`, { headers });
    assert.equal(got.status, status, why);
    if (status === 405) assert.equal(got.headers.get('allow'), 'POST, DELETE, GET', why);
    assert.match(JSON.stringify(await got.json()), status === 405 ? /Accept: text\/event-stream/ : /session id/, why);
  }
});

test('the stream of a session ends with the session, with a newer one, and with the gateway', async (t) => {
  const { gateway } = await start(t);
  const openStream = async (session?: string): Promise<{ whole: Promise<string> }> => {
    const own: Record<string, string> = session === undefined ? {} : { 'mcp-session-id': session };
    const got = await fetch(`${gateway.url}/mcp`, { headers: { ...STREAM, ...own } });
    assert.deepEqual([got.status, got.headers.get('content-type')], [200, 'text/event-stream']);
    return { whole: got.text() };
  };
  const headers = { 'mcp-session-id': 'abc' };
  const others = await Promise.all([openStream('abcd'), openStream()]);
  const older = await openStream('abc');
  const newer = await openStream('abc');
  assert.equal(await older.whole, '');
  assert.deepEqual(await end(gateway, headers), [204, undefined]);
  assert.equal(await newer.whole, '');
  const again = await fetch(`${gateway.url}/mcp`, { headers: { ...STREAM, ...headers } });
  assert.equal(again.status, 404);
  await again.body?.cancel();
  const wholes = others.map(({ whole }) => whole);
  assert.equal(await Promise.race([...wholes, Promise.resolve('open')]), 'open', 'the streams of others go on');
  await gateway.close();
  assert.deepEqual(await Promise.all(wholes), ['', '']);
});

test('the calls of a session end with it, those of a batch too, and no others', async (t) => {
  const { gateway, upstream } = await start(t, true);
  const headers = { 'mcp-session-id': 'abc' };
  const single = post(gateway, call(1), headers);
  const batch = post(gateway, `[${call(2)},${call(3)}]`, headers);
  const gone = new AbortController();
  const strangers: Record<string, string>[] = [{ 'mcp-session-id': 'abcd' }, {}];
  const others = strangers.map((stranger) => post(gateway, call(1), stranger, gone.signal));
  await until('all calls are at the upstream', () => upstream.calls.length === 5);
  assert.deepEqual(await end(gateway, headers), [204, undefined]);
  await until('the upstream sees three ends', () => upstream.aborted === 3);
  const answers = await Promise.all([single, batch]);
  assert.deepEqual(
    answers.map(({ status, text }) => [status, text]),
    [
      [200, ''],
      [202, ''],
    ],
    'as after notifications/cancelled',
  );
  assert.equal(upstream.aborted, 3);
  gone.abort();
  await Promise.allSettled(others);
});

test('a client over HTTP+SSE is not concerned: its session is its stream', async (t) => {
  const { gateway } = await start(t);
  let posted = '';
  const transport = new SSEClientTransport(new URL(`${gateway.url}/sse`), {
    fetch: (url, init) => {
      posted = new URL(url).searchParams.get('sessionId') ?? posted;
      return fetch(url, init);
    },
  });
  const client = new ModernClient({ name: 'c', version: '1' });
  await client.connect(transport);
  t.after(() => client.close());
  assert.deepEqual(await end(gateway, { 'mcp-session-id': posted }), [204, undefined]);
  assert.equal((await client.listTools()).tools.length > 0, true);
});

interface TestTransport {
  sessionId?: string | undefined;
  terminateSession(): Promise<void>;
}

interface TestClient {
  transport: TestTransport;
  callTool(call: { name: string }): Promise<unknown>;
}

const CLIENTS: Record<string, (t: TestContext, url: URL) => Promise<TestClient>> = {
  v1: async (t, url) => {
    const transport = new StreamableHTTPClientTransport(url);
    const client = new Client({ name: 'v1', version: '1' });
    t.after(() => client.close());
    await client.connect(transport as Transport);
    return { transport, callTool: (params) => client.callTool(params) };
  },
  v2: async (t, url) => {
    const transport = new ModernTransport(url);
    const client = new ModernClient({ name: 'v2', version: '1' }, { versionNegotiation: { mode: 'legacy' } });
    t.after(() => client.close());
    await client.connect(transport);
    return { transport, callTool: (params) => client.callTool(params) };
  },
};

for (const [version, connect] of Object.entries(CLIENTS)) {
  test(`a client of the SDK (${version}) ends its session without an error, and begins a new one`, async (t) => {
    const { gateway } = await start(t);
    const url = new URL(`${gateway.url}/mcp`);
    const client = await connect(t, url);
    const session = client.transport.sessionId ?? '';
    await client.callTool({ name: 'pg_a' });
    await client.transport.terminateSession();
    assert.equal(client.transport.sessionId, undefined);
    assert.equal((await post(gateway, call(), { 'mcp-session-id': session })).status, 404);
    const next = await connect(t, url);
    assert.notEqual(next.transport.sessionId, session);
    await next.callTool({ name: 'pg_a' });
    // Ended by somebody else who has the id, as another window of the same client.
    await end(gateway, { 'mcp-session-id': next.transport.sessionId ?? '' });
    await assert.rejects(next.callTool({ name: 'pg_a' }), /send initialize again/);
    await (await connect(t, url)).callTool({ name: 'pg_a' });
  });
}
