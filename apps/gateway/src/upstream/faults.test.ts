import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { test } from 'node:test';
import { queryObjects } from 'node:v8';
import { callTool, readResult, startTestGateway, until } from '../test-gateway.ts';
import { answerCall, answerJson, startTestUpstream, toolText, type TestUpstream } from '../test-upstream.ts';
import { gatewayFileSchema } from '../config.ts';
import { BridgedCall } from '../bridge/bridged-call.ts';
import { HttpCall } from './http-call.ts';
import { createHttpUpstream } from './http-upstream.ts';
import type { CallHandle, ReplyReceiver } from './upstream.ts';

const TOOLS = [toolText('pg_query')];
const CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pg_query"}}';

test('calls over limit and queue are refused, exactly those, and never more than the limit are at the upstream', async (t) => {
  const release: (() => void)[] = [];
  let peak = 0;
  const upstream = await startTestUpstream(t, {
    tools: TOOLS,
    onCall: (request, response) => {
      release.push(() => answerCall(request, response));
      peak = Math.max(peak, release.length);
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url, maxConcurrency: 3, maxQueue: 4 }]);
  const calls = Array.from({ length: 20 }, () => callTool(gateway, 'pg_query'));
  const settled = new Set<Promise<unknown>>();
  for (const call of calls) void call.then(() => settled.add(call));
  await until('all but those that run or wait are refused', () => settled.size === 20 - 3 - 4);
  await until('the limit is used up', () => release.length === 3);
  while (settled.size < 20) {
    release.shift()?.();
    await new Promise(setImmediate);
  }
  const results = (await Promise.all(calls)).map(readResult);
  const busy = results.filter(({ text }) => text.startsWith('BUSY: The database server "pg" has 4 calls waiting'));
  assert.equal(busy.length, 13);
  assert.equal(results.filter(({ isError }) => !isError).length, 7);
  assert.equal(peak, 3);
  assert.equal(upstream.calls.length, 7);
});

test('a waiting call that is cancelled gives its place in the queue back, at once', async (t) => {
  const server = await startTestUpstream(t, { onCall: () => {} });
  const { upstreams } = gatewayFileSchema.parse({
    upstreams: [{ name: 'pg', url: server.url, maxConcurrency: 1, maxQueue: 1 }],
  });
  assert.ok(upstreams[0]);
  const upstream = createHttpUpstream(upstreams[0]);
  t.after(() => upstream.close());
  const failures: string[] = [];
  const receiver: ReplyReceiver = {
    start: () => {},
    data: () => true,
    end: () => {},
    failed: ({ kind }) => failures.push(kind),
  };
  const call = (): CallHandle =>
    upstream.call({ body: Buffer.from(CALL), headers: { 'content-type': 'application/json' } }, receiver);
  const first = call();
  for (let round = 1; round <= 5; round++) {
    const waiting = call();
    call();
    assert.equal(failures.length, round);
    waiting.cancel();
  }
  assert.deepEqual(new Set(failures), new Set(['busy']));
  await until('the first call is there', () => server.calls.length === 1);
  first.cancel();
  await upstream.drained?.();
  await until('it was ended', () => server.aborted === 1);
  assert.equal(server.calls.length, 1);
});

test('a connection that the upstream closed while it was idle costs no call, and no call is sent twice', async (t) => {
  const upstream = await startTestUpstream(t, { tools: TOOLS });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  for (let round = 1; round <= 50; round++) {
    upstream.closeIdle();
    assert.equal(readResult(await callTool(gateway, 'pg_query')).text, 'called pg_query');
    assert.equal(upstream.calls.length, round);
  }
});

test('an upstream that closes after each answer without saying so costs no call', async (t) => {
  const upstream = await startTestUpstream(t, {
    tools: TOOLS,
    onCall: (request, response) => {
      response.shouldKeepAlive = true;
      response.on('finish', () => response.socket?.end());
      answerCall(request, response);
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url, maxConcurrency: 2 }]);
  const results = await Promise.all(Array.from({ length: 40 }, () => callTool(gateway, 'pg_query')));
  for (const answer of results) assert.match(readResult(answer).text, /^called pg_query$|closed the connection/);
  const failed = results.filter((answer) => readResult(answer).isError).length;
  assert.ok(upstream.calls.length + failed >= 40 && upstream.calls.length <= 40);
});

test('a request that was written is not repeated, whatever became of it', async (t) => {
  const upstream = await startTestUpstream(t, { tools: TOOLS, onCall: (_request, response) => response.destroy() });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const results = await Promise.all(Array.from({ length: 20 }, () => callTool(gateway, 'pg_query')));
  for (const answer of results) assert.match(readResult(answer).text, /"pg" closed the connection before its answer/);
  assert.equal(upstream.calls.length, 20);
});

/** What an upstream answers that takes its time. */
function answerLater(): NonNullable<TestUpstream['options']['onCall']> {
  return (request, response) => void setTimeout(() => answerCall(request, response), 5);
}

test('an upstream that restarts under load fails only calls that it had begun, in time, and works again at once', async (t) => {
  let upstream = await startTestUpstream(t, { tools: TOOLS, onCall: answerLater() });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const over = new AbortController();
  const texts: string[] = [];
  let slowest = 0;
  const clients = Array.from({ length: 16 }, async () => {
    while (!over.signal.aborted) {
      const started = performance.now();
      const result = readResult(await callTool(gateway, 'pg_query'));
      slowest = Math.max(slowest, performance.now() - started);
      if (result.isError) texts.push(result.text);
    }
  });
  let begun = 0;
  for (let restart = 0; restart < 3; restart++) {
    const before = upstream.calls.length;
    await until('it is under load', () => upstream.calls.length > before + 50);
    begun += await upstream.connections();
    await upstream.stop();
    const stoppedAt = performance.now();
    await until('it was away for as long as a quick restart takes', () => performance.now() - stoppedAt > 200);
    upstream = await startTestUpstream(t, { tools: TOOLS, port: upstream.port, onCall: answerLater() });
  }
  await until('it is under load again', () => upstream.calls.length > 100);
  over.abort();
  await Promise.all(clients);
  for (const text of texts) assert.match(text, /^UNAVAILABLE: The database server "pg" closed the connection before/);
  assert.ok(texts.length <= begun, `${texts.length} calls failed of ${begun} that can have been in progress`);
  assert.ok(slowest < 1_500, `a call took ${slowest} ms`);
});

test('a call to an upstream that stays away ends within a second, and the next ones at once', async (t) => {
  const upstream = await startTestUpstream(t, { tools: TOOLS });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  await upstream.stop();
  const started = performance.now();
  const first = await Promise.all(Array.from({ length: 16 }, () => callTool(gateway, 'pg_query')));
  assert.ok(performance.now() - started < 1_000);
  const later = performance.now();
  for (let index = 0; index < 20; index++) first.push(await callTool(gateway, 'pg_query'));
  assert.ok(performance.now() - later < 500);
  for (const answer of first) assert.match(readResult(answer).text, /^UNAVAILABLE: The database server "pg" cannot be/);
});

test('the first call after a dead upstream is back succeeds', async (t) => {
  let upstream = await startTestUpstream(t, { tools: TOOLS });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  for (let round = 0; round < 3; round++) {
    await upstream.stop();
    for (let index = 0; index < 10; index++) assert.ok(readResult(await callTool(gateway, 'pg_query')).isError);
    upstream = await startTestUpstream(t, { tools: TOOLS, port: upstream.port });
    assert.equal(readResult(await callTool(gateway, 'pg_query')).text, 'called pg_query');
  }
});

test('a client that leaves while its call waits for a restart ends the call', async (t) => {
  const upstream = await startTestUpstream(t, { tools: TOOLS });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url, maxConcurrency: 1, maxQueue: 0 }]);
  await upstream.stop();
  const left = new AbortController();
  const call = callTool(gateway, 'pg_query', left.signal);
  await until('it holds the only place', async () =>
    readResult(await callTool(gateway, 'pg_query')).text.startsWith('BUSY'),
  );
  left.abort();
  await assert.rejects(call);
  await until(
    'the place is free',
    async () => !readResult(await callTool(gateway, 'pg_query')).text.startsWith('BUSY'),
  );
});

type Fault = (upstream: TestUpstream) => NonNullable<TestUpstream['options']['onCall']>;

const FAULTS: Record<string, Fault> = {
  'resets at once': () => (_request, response) => response.destroy(),
  'answers garbage': () => (_request, response) => answerJson(response, '<html>'),
  'answers 500': () => (_request, response) => answerJson(response, '{"error":"no"}', 500),
  'answers a text without end as an error': () => (_request, response) => {
    response.writeHead(500, { 'content-type': 'application/json' });
    for (let index = 0; index < 20; index++) response.write('x'.repeat(64 * 1024));
  },
  'breaks off in the middle of an event': () => (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: {"jsonrpc":"2.0","resu', () => response.destroy());
  },
  'answers more than it announced': () => (_request, response) => {
    response.socket?.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}{}{}');
  },
  'speaks no HTTP': () => (_request, response) => response.socket?.end('SSH-2.0-OpenSSH_9.9\r\n'),
  hangs: () => () => {},
};

async function callOften(url: string, count: number, abortAfterMs?: number): Promise<string[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 25 });
  const texts = await Promise.all(
    Array.from({ length: count }, async () => {
      const { promise, resolve } = Promise.withResolvers<string>();
      const request = httpRequest(`${url}/mcp`, {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(CALL) },
      });
      request.on('error', () => resolve('cut off'));
      request.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('close', () => resolve(text));
      });
      request.end(CALL);
      if (abortAfterMs !== undefined) setTimeout(() => request.destroy(), abortAfterMs);
      return promise;
    }),
  );
  agent.destroy();
  return texts;
}

/** What keeps a process alive or is waited for, by kind. */
function countResources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function countOf(type: new (...args: never[]) => unknown): number {
  return queryObjects(type, { format: 'count' });
}

/** Collects garbage first, so it takes a while. */
function countObjects(): Record<string, number> {
  return Object.fromEntries([HttpCall, BridgedCall, Promise].map((type) => [type.name, countOf(type)]));
}

const HANDSHAKE =
  '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"1"}}';

/** Answers the handshake of a legacy server. */
const shakeHands: TestUpstream['options']['onRequest'] = ({ body }, response) => {
  if (body.method !== 'initialize') return false;
  answerJson(response, `{"jsonrpc":"2.0","id":${JSON.stringify(body.id)},"result":${HANDSHAKE}}`);
  return true;
};

const KINDS = [
  { kind: 'as they are', era: 'auto', onRequest: undefined },
  { kind: 'through a bridge', era: 'legacy', onRequest: shakeHands },
] as const;

for (const { kind, era, onRequest } of KINDS) {
  test(`a thousand calls that fail in every way leave exactly as many sockets, timers, calls and promises as before (${kind})`, async (t) => {
    const upstream = await startTestUpstream(t, { tools: TOOLS, onRequest });
    const gateway = await startTestGateway(t, [
      { name: 'pg', url: upstream.url, era, timeoutMs: 100, maxConcurrency: 25, maxQueue: 1_000 },
    ]);
    /** What there is between two probes, when the connections are closed that are only kept for the next call. */
    const settle = async (at: TestUpstream): Promise<Record<string, number>> => {
      await until('no socket is left', () => {
        at.closeIdle();
        return countResources()['TCPSocketWrap'] === undefined;
      });
      return { ...countResources(), ...countObjects() };
    };
    for (let warmUp = 0; warmUp < 2; warmUp++) assert.equal((await callOften(gateway.url, 25)).length, 25);
    const before = await settle(upstream);
    for (const [why, fault] of Object.entries(FAULTS)) {
      upstream.options.onCall = fault(upstream);
      for (const text of await callOften(gateway.url, 100)) {
        assert.match(text, /isError":true|cut off|^\{\}$/, why);
        if (text.includes('isError')) assert.match(text, /"pg\\"/, why);
      }
    }
    upstream.options.onCall = () => {};
    await callOften(gateway.url, 100, 20);
    await upstream.stop();
    for (const text of await callOften(gateway.url, 100))
      assert.match(text, /"pg.* (cannot be reached|did not answer)/);
    const again = await startTestUpstream(t, { tools: TOOLS, onRequest, port: upstream.port });
    assert.match((await callOften(gateway.url, 1))[0] ?? '', /called pg_query/);
    assert.deepEqual(await settle(again), before);
  });
}

test('an upstream that is mute for a while costs its calls their deadline, and the next one nothing', async (t) => {
  let isMute = false;
  const upstream = await startTestUpstream(t, { tools: TOOLS, onRequest: () => isMute });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url, timeoutMs: 200 }]);
  isMute = true;
  const calls = await Promise.all(Array.from({ length: 10 }, () => callTool(gateway, 'pg_query')));
  for (const answer of calls) assert.match(readResult(answer).text, /^TIMEOUT: The database server "pg"/);
  isMute = false;
  assert.equal(readResult(await callTool(gateway, 'pg_query')).text, 'called pg_query');
});
