import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { startForeign } from './bridge/test-bridge.ts';
import { callTool, modernBody, modernHeaders, post, readResult, startTestGateway, until } from './test-gateway.ts';
import { heldBytes } from './test-held-bytes.ts';
import { answerCall, startTestUpstream, toolText, type SeenRequest } from './test-upstream.ts';

const CANCEL = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}';

function legacyCall(name: string, id: unknown = 1): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name } });
}

test('notifications/cancelled ends exactly the call with that session id and request id', async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_a')], onCall: () => {} });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const call = post(gateway, legacyCall('pg_a'), { 'mcp-session-id': 'abc' });
  await until('the call is at the upstream', () => upstream.calls.length === 1);
  const others: Record<string, string>[] = [{}, { 'mcp-session-id': 'abd' }];
  for (const headers of others) assert.equal((await post(gateway, CANCEL, headers)).status, 202);
  const text = CANCEL.replace('"requestId":1', '"requestId":"1"');
  assert.equal((await post(gateway, text, { 'mcp-session-id': 'abc' })).status, 202);
  assert.equal(upstream.aborted, 0);
  assert.equal((await post(gateway, CANCEL, { 'mcp-session-id': 'abc' })).status, 202);
  const answer = await call;
  assert.deepEqual([answer.status, answer.text], [200, '']);
  await until('the upstream sees the end', () => upstream.aborted === 1);
});

test('a cancellation reaches a call whose answer has begun, and one that waits in the queue', async (t) => {
  const upstream = await startTestUpstream(t, {
    tools: [toolText('pg_a')],
    onCall: (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n');
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url, maxConcurrency: 1 }]);
  const headers = { 'mcp-session-id': 'abc' };
  const begun = post(gateway, legacyCall('pg_a', 1), headers);
  await until('the call is at the upstream', () => upstream.calls.length === 1);
  let isEnded = false;
  const waiting = post(gateway, legacyCall('pg_a', 2), headers).finally(() => (isEnded = true));
  await until('the second call is cancelled', async () => {
    await post(gateway, CANCEL.replace(':1}', ':2}'), headers);
    return isEnded;
  });
  assert.equal((await waiting).text, '');
  await post(gateway, CANCEL, headers);
  assert.match((await begun).text, /^data: .*progress.*\n\n$/);
  await until('the upstream sees the end', () => upstream.aborted === 1);
  assert.equal(upstream.calls.length, 1);
});

/** How a client ends a call. */
const WAYS = ['closed stream', 'notifications/cancelled', 'SSE session'] as const;

/** A client for each way. */
async function connectClients(
  t: TestContext,
  gateway: { url: string },
): Promise<Record<(typeof WAYS)[number], Client>> {
  const clients = {
    'closed stream': new Client({ name: 'c', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } }),
    'notifications/cancelled': new Client({ name: 'c', version: '1' }),
    'SSE session': new Client({ name: 'c', version: '1' }),
  };
  const mcp = new URL(`${gateway.url}/mcp`);
  await clients['closed stream'].connect(new StreamableHTTPClientTransport(mcp));
  await clients['notifications/cancelled'].connect(new StreamableHTTPClientTransport(mcp));
  await clients['SSE session'].connect(new SSEClientTransport(new URL(`${gateway.url}/sse`)));
  t.after(() => Promise.all(Object.values(clients).map((client) => client.close())));
  return clients;
}

test('of 100 random calls exactly the cancelled ones end at their upstreams, whatever way they were cancelled', async (t) => {
  const open = new Map<string, ServerResponse>();
  const ended = new Set<string>();
  const onCall = (seen: SeenRequest, response: ServerResponse): void => {
    const key = String(JSON.parse(seen.raw).params.arguments.key);
    open.set(key, response);
    response.on('close', () => {
      if (!response.writableFinished) ended.add(key);
    });
  };
  const names = ['a', 'b', 'c'];
  const upstreams = await Promise.all(
    names.map((name) => startTestUpstream(t, { tools: [toolText(`${name}_x`)], onCall })),
  );
  const gateway = await startTestGateway(
    t,
    names.map((name, index) => ({ name, url: upstreams[index]?.url ?? '', maxConcurrency: 64 })),
  );
  const clients = await connectClients(t, gateway);
  const calls = Array.from({ length: 100 }, (_unused, index) => {
    const cancel = new AbortController();
    const way = WAYS[Math.floor(Math.random() * WAYS.length)] ?? 'closed stream';
    const name = `${names[Math.floor(Math.random() * names.length)]}_x`;
    const params = { name, arguments: { key: `${index}` } };
    const answered = clients[way].callTool(params, { signal: cancel.signal }).then(
      () => 'answered',
      () => 'ended',
    );
    return { key: `${index}`, cancel, answered, isCancelled: Math.random() < 0.5 };
  });
  await until('every call is at its upstream', () => open.size === calls.length);
  const cancelled = calls.filter((call) => call.isCancelled);
  for (const call of cancelled) call.cancel.abort();
  await until('every cancelled call has ended', () => ended.size >= cancelled.length);
  assert.deepEqual([...ended].toSorted(), cancelled.map(({ key }) => key).toSorted());
  for (const { key, isCancelled } of calls) {
    const response = open.get(key);
    if (isCancelled || !response) continue;
    const seen = upstreams
      .flatMap((each) => each.calls)
      .find((each) => JSON.parse(each.raw).params.arguments.key === key);
    if (seen) answerCall(seen, response);
  }
  for (const { answered, isCancelled } of calls) assert.equal(await answered, isCancelled ? 'ended' : 'answered');
  assert.equal(ended.size, cancelled.length);
});

// A legacy server without sessions has no way of hearing of a cancellation but the closed connection.
for (const kind of ['sessions', 'sse'] as const) {
  test(`whatever way a client cancels, a legacy upstream hears of exactly that call (${kind})`, async (t) => {
    const foreign = await startForeign(t, kind);
    const gateway = await startTestGateway(t, [{ name: 'far', url: foreign.url }]);
    const clients = await connectClients(t, gateway);
    const bystander = new AbortController();
    const left = clients['closed stream']
      .callTool({ name: 'far_wait' }, { signal: bystander.signal })
      .catch(() => 'ended');
    await until('the bystander is there', () => foreign.stats.calls.length === 1);
    for (const [index, way] of WAYS.entries()) {
      const cancel = new AbortController();
      const call = clients[way].callTool({ name: 'far_wait' }, { signal: cancel.signal }).catch(() => 'ended');
      await until(`the call is there (${way})`, () => foreign.stats.calls.length === index + 2);
      cancel.abort();
      assert.equal(await call, 'ended');
      await until(`it is cancelled (${way})`, () => foreign.stats.cancelled === index + 1);
    }
    bystander.abort();
    assert.equal(await left, 'ended');
    await until('the last one', () => foreign.stats.cancelled === WAYS.length + 1);
  });
}

test('a quiet event stream gets comments, and only between its events', async (t) => {
  let stream: ServerResponse | undefined;
  const upstream = await startTestUpstream(t, {
    tools: [toolText('pg_a')],
    onCall: (_request, response) => {
      stream = response;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }], { keepAliveMs: 50 });
  const response = await fetch(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: legacyCall('pg_a'),
  });
  let text = '';
  const whole = (async () => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
  })();
  await until('two comments', () => text === ': keep-alive\n\n: keep-alive\n\n');
  stream?.write('data: {"jsonrpc":"2.0",');
  await until('half an event', () => text.endsWith('"2.0",'));
  // A quiet time in the middle of an event: another stream gets its comments meanwhile.
  const before = text;
  const listening = await fetch(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...modernHeaders('subscriptions/listen'),
    },
    body: modernBody('subscriptions/listen', { notifications: { toolsListChanged: true } }),
  });
  const reader = listening.body?.getReader();
  let comments = 0;
  while (comments < 3) if (Buffer.from((await reader?.read())?.value ?? []).includes(': keep-alive')) comments++;
  await reader?.cancel();
  assert.equal(text, before);
  stream?.end('"id":1,"result":{}}\n\n');
  await whole;
  assert.equal(text, `${before}"id":1,"result":{}}\n\n`);
});

test('progress does not extend the deadline of a call', async (t) => {
  const upstream = await startTestUpstream(t, {
    tools: [toolText('pg_a')],
    onCall: (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => {
        response.write('data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1}}\n\n');
      }, 20);
      response.on('close', () => clearInterval(timer));
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url, timeoutMs: 300 }]);
  const started = performance.now();
  const answer = await callTool(gateway, 'pg_a');
  assert.ok(performance.now() - started < 2_000);
  assert.match(answer.text, /TIMEOUT/);
  await until('the upstream sees the end', () => upstream.aborted === 1);
});

for (const era of ['2026-07-28', 'legacy'] as const) {
  test(`progress arrives in order and with the client's own token (${era})`, async (t) => {
    const upstream = await startTestUpstream(t, {
      tools: [toolText('pg_a')],
      onCall: (seen, response) => {
        const { id, params } = JSON.parse(seen.raw);
        const progressToken = params._meta.progressToken;
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const send = (message: object): boolean =>
          response.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`);
        for (let progress = 1; progress <= 200; progress++) {
          send({ method: 'notifications/progress', params: { progressToken, progress, total: 200 } });
        }
        send({ id, result: { content: [], resultType: 'complete' } });
        response.end();
      },
    });
    const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
    const mode = era === 'legacy' ? era : { pin: era };
    const client = new Client({ name: 'c', version: '1' }, { versionNegotiation: { mode } });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`)));
    t.after(() => client.close());
    const seen = [[], []].map((): number[] => []);
    await Promise.all(
      seen.map((values) =>
        client.callTool({ name: 'pg_a' }, { onprogress: ({ progress }) => void values.push(progress) }),
      ),
    );
    const expected = Array.from({ length: 200 }, (_unused, index) => index + 1);
    assert.deepEqual(seen, [expected, expected]);
  });
}

const MIB = 1024 * 1024;
const EVENT = `data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"${'x'.repeat(500)}"}}\n\n`;
const STREAMS = [
  {
    what: 'a result of 64 MiB',
    type: 'application/json',
    head: '{"jsonrpc":"2.0","id":1,"result":{"content":"',
    part: 'x'.repeat(65_536),
    count: 1_024,
    tail: '"}}',
  },
  {
    what: 'a stream of 100,000 events',
    type: 'text/event-stream',
    head: '',
    part: EVENT.repeat(100),
    count: 1_000,
    tail: 'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n',
  },
];

for (const { what, type, head, part, count, tail } of STREAMS) {
  test(`${what} passes whole with flat memory`, async (t) => {
    const upstream = await startTestUpstream(t, {
      tools: [toolText('pg_big')],
      onCall: (_seen, response) => {
        response.writeHead(200, { 'content-type': type });
        response.write(head);
        writeMany(response, part, count, tail);
      },
    });
    const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
    const response = await fetch(`${gateway.url}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: legacyCall('pg_big'),
    });
    let size = 0;
    let peak = 0;
    let measuredAt = 0;
    const before = heldBytes();
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      if (size - measuredAt < 8 * MIB) continue;
      measuredAt = size;
      peak = Math.max(peak, heldBytes() - before);
    }
    assert.equal(size, head.length + part.length * count + tail.length);
    assert.ok(measuredAt > 40 * MIB && peak < 32 * MIB, `${Math.round(peak / MIB)} MiB were held`);
  });
}

function writeMany(response: ServerResponse, part: string, count: number, tail: string): void {
  let left = count;
  const fill = (): void => {
    while (left-- > 0) if (!response.write(part)) return void response.once('drain', fill);
    response.end(tail);
  };
  fill();
}

test('a client that reads slowly holds back only itself', async (t) => {
  const upstream = await startTestUpstream(t, {
    tools: [toolText('pg_big'), toolText('pg_small')],
    onCall: (seen, response) => {
      if (seen.body.params?.name === 'pg_small') return answerCall(seen, response);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"');
      writeMany(response, 'x'.repeat(65_536), 640, '"}]}}');
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url, maxConcurrency: 4 }]);
  const { port } = new URL(gateway.url);
  const slow = connect(Number(port), '127.0.0.1');
  t.after(() => slow.destroy());
  await once(slow, 'connect');
  const body = legacyCall('pg_big');
  slow.write(
    `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  slow.pause();
  await until('the big call is at the upstream', () => upstream.calls.length === 1);
  const before = heldBytes();
  const started = performance.now();
  for (let call = 0; call < 200; call++) assert.equal(readResult(await callTool(gateway, 'pg_small')).isError, false);
  const eachMs = (performance.now() - started) / 200;
  assert.ok(eachMs < 50, `a small call took ${eachMs} ms`);
  assert.ok(heldBytes() - before < 20 * MIB, 'the big answer waits at the upstream, not in memory');
  let size = 0;
  slow.on('data', (chunk: Buffer) => (size += chunk.length));
  slow.resume();
  await until('the whole answer', () => size > 640 * 64 * 1024, 20_000);
});
