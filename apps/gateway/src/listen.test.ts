import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as FirstClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as FirstTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { listNames, modernBody, modernHeaders, startTestGateway, until } from './test-gateway.ts';
import { answerJson, startTestUpstream, toolText, type SeenRequest, type TestUpstream } from './test-upstream.ts';

/** The notifications part of a listen request. */
interface Wanted {
  toolsListChanged?: boolean;
  promptsListChanged?: boolean;
  resourcesListChanged?: boolean;
  resourceSubscriptions?: string[];
}

interface Heard {
  method?: string;
  id?: unknown;
  result?: object;
  params: { uri?: string; notifications?: Wanted; _meta: Record<string, unknown> };
}

const ID_KEY = 'io.modelcontextprotocol/subscriptionId';
const ALL = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
};

/** A listen stream that the gateway holds open at an upstream. */
interface UpstreamStream {
  wanted: Wanted;
  isOpen: boolean;
  send(method: string, params?: object): void;
  end(): void;
}

interface ListeningUpstream extends TestUpstream {
  streams: UpstreamStream[];
  open(): UpstreamStream[];
  things: { tools: string[]; prompts: string[]; resources: string[] };
}

/** An upstream that can be listened to. */
async function startListening(
  t: TestContext,
  capabilities: object = ALL,
  things = { tools: ['pg_a'], prompts: [] as string[], resources: [] as string[] },
): Promise<ListeningUpstream> {
  const streams: UpstreamStream[] = [];
  const onRequest = ({ body }: SeenRequest, response: ServerResponse): boolean => {
    const answer = (result: object): true => {
      answerJson(response, JSON.stringify({ jsonrpc: '2.0', id: body.id, result }));
      return true;
    };
    switch (body.method) {
      case 'server/discover':
        return answer({ supportedVersions: ['2026-07-28'], capabilities });
      case 'tools/list':
        return answer({ tools: things.tools.map((name) => JSON.parse(toolText(name))), ttlMs: 3_600_000 });
      case 'prompts/list':
        return answer({ prompts: things.prompts.map((name) => ({ name })), ttlMs: 3_600_000 });
      case 'resources/list':
        return answer({ resources: things.resources.map((uri) => ({ uri, name: uri })), ttlMs: 3_600_000 });
      case 'resources/templates/list':
        return answer({ resourceTemplates: [], ttlMs: 3_600_000 });
      case 'subscriptions/listen':
        streams.push(openStream(body, response));
        return true;
      default:
        return false;
    }
  };
  const upstream = await startTestUpstream(t, { onRequest });
  return Object.assign(upstream, { streams, things, open: () => streams.filter((stream) => stream.isOpen) });
}

function openStream(body: SeenRequest['body'], response: ServerResponse): UpstreamStream {
  const wanted = (body.params as { notifications: Wanted }).notifications;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const stream: UpstreamStream = {
    wanted,
    isOpen: true,
    send: (method, params = {}) => {
      const message = { jsonrpc: '2.0', method, params: { ...params, _meta: { [ID_KEY]: body.id } } };
      response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
    },
    end: () => response.end(),
  };
  response.on('close', () => {
    stream.isOpen = false;
  });
  stream.send('notifications/subscriptions/acknowledged', { notifications: wanted });
  return stream;
}

/** Opens a client stream at the gateway. */
async function listen(t: TestContext, gateway: { url: string }, notifications: Wanted, id: unknown) {
  const gone = new AbortController();
  t.after(() => gone.abort());
  const response = await fetch(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...modernHeaders('subscriptions/listen'),
    },
    body: modernBody('subscriptions/listen', { notifications }, id),
    signal: gone.signal,
  });
  const heard: Heard[] = [];
  const state = { heard, isEnded: false, close: () => gone.abort() };
  void (async () => {
    let rest = '';
    for await (const chunk of response.body ?? []) {
      const events = (rest + Buffer.from(chunk).toString()).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) {
        const data = /^data: (.*)$/m.exec(event)?.[1];
        if (data !== undefined) heard.push(JSON.parse(data));
      }
    }
    state.isEnded = true;
  })().catch(() => {});
  await until('the acknowledgement', () => heard.length > 0);
  return state;
}

test('an upstream that promises to tell of its lists has one stream, whoever listens; others have none', async (t) => {
  const telling = await startListening(t);
  const silent = await startListening(t, { tools: {} }, { tools: ['neo_a'], prompts: [], resources: [] });
  const gateway = await startTestGateway(t, [
    { name: 'pg', url: telling.url },
    { name: 'neo', url: silent.url },
  ]);
  await until('the stream', () => telling.open().length === 1);
  const expected = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };
  assert.deepEqual(telling.open()[0]?.wanted, expected);
  for (let id = 1; id <= 5; id++) await listen(t, gateway, { toolsListChanged: true }, id);
  assert.equal(telling.streams.length, 1);
  assert.equal(silent.streams.length, 0);
});

test('changes at an upstream reach each client stream under its own id, and only what it asked for', async (t) => {
  const upstream = await startListening(t, ALL, { tools: ['pg_a'], prompts: ['pg_p'], resources: ['pg://1'] });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  await until('the stream', () => upstream.open().length === 1);
  const tools = await listen(t, gateway, { toolsListChanged: true }, 'a');
  const all = await listen(
    t,
    gateway,
    { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true },
    7,
  );
  assert.deepEqual(all.heard[0]?.params.notifications, {
    toolsListChanged: true,
    promptsListChanged: true,
    resourcesListChanged: true,
  });
  const sse = new Client({ name: 'old', version: '1' });
  t.after(() => sse.close());
  let told = 0;
  sse.setNotificationHandler('notifications/tools/list_changed', () => {
    told++;
  });
  await sse.connect(new SSEClientTransport(new URL(`${gateway.url}/sse`)));
  upstream.things.tools.push('pg_b');
  for (let swarm = 0; swarm < 20; swarm++) upstream.open()[0]?.send('notifications/tools/list_changed');
  await until(
    'both streams and the session hear',
    () => tools.heard.length === 2 && all.heard.length === 2 && told === 1,
  );
  assert.ok((await listNames(gateway)).includes('pg_b'));
  upstream.things.prompts.push('pg_q');
  upstream.things.resources.push('pg://2');
  upstream.open()[0]?.send('notifications/prompts/list_changed');
  await until('the other lists', () => all.heard.length === 4);
  assert.deepEqual(all.heard.map(({ method }) => method?.replace('notifications/', '')).toSorted(), [
    'prompts/list_changed',
    'resources/list_changed',
    'subscriptions/acknowledged',
    'tools/list_changed',
  ]);
  assert.ok(all.heard.every(({ params }) => params._meta[ID_KEY] === 7));
  assert.ok(tools.heard.every(({ params }) => params._meta[ID_KEY] === 'a'));
  assert.equal(tools.heard.length, 2);
  const lists = upstream.requests.filter(({ body }) => body.method === 'tools/list').length;
  assert.ok(lists <= 4, `a swarm of notifications caused ${lists} requests`);
});

test('legacy clients over Streamable HTTP hear of changed lists on the stream that they open', async (t) => {
  const upstream = await startListening(t);
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  await until('the stream', () => upstream.open().length === 1);
  const url = new URL(`${gateway.url}/mcp`);
  const told = new Set<string>();
  const second = new Client({ name: 'second', version: '1' }, { versionNegotiation: { mode: 'legacy' } });
  second.setNotificationHandler('notifications/tools/list_changed', () => void told.add('SDK v2'));
  const first = new FirstClient({ name: 'first', version: '1' });
  first.setNotificationHandler(ToolListChangedNotificationSchema, () => void told.add('SDK v1'));
  t.after(() => Promise.all([first.close(), second.close()]));
  await Promise.all([first.connect(new FirstTransport(url)), second.connect(new StreamableHTTPClientTransport(url))]);
  assert.deepEqual(first.getServerCapabilities()?.tools, { listChanged: true });
  // They do not wait for their streams, so a first change may come too early for them.
  await until('both hear', () => {
    upstream.things.tools.push(`pg_${upstream.things.tools.length}`);
    upstream.open()[0]?.send('notifications/tools/list_changed');
    return told.size === 2;
  });
});

test('only what can be told is acknowledged', async (t) => {
  const upstream = await startListening(
    t,
    { tools: {}, resources: {} },
    { tools: ['pg_a'], prompts: [], resources: ['pg://1'] },
  );
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const wanted = { toolsListChanged: true, promptsListChanged: true, resourceSubscriptions: ['pg://1', 'none://x'] };
  const client = await listen(t, gateway, wanted, 1);
  assert.deepEqual(client.heard[0]?.params.notifications, { toolsListChanged: true });
  assert.equal(upstream.streams.length, 0);
});

test('resources are listened to as long as any client wants them, each client hearing of its own', async (t) => {
  const capabilities = { tools: {}, resources: { subscribe: true } };
  const upstream = await startListening(t, capabilities, {
    tools: ['pg_a'],
    prompts: [],
    resources: ['pg://1', 'pg://2'],
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  await listNames(gateway);
  assert.equal(upstream.streams.length, 0, 'nothing to hear, no stream');
  const one = await listen(t, gateway, { resourceSubscriptions: ['pg://1'] }, 'one');
  const both = await listen(t, gateway, { resourceSubscriptions: ['pg://1', 'pg://2'] }, 'both');
  assert.deepEqual(both.heard[0]?.params.notifications, { resourceSubscriptions: ['pg://1', 'pg://2'] });
  const uris = (): string[] =>
    upstream
      .open()
      .flatMap(({ wanted }) => wanted.resourceSubscriptions ?? [])
      .toSorted();
  await until('one stream for both', () => upstream.open().length === 1 && uris().length === 2);
  for (const uri of ['pg://2', 'pg://1', 'pg://1/rows'])
    upstream.open()[0]?.send('notifications/resources/updated', { uri });
  await until('the updates', () => both.heard.length === 4 && one.heard.length === 3);
  assert.deepEqual(
    one.heard.slice(1).map(({ params }) => params.uri),
    ['pg://1', 'pg://1/rows'],
  );
  assert.ok(one.heard.every(({ params }) => params._meta[ID_KEY] === 'one'));
  both.close();
  await until('the other URI is given up', () => uris().join() === 'pg://1');
  one.close();
  await until('no stream without a listener', () => upstream.open().length === 0);
});

test('clients that come and go with many resources cause few requests at the upstream', async (t) => {
  const capabilities = { tools: {}, resources: { subscribe: true } };
  const resources = Array.from({ length: 200 }, (_unused, index) => `pg://${index}`);
  const upstream = await startListening(t, capabilities, { tools: ['pg_a'], prompts: [], resources });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const started = performance.now();
  for (let id = 0; id < 10; id++) {
    const client = await listen(t, gateway, { resourceSubscriptions: resources.slice(id, 150 + id) }, id);
    if (id % 2 === 0) client.close();
  }
  await until('one stream that hears all', () => upstream.open().at(-1)?.wanted.resourceSubscriptions?.length === 158);
  const most = 2 + (performance.now() - started) / 100;
  assert.ok(upstream.streams.length <= most, `${upstream.streams.length} streams were opened`);
  await until('only that one', () => upstream.open().length === 1);
});

test('a stream that ends is opened again, and what may have been missed is told', async (t) => {
  const capabilities = { tools: { listChanged: true }, resources: { subscribe: true } };
  const upstream = await startListening(t, capabilities, { tools: ['pg_a'], prompts: [], resources: ['pg://1'] });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const client = await listen(t, gateway, { toolsListChanged: true, resourceSubscriptions: ['pg://1'] }, 1);
  await until(
    'the stream',
    () => upstream.open().length === 1 && upstream.open()[0]?.wanted.resourceSubscriptions !== undefined,
  );
  const before = upstream.streams.length;
  upstream.things.tools.push('pg_b');
  upstream.open()[0]?.end();
  await until('a new stream', () => upstream.streams.length === before + 1);
  await until('what was missed', () => client.heard.length === 3);
  assert.deepEqual(
    client.heard
      .slice(1)
      .map(({ method }) => method)
      .toSorted(),
    ['notifications/resources/updated', 'notifications/tools/list_changed'],
  );
  assert.ok((await listNames(gateway)).includes('pg_b'));
});

test('a server that does not listen is asked with growing pauses', async (t) => {
  const upstream = await startTestUpstream(t, {
    onRequest: ({ body }, response) => {
      if (body.method !== 'server/discover') return false;
      const result = { supportedVersions: ['2026-07-28'], capabilities: { tools: { listChanged: true } } };
      answerJson(response, JSON.stringify({ jsonrpc: '2.0', id: body.id, result }));
      return true;
    },
  });
  await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const times: number[] = [];
  await until('three attempts', () => {
    const count = upstream.requests.filter(({ body }) => body.method === 'subscriptions/listen').length;
    if (count > times.length) times.push(performance.now());
    return times.length === 3;
  });
  const [first = 0, second = 0, third = 0] = times;
  assert.ok(third - second > 1.2 * (second - first), `pauses of ${second - first} and ${third - second} ms`);
});

test('every stream gets its answer when the gateway ends, after its acknowledgement', async (t) => {
  const upstream = await startListening(t);
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const clients = await Promise.all([1, 'two'].map((id) => listen(t, gateway, { toolsListChanged: true }, id)));
  await gateway.close();
  await until('the ends', () => clients.every(({ isEnded }) => isEnded));
  for (const [index, id] of [1, 'two'].entries()) {
    const last = clients[index]?.heard.at(-1);
    assert.equal(last?.id, id);
    assert.equal(clients[index]?.heard.length, 2);
  }
  await until('the upstream is left', () => upstream.open().length === 0);
});

test('more resources than a stream may have, or none that are texts, are refused', async (t) => {
  const upstream = await startListening(t);
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const rows: [unknown, string][] = [
    [Array.from({ length: 257 }, (_unused, index) => `pg://${index}`), 'too many'],
    ['pg://1', 'no array'],
    [[1], 'no text'],
  ];
  for (const [resourceSubscriptions, why] of rows) {
    const response = await fetch(`${gateway.url}/mcp`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...modernHeaders('subscriptions/listen'),
      },
      body: modernBody('subscriptions/listen', { notifications: { resourceSubscriptions } }),
    });
    const answer = (await response.json()) as { error: { code: number } };
    assert.equal(answer.error.code, -32_602, why);
  }
});
