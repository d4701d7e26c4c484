import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { listenLocally } from '@database-mcp/testing';
import { until } from '../test-gateway.ts';
import { messagesOf, openUpstream, send, startForeign, type ForeignKind } from './test-bridge.ts';

const KINDS: ForeignKind[] = ['sessions', 'stateless', 'sse'];

for (const kind of KINDS) {
  test(`a modern client calls a legacy server (${kind}): modern result, unknown members and exact numbers`, async (t) => {
    const foreign = await startForeign(t, kind);
    const upstream = await openUpstream(t, { url: foreign.url });
    const { answer } = send(upstream, {
      method: 'tools/call',
      id: '"a"',
      params: '{"name":"echo","arguments":{"text":"hi"}}',
    });
    const [message] = messagesOf(await answer);
    assert.equal(message?.id, 'a');
    assert.equal(message?.result.resultType, 'complete');
    assert.deepEqual(message?.result.structuredContent, { text: 'hi' });
    assert.deepEqual(message?.result._meta?.['io.modelcontextprotocol/serverInfo'], {
      name: 'foreign',
      version: '9.9.9',
    });
    assert.equal(message?.result._meta?.['example.com/seen'], true);
    assert.deepEqual(foreign.stats.calls, [{ name: 'echo', meta: undefined }]);
  });

  test(`a legacy client calls a legacy server (${kind}): the result as the server gave it`, async (t) => {
    const foreign = await startForeign(t, kind);
    const upstream = await openUpstream(t, { url: foreign.url });
    const call = { method: 'tools/call', id: '12345678901234567890', era: 'legacy' as const, version: '2025-06-18' };
    const { answer } = send(upstream, { ...call, params: '{"name":"echo","arguments":{"text":"hi"}}' });
    const { text } = await answer;
    assert.match(text, /12345678901234567890/);
    const [message] = messagesOf(await answer);
    assert.equal(message?.result.resultType, undefined);
    assert.deepEqual(message?.result._meta, { 'example.com/seen': true });
  });
}

test('progress and log lines of a call reach its client, under its own token and in order', async (t) => {
  for (const kind of ['sessions', 'sse'] as const) {
    const foreign = await startForeign(t, kind);
    const upstream = await openUpstream(t, { url: foreign.url });
    const meta = { progressToken: 'mine', 'io.modelcontextprotocol/logLevel': 'info' };
    const { answer } = send(upstream, { method: 'tools/call', params: '{"name":"progress"}', meta });
    const messages = messagesOf(await answer);
    const progress = messages.filter(({ method }) => method === 'notifications/progress');
    assert.deepEqual(
      progress.map(({ params }) => [params.progressToken, params.progress]),
      [
        ['mine', 1],
        ['mine', 2],
        ['mine', 3],
      ],
      kind,
    );
    assert.equal(messages.filter(({ method }) => method === 'notifications/message').length, 1);
    assert.equal(messages.at(-1)?.id, 1);
    const quiet = send(upstream, { method: 'tools/call', params: '{"name":"progress"}' });
    assert.equal(messagesOf(await quiet.answer).length, 1, 'nothing was asked for besides the answer');
  }
});

test('a client that is gone, and a deadline, cancel the call at the legacy server', async (t) => {
  for (const kind of ['sessions', 'sse'] as const) {
    const foreign = await startForeign(t, kind);
    const upstream = await openUpstream(t, { url: foreign.url, timeoutMs: 300 });
    const gone = send(upstream, { method: 'tools/call', params: '{"name":"wait"}' });
    await until('the call is there', () => foreign.stats.calls.length === 1);
    gone.handle.cancel();
    await until('it is cancelled', () => foreign.stats.cancelled === 1);
    const late = await send(upstream, { method: 'tools/call', params: '{"name":"wait"}' }).answer;
    assert.deepEqual(late.failure, { kind: 'timeout', timeoutMs: 300 });
    await until('it is cancelled too', () => foreign.stats.cancelled === 2);
  }
});

test('all calls share one session; a session that is forgotten is opened anew once, and no call fails', async (t) => {
  const entries = [
    { entry: {}, why: 'the server was found out' },
    { entry: { era: 'legacy', transport: 'streamable-http' }, why: 'the configuration says what it is' },
  ];
  for (const { entry, why } of entries) {
    const foreign = await startForeign(t, 'sessions');
    const upstream = await openUpstream(t, { url: foreign.url, ...entry });
    const call = () =>
      send(upstream, { method: 'tools/call', params: '{"name":"echo","arguments":{"text":"x"}}' }).answer;
    const first = await Promise.all([call(), call(), call()]);
    assert.equal(foreign.stats.sessions, 1, why);
    foreign.forget();
    const second = await Promise.all([call(), call(), call()]);
    for (const answer of [...first, ...second]) assert.equal(messagesOf(answer)[0]?.result?.content[0]?.text, 'x', why);
    assert.equal(foreign.stats.sessions, 2, why);
  }
});

test('what a legacy server asks of its client is answered with no such method, and the call goes on', async (t) => {
  for (const kind of ['sessions', 'sse'] as const) {
    const foreign = await startForeign(t, kind);
    const upstream = await openUpstream(t, { url: foreign.url });
    const { answer } = send(upstream, { method: 'tools/call', params: '{"name":"ask"}' });
    assert.equal(messagesOf(await answer)[0]?.result.content[0]?.text, 'asked');
    assert.match(foreign.stats.asked[0] ?? '', /roots/i);
  }
});

test('server/discover tells what the handshake told, in modern form', async (t) => {
  const foreign = await startForeign(t, 'sessions');
  const upstream = await openUpstream(t, { url: foreign.url });
  const [message] = messagesOf(await send(upstream, { method: 'server/discover' }).answer);
  assert.deepEqual(message?.result.supportedVersions, ['2026-07-28']);
  assert.equal(message?.result.instructions, 'Foreign instructions.');
  assert.deepEqual(message?.result.capabilities.tools, { listChanged: true });
});

test('a listen stream is acknowledged, and then tells of the changes of a legacy server', async (t) => {
  for (const kind of ['sessions', 'sse'] as const) {
    const foreign = await startForeign(t, kind);
    const upstream = await openUpstream(t, { url: foreign.url });
    const params = '{"notifications":{"toolsListChanged":true,"promptsListChanged":true}}';
    const listen = send(upstream, { method: 'subscriptions/listen', id: '"L"', params });
    await until('acknowledged', () => listen.seen.text !== '');
    assert.deepEqual(messagesOf(listen.seen)[0]?.params, {
      notifications: { toolsListChanged: true },
      _meta: { 'io.modelcontextprotocol/subscriptionId': 'L' },
    });
    await until('told', async () => {
      await send(upstream, { method: 'tools/call', params: '{"name":"grow"}' }).answer;
      return messagesOf(listen.seen).length > 1;
    });
    const told = messagesOf(listen.seen)[1];
    assert.equal(told?.method, 'notifications/tools/list_changed');
    assert.deepEqual(told?.params._meta, { 'io.modelcontextprotocol/subscriptionId': 'L' });
    listen.handle.cancel();
  }
});

test('a client of an old revision gets a resource link as text', async (t) => {
  const foreign = await startForeign(t, 'sessions');
  const upstream = await openUpstream(t, { url: foreign.url });
  const table = [
    { version: undefined, type: 'text', why: 'no header: read as 2025-03-26' },
    { version: '2025-03-26', type: 'text', why: 'knows no links' },
    { version: '2025-06-18', type: 'resource_link', why: 'knows links' },
  ];
  // The first modern request finds the server out, as the catalogue does.
  await send(upstream, { method: 'tools/list' }).answer;
  for (const { version, type, why } of table) {
    const { answer } = send(upstream, { method: 'tools/call', era: 'legacy', version, params: '{"name":"link"}' });
    assert.equal(messagesOf(await answer)[0]?.result.content[0]?.type, type, why);
  }
});

test('a server that is not there fails calls at once, and serves the first call after it came up', async (t) => {
  for (const kind of ['sessions', 'sse'] as const) {
    const gone = await startForeign(t, kind);
    await gone.stop();
    const upstream = await openUpstream(t, {
      url: gone.url,
      transport: kind === 'sse' ? 'sse' : 'streamable-http',
      era: 'legacy',
    });
    const started = performance.now();
    const failed = await send(upstream, { method: 'tools/list' }).answer;
    assert.deepEqual(failed.failure, { kind: 'unreachable' });
    assert.ok(performance.now() - started < 1_000);
    const back = await startForeign(t, kind, gone.port);
    const [message] = messagesOf(await send(upstream, { method: 'tools/list' }).answer);
    assert.equal(message?.result.tools.length, 6);
    await back.stop();
  }
});

test('a server that takes the connection and says nothing fails calls in bounded time', async (t) => {
  for (const transport of ['auto', 'sse']) {
    const mute = createServer(() => {});
    const { origin } = await listenLocally(mute, { t });
    const upstream = await openUpstream(t, { url: `${origin}/x`, transport, timeoutMs: 200 });
    const { failure } = await send(upstream, { method: 'tools/list' }).answer;
    assert.deepEqual(failure, { kind: 'timeout', timeoutMs: 200 });
  }
});

test('more calls than the limits allow wait for their turn, or are told that it is busy', async (t) => {
  const foreign = await startForeign(t, 'sessions');
  const upstream = await openUpstream(t, {
    url: foreign.url,
    maxConcurrency: 1,
    maxQueue: 1,
    era: 'legacy',
    transport: 'streamable-http',
  });
  const holder = send(upstream, { method: 'tools/call', params: '{"name":"wait"}' });
  const waiting = send(upstream, { method: 'tools/call', params: '{"name":"echo","arguments":{"text":"w"}}' });
  const refused = await send(upstream, { method: 'tools/call', params: '{"name":"echo"}' }).answer;
  assert.deepEqual(refused.failure, { kind: 'busy', limit: 1 });
  holder.handle.cancel();
  assert.equal(messagesOf(await waiting.answer)[0]?.result.content[0]?.text, 'w');
});
