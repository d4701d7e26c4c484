/** Responses that break off before the answer and go on (SEP-1699), at a server on the SDK's first generation. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { test, type TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { listenLocally } from '@database-mcp/testing';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport, type EventStore } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, type JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { until } from '../test-gateway.ts';
import { messagesOf, openUpstream, send } from './test-bridge.ts';

/** Longer than the server asks to wait, so that the rest is asked for before it is there. */
const WORK_MS = 120;
const RETRY_MS = 60;

function createEventStore(): EventStore {
  const events: { id: string; streamId: string; message: JSONRPCMessage }[] = [];
  return {
    storeEvent: async (streamId, message) => {
      events.push({ id: `${streamId}_${events.length}`, streamId, message });
      return events.at(-1)?.id ?? '';
    },
    replayEventsAfter: async (lastEventId, replay) => {
      const at = events.findIndex(({ id }) => id === lastEventId);
      const { streamId = '' } = events[at] ?? {};
      for (const event of events.slice(at + 1)) {
        if (event.streamId === streamId) await replay.send(event.id, event.message);
      }
      return streamId;
    },
  };
}

interface PollingServer {
  url: string;
  calls: string[];
  /** Values of `Last-Event-ID`. */
  resumed: string[];
  /** The session is not known any more. */
  forget(): void;
  /** Cuts every connection; the server goes on. */
  cut(): void;
  /** Nobody listens any more. */
  stop(): Promise<void>;
}

/** A server that lets go of the response to a call while it works on it. */
async function startPolling(t: TestContext): Promise<PollingServer> {
  const calls: string[] = [];
  const resumed: string[] = [];
  let transport: StreamableHTTPServerTransport | undefined;
  const createTransport = async (): Promise<StreamableHTTPServerTransport> => {
    const server = new Server({ name: 'polling', version: '1' }, { capabilities: { tools: {} } });
    server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
      calls.push(params.name);
      const progressToken = params._meta?.progressToken;
      for (const progress of [1, 2]) {
        if (params.name === 'poll') extra.closeSSEStream?.();
        await setTimeout(WORK_MS);
        if (progressToken === undefined) continue;
        await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress } });
      }
      return { content: [{ type: 'text', text: 'at last' }] };
    });
    const created = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      eventStore: createEventStore(),
      retryInterval: RETRY_MS,
    });
    await server.connect(created);
    return created;
  };
  const http = createServer(async (request, response) => {
    const resumedFrom = request.headers['last-event-id'];
    if (typeof resumedFrom === 'string') resumed.push(resumedFrom);
    if (request.headers['mcp-session-id'] !== undefined && !transport) {
      response.writeHead(404).end();
      return;
    }
    transport ??= await createTransport();
    await transport.handleRequest(request, response);
  });
  const { origin, stop } = await listenLocally(http, { t });
  return {
    url: `${origin}/mcp`,
    calls,
    resumed,
    forget: () => {
      transport = undefined;
    },
    cut: () => http.closeAllConnections(),
    stop,
  };
}

for (const era of ['modern', 'legacy'] as const) {
  test(`a response that the server lets go of goes on, and the call is made once (${era} client)`, async (t) => {
    const server = await startPolling(t);
    const upstream = await openUpstream(t, { url: server.url });
    const version = era === 'legacy' ? { version: '2025-11-25' } : {};
    const meta = { progressToken: 'mine' };
    const { answer } = send(upstream, { method: 'tools/call', params: '{"name":"poll"}', era, meta, ...version });
    const messages = messagesOf(await answer);
    assert.equal(messages.at(-1)?.result.content[0]?.text, 'at last');
    assert.deepEqual(
      messages.slice(0, -1).map(({ params }) => params.progress),
      [1, 2],
      'each notification came once',
    );
    assert.deepEqual(server.calls, ['poll']);
    assert.ok(server.resumed.length >= 2, `asked for the rest ${server.resumed.length} times`);
  });
}

test('a connection that breaks in the middle of a response costs no call, if its events have ids', async (t) => {
  const server = await startPolling(t);
  const upstream = await openUpstream(t, { url: server.url });
  const meta = { progressToken: 'mine' };
  const { answer, seen } = send(upstream, { method: 'tools/call', params: '{"name":"work"}', meta });
  await until('the first notification', () => seen.text.includes('progress'));
  server.cut();
  const messages = messagesOf(await answer);
  assert.equal(messages.at(-1)?.result.content[0]?.text, 'at last');
  assert.deepEqual(server.calls, ['work']);
  assert.equal(server.resumed.length, 1);
});

test('a server that has forgotten the call ends it with an error, and it is not made again', async (t) => {
  const server = await startPolling(t);
  const upstream = await openUpstream(t, { url: server.url });
  const { answer } = send(upstream, { method: 'tools/call', params: '{"name":"poll"}' });
  await until('the call', () => server.calls.length === 1);
  server.forget();
  assert.deepEqual((await answer).failure, { kind: 'cut-off' });
  assert.deepEqual(server.calls, ['poll']);
});

test('a server that is gone ends the call with an error as soon as that is seen', async (t) => {
  const server = await startPolling(t);
  const upstream = await openUpstream(t, { url: server.url, timeoutMs: 600_000 });
  const { answer } = send(upstream, { method: 'tools/call', params: '{"name":"poll"}' });
  await until('the call', () => server.calls.length === 1);
  await server.stop();
  assert.deepEqual((await answer).failure, { kind: 'cut-off' });
});

test('nobody asks for the rest of a response whose client is gone', async (t) => {
  const server = await startPolling(t);
  const upstream = await openUpstream(t, { url: server.url });
  const { handle } = send(upstream, { method: 'tools/call', params: '{"name":"poll"}' });
  await until('the call', () => server.calls.length === 1);
  handle.cancel();
  const next = send(upstream, { method: 'tools/call', params: '{"name":"poll"}' });
  assert.equal(messagesOf(await next.answer).at(-1)?.result.content[0]?.text, 'at last');
  const streams = new Set(server.resumed.map((id) => id.slice(0, id.lastIndexOf('_'))));
  assert.equal(streams.size, 1, 'only the second call was asked for');
});
