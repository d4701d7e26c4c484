/** What requirements.ts names and no other test proves: on the wire of a real gateway, in front of the fixture. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import {
  httpRequest,
  readEvents,
  rpcRequest,
  spawnProcess,
  type RpcAnswer,
  type RpcRequestOptions,
} from '@database-mcp/testing';
import { startByteUpstream } from '../byte-upstream.ts';
import { startGateway, type GatewayProcess } from '../gateway-process.ts';

const SERVER_INFO = 'io.modelcontextprotocol/serverInfo';
/** Methods whose complete results carry freshness (S26), with what they need. */
const LISTS: { method: string; params?: Record<string, unknown> }[] = [
  { method: 'server/discover' },
  { method: 'tools/list' },
  { method: 'prompts/list' },
  { method: 'resources/list' },
  { method: 'resources/templates/list' },
];

const cleanUps: (() => unknown)[] = [];
const scope = { after: (cleanUp: () => unknown) => void cleanUps.unshift(cleanUp) };
let fixtureUrl: string;
let gateway: GatewayProcess;
/** The same configuration in another process. */
let replica: GatewayProcess;

before(async () => {
  const { readyLine } = await spawnProcess({
    t: scope,
    name: 'fixture',
    args: ['libs/testing/src/conformance/main.ts', '--prefix', 'main_'],
    ready: { line: /"(http:.*\/mcp)"/ },
  });
  fixtureUrl = readyLine?.[1] ?? '';
  const upstreams = [{ name: 'main', url: fixtureUrl }];
  [gateway, replica] = await Promise.all([startGateway(scope, upstreams), startGateway(scope, upstreams)]);
});
after(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
});

const ask = (method: string, options: RpcRequestOptions = {}): Promise<RpcAnswer> =>
  rpcRequest(gateway.url, method, options);

test("results of the gateway say that they are complete, who answers, and how long they are fresh; an upstream's name is not shown", async () => {
  for (const { method, params } of LISTS) {
    const { message, text } = await ask(method, { params });
    const result = message?.result ?? {};
    assert.equal(result['resultType'], 'complete', `${method}: ${text}`);
    const meta = result['_meta'] as Record<string, { name?: string }>;
    assert.equal(meta[SERVER_INFO]?.name, 'database-mcp-gateway', method);
    for (const key of Object.keys(meta)) assert.match(key, /^io\.modelcontextprotocol\//, method);
    assert.ok(Number.isInteger(result['ttlMs']) && Number(result['ttlMs']) >= 0, `${method}: ttlMs`);
    assert.match(String(result['cacheScope']), /^(public|private)$/, method);
  }
});

test('lists of the initialize revisions carry nothing of the later revision', async () => {
  for (const { method } of LISTS.slice(1)) {
    const { message, text } = await ask(method, { era: 'legacy' });
    assert.equal(Object.keys(message?.result ?? {}).length, 1, `${method}: ${text}`);
  }
});

test('a legacy client is served by two gateway processes in turn, without a session', async () => {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  const initialized = await ask('initialize', { era: 'legacy', params });
  const session = initialized.headers['mcp-session-id'];
  const headers: Record<string, string> = {
    'mcp-protocol-version': '2025-11-25',
    ...(typeof session === 'string' ? { 'mcp-session-id': session } : {}),
  };
  for (const { url } of [replica, gateway, replica]) {
    const noted = await rpcRequest(url, 'notifications/initialized', { era: 'legacy', id: null, headers });
    assert.deepEqual([noted.status, noted.text], [202, '']);
    const list = await rpcRequest(url, 'tools/list', { era: 'legacy', headers });
    assert.ok(list.text.includes('"main_test_simple_text"'), list.text.slice(0, 300));
    const called = await rpcRequest(url, 'tools/call', {
      era: 'legacy',
      headers,
      params: { name: 'main_test_simple_text', arguments: {} },
    });
    assert.ok(Array.isArray(called.message?.result?.['content']), called.text);
  }
});

test('a modern request is served whatever session or event id it names', async () => {
  const headers = { 'mcp-session-id': 'not-a-session', 'last-event-id': '7' };
  const { status, message } = await ask('tools/call', {
    headers,
    params: { name: 'main_test_simple_text', arguments: {} },
  });
  assert.deepEqual([status, message?.error], [200, undefined]);
});

const BAD_REQUESTS: { why: string; method: string; options: RpcRequestOptions; status: number; code: number }[] = [
  { why: 'an unknown method', method: 'no/such', options: {}, status: 404, code: -32601 },
  { why: 'an unknown tool', method: 'tools/call', options: { params: { name: 'nope' } }, status: 200, code: -32602 },
  { why: 'an unknown prompt', method: 'prompts/get', options: { params: { name: 'nope' } }, status: 200, code: -32602 },
  {
    why: 'an unknown resource',
    method: 'resources/read',
    options: { params: { uri: 'no://x' } },
    status: 200,
    code: -32602,
  },
  { why: 'a completion of nothing', method: 'completion/complete', options: { params: {} }, status: 200, code: -32602 },
  { why: 'a stale cursor', method: 'prompts/list', options: { params: { cursor: 'x' } }, status: 200, code: -32602 },
  {
    why: 'another method header',
    method: 'tools/list',
    options: { headers: { 'mcp-method': 'ping' } },
    status: 400,
    code: -32020,
  },
  {
    why: 'no envelope',
    method: 'tools/list',
    options: { era: 'legacy', headers: { 'mcp-protocol-version': '2026-07-28' } },
    status: 400,
    code: -32602,
  },
  {
    why: 'an era to come',
    method: 'tools/list',
    options: {
      headers: { 'mcp-protocol-version': '2099-01-01' },
      params: { _meta: { 'io.modelcontextprotocol/protocolVersion': '2099-01-01' } },
    },
    status: 400,
    code: -32022,
  },
];

test('errors have the status and code that the specification gives them, and never a code that it keeps for others', async () => {
  for (const { why, method, options, status, code } of BAD_REQUESTS) {
    const answer = await ask(method, options);
    const got = Number(answer.message?.error?.code);
    assert.deepEqual([answer.status, got], [status, code], `${why}: ${answer.text}`);
    assert.ok(![-32002, -32042].includes(got) && !(got <= -32000 && got >= -32019), why);
  }
  const missing = await ask('resources/read', { params: { uri: 'no://x' } });
  assert.deepEqual(missing.message?.error?.data, { uri: 'no://x' });
});

test('only capabilities that are served from end to end are declared', async () => {
  const { message } = await ask('server/discover');
  const capabilities = message?.result?.['capabilities'] as Record<string, unknown>;
  assert.deepEqual(
    Object.keys(capabilities).filter(
      (name) => !['tools', 'prompts', 'resources', 'completions', 'logging'].includes(name),
    ),
    [],
  );
  for (const [capability, method] of [
    ['tools', 'tools/list'],
    ['prompts', 'prompts/list'],
    ['resources', 'resources/list'],
  ]) {
    const { status } = await ask(method ?? '');
    assert.equal(status === 200, Object.keys(capabilities).includes(String(capability)), String(capability));
  }
});

test('a schema that refers to the network is published as it is, and nothing is fetched', async (t) => {
  let requests = 0;
  const elsewhere = createServer((_request, response) => {
    requests++;
    response.end('{}');
  });
  elsewhere.listen(0, '127.0.0.1');
  await once(elsewhere, 'listening');
  t.after(() => elsewhere.close());
  const address = elsewhere.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const tool = `{"name":"odd_tool","inputSchema":{"type":"object","properties":{"a":{"$ref":"http://127.0.0.1:${port}/schema.json"}}}}`;
  const upstream = await startByteUpstream(t, { tools: [[tool]] });
  const { url } = await startGateway(t, [{ name: 'odd', url: upstream.url(0) }]);
  upstream.plan = { ...upstream.plan, bytes: Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"content":[]}}') };
  assert.ok((await rpcRequest(url, 'tools/list')).text.includes(tool));
  assert.equal(
    (await rpcRequest(url, 'tools/call', { params: { name: 'odd_tool', arguments: { a: 1 } } })).status,
    200,
  );
  assert.equal(requests, 0);
});

function toolText(name: string, property: string): string {
  return `{"name":"${name}","inputSchema":{"type":"object","properties":{"a":${property}}}}`;
}

test('tools with an annotation that no client could follow are left out, the others stay', async (t) => {
  const upstream = await startByteUpstream(t, {
    tools: [
      [
        toolText('good', '{"type":"string","x-mcp-header":"Region"}'),
        toolText('no_token', '{"type":"string","x-mcp-header":"a b"}'),
        toolText('no_type', '{"type":"object","x-mcp-header":"Region"}'),
      ],
    ],
  });
  const { url } = await startGateway(t, [{ name: 'db', url: upstream.url(0) }]);
  const { text } = await rpcRequest(url, 'tools/list');
  assert.ok(text.includes('"db_good"'), text);
  assert.doesNotMatch(text, /db_no_token|db_no_type/);
});

test('a foreign Origin or Host is refused with 403 before anything is read', async () => {
  const foreign: Record<string, string>[] = [{ origin: 'https://evil.example' }, { host: 'evil.example' }];
  for (const headers of foreign) {
    const answer = await httpRequest(gateway.url, { method: 'POST', headers, body: '{' });
    assert.equal(answer.status, 403, JSON.stringify(headers));
  }
});

test('all pages of a list have the same cache scope', async (t) => {
  const { url } = await startGateway(t, [{ name: 'main', url: fixtureUrl }], { pageSize: 3 });
  const scopes = new Set<unknown>();
  let cursor: unknown;
  let pages = 0;
  do {
    const { message } = await rpcRequest(url, 'tools/list', { params: cursor === undefined ? {} : { cursor } });
    scopes.add(message?.result?.['cacheScope']);
    cursor = message?.result?.['nextCursor'];
    pages++;
  } while (cursor !== undefined);
  assert.ok(pages > 3);
  assert.equal(scopes.size, 1);
});

test('server/discover tells the versions, what there is, and how the databases are called', async () => {
  const { message } = await ask('server/discover');
  const { supportedVersions, capabilities, instructions } = message?.result ?? {};
  assert.deepEqual(supportedVersions, ['2026-07-28']);
  assert.deepEqual(Object.keys(Object(capabilities)).toSorted(), ['completions', 'logging', 'prompts', 'resources', 'tools']); // prettier-ignore
  assert.match(String(instructions), /\bmain\b/);
});

test('changes of lists are promised to every client, those of single resources to modern ones', async () => {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  const legacy = (await ask('initialize', { era: 'legacy', params })).message?.result?.['capabilities'];
  const lists = { listChanged: true };
  assert.deepEqual(legacy, { tools: lists, prompts: lists, resources: lists, completions: {}, logging: {} });
  const modern = (await ask('server/discover')).message?.result?.['capabilities'] as Record<string, object>;
  assert.deepEqual(modern['tools'], { listChanged: true });
  assert.deepEqual(modern['resources'], { listChanged: true, subscribe: true });
});

test('a streamed answer tells proxies not to hold it back, holds no request, and ends with its response', async () => {
  const meta = { progressToken: 'p' };
  const name = 'main_test_tool_with_progress';
  const answer = await ask('tools/call', { params: { name, arguments: {}, _meta: meta } });
  assert.equal(answer.headers['content-type'], 'text/event-stream');
  assert.equal(answer.headers['x-accel-buffering'], 'no');
  assert.match(String(answer.headers['cache-control']), /no-transform/);
  const messages = readEvents(answer.text).map((text) => JSON.parse(text) as { id?: unknown; method?: string });
  const last = messages.pop();
  assert.ok(last?.id !== undefined && last.method === undefined, answer.text);
  assert.ok(messages.length > 0);
  for (const { id, method } of messages) assert.deepEqual([id, method], [undefined, 'notifications/progress']);
});
