/** The server as a process, as a client meets it: over HTTP and over standard input and output. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test, type TestContext } from 'node:test';
import { loadSampleData, startQdrant, type EmbeddedQdrant } from '@database-mcp/embedded';
import {
  assertServerContract,
  buildRpcRequest,
  connectClient,
  freePort,
  listenLocally,
  rpcRequest,
  spawnProcess,
  waitFor,
  type SpawnedProcess,
} from '@database-mcp/testing';

const MAIN = 'apps/qdrant-mcp/src/main.ts';
const TOOLS = ['qdrant_search', 'qdrant_list_collections', 'qdrant_collection_info'];
const SEARCH = { collection: 'countries', query_vector: [0.687, 0.024, 0.719, 0.574], limit: 2 };

let qdrant: EmbeddedQdrant;

before(async () => {
  qdrant = await startQdrant();
  await loadSampleData({ qdrantUrl: qdrant.url });
});

after(() => qdrant.stop());

interface Served {
  base: string;
  url: string;
  server: SpawnedProcess;
}

async function serve(t: TestContext, env: Record<string, string>, ready = '/ready'): Promise<Served> {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const server = await spawnProcess({
    t,
    args: [MAIN],
    env: { QDRANT_API_KEY: undefined, MCP_PORT: String(port), ...env },
    ready: { url: `${base}${ready}` },
  });
  return { base, url: `${base}/mcp`, server };
}

/** A Qdrant that looks up collections and then never answers the query. */
async function startHanging(t: TestContext): Promise<{ url: string; queries: () => number; closed: () => number }> {
  let queries = 0;
  let closed = 0;
  const server = createServer((request, response) => {
    if (!request.url?.endsWith('/points/query')) {
      const vectors = { size: 4, distance: 'Dot' };
      response.end(JSON.stringify({ result: { collections: [], config: { params: { vectors } } }, status: 'ok' }));
      return;
    }
    queries++;
    response.on('close', () => closed++);
  });
  const { origin: url } = await listenLocally(server, { t });
  return { url, queries: () => queries, closed: () => closed };
}

test('it keeps the contract of all database servers', async (t) => {
  const { url } = await serve(t, { QDRANT_URL: qdrant.url });
  await assertServerContract(url, {
    expectedTools: TOOLS,
    callExamples: [
      { name: 'qdrant_list_collections' },
      { name: 'qdrant_collection_info', arguments: { collection: 'countries' } },
      { name: 'qdrant_search', arguments: SEARCH },
    ],
  });
});

test('an instance gives its name to the tools', async (t) => {
  const { url } = await serve(t, { QDRANT_URL: qdrant.url, MCP_INSTANCE: 'docs' });
  const client = await connectClient(url, { t });
  const { tools } = await client.listTools();
  assert.deepEqual(
    tools.map(({ name }) => name),
    TOOLS.map((name) => name.replace('qdrant', 'docs')),
  );
});

test('an integer of a filter that no double holds reaches Qdrant', async (t) => {
  const { url } = await serve(t, { QDRANT_URL: qdrant.url });
  const headers = { 'content-type': 'application/json' };
  const put = (path: string, body: string): Promise<Response> =>
    fetch(`${qdrant.url}${path}`, { method: 'PUT', headers, body });
  await put('/collections/wire', '{"vectors":{"size":1,"distance":"Dot"}}');
  t.after(() => fetch(`${qdrant.url}/collections/wire`, { method: 'DELETE' }));
  await put(
    '/collections/wire/points?wait=true',
    '{"points":[{"id":1,"vector":[1],"payload":{"n":9007199254740993}},{"id":2,"vector":[1],"payload":{"n":9007199254740992}}]}',
  );
  const filter = { must: [{ key: 'n', match: { value: 'HERE' } }] };
  const params = { name: 'qdrant_search', arguments: { collection: 'wire', query_vector: [1], filter } };
  const request = buildRpcRequest('tools/call', { params });
  const response = await fetch(url, {
    method: 'POST',
    headers: request.headers,
    body: request.body.replace('"HERE"', '9007199254740993'),
  });
  const answer = (await response.json()) as { result: { structuredContent: { rows: unknown } } };
  assert.deepEqual(answer.result.structuredContent.rows, [[1, 1, '9007199254740993']]);
});

test('a client that goes away ends the query in Qdrant', async (t) => {
  const hanging = await startHanging(t);
  const { url } = await serve(t, { QDRANT_URL: hanging.url });
  for (const era of ['modern', 'legacy'] as const) {
    const seen = hanging.queries();
    const { headers, body } = buildRpcRequest('tools/call', {
      era,
      params: { name: 'qdrant_search', arguments: SEARCH },
    });
    const gone = new AbortController();
    const failed = assert.rejects(
      fetch(url, { method: 'POST', headers, body, signal: gone.signal }).then((r) => r.text()),
    );
    await waitFor(() => hanging.queries() === seen + 1, { what: `the query of the ${era} client` });
    gone.abort();
    await failed;
    await waitFor(() => hanging.closed() === seen + 1, { what: `the end of the query of the ${era} client` });
  }
});

test('the deadline ends the query in Qdrant', async (t) => {
  const hanging = await startHanging(t);
  const { url } = await serve(t, { QDRANT_URL: hanging.url, MCP_TIMEOUT_MS: '300' });
  const { text } = await rpcRequest(url, 'tools/call', { params: { name: 'qdrant_search', arguments: SEARCH } });
  assert.match(text, /TIMEOUT: .*longer than 0\.3 s/);
  await waitFor(() => hanging.closed() === 1, { what: 'the end of the query' });
});

test('without Qdrant it serves its list, is not ready and says why; it recovers by itself', async (t) => {
  const port = await freePort();
  const { base, url, server } = await serve(t, { QDRANT_URL: `http://127.0.0.1:${port}` }, '/health');
  const client = await connectClient(url, { t });
  assert.equal((await client.listTools()).tools.length, TOOLS.length);
  const notReady = await fetch(`${base}/ready`);
  assert.equal(notReady.status, 503);
  assert.match(await notReady.text(), /cannot be reached/);
  const down = await client.callTool({ name: 'qdrant_list_collections', arguments: {} });
  assert.equal(down.isError, true);
  assert.match(JSON.stringify(down.content), /UNAVAILABLE: Qdrant cannot be reached/);
  await waitFor(() => server.stderr().includes('cannot be used yet'), { what: 'the warning in the log' });
  const late = await startQdrant({ port });
  t.after(() => late.stop());
  const up = await client.callTool({ name: 'qdrant_list_collections', arguments: {} });
  assert.deepEqual((up.structuredContent as { rows: unknown }).rows, []);
  assert.equal((await fetch(`${base}/ready`)).status, 200);
});

test('the start is logged with the configuration and the role, without the key', async (t) => {
  const { server } = await serve(t, { QDRANT_URL: qdrant.url, QDRANT_API_KEY: 's3cret-key' });
  await waitFor(() => server.stderr().includes('database role'), { what: 'the role in the log' });
  assert.match(server.stderr(), /"QDRANT_API_KEY":"\*\*\*"/);
  assert.match(server.stderr(), /Whether the API key may write cannot be seen/);
  assert.doesNotMatch(server.stderr(), /s3cret/);
  const exit = await server.stop();
  assert.deepEqual(exit, { code: 0, signal: null });
});

test('every mistake in the configuration is told at once, and no secret with it', async (t) => {
  const server = await spawnProcess({
    t,
    args: [MAIN],
    env: { QDRANT_URL: 'http://user:s3cret@h:6333', QDRANT_API_KEY: 'a s3cret', MCP_PORT: 'x' },
  });
  assert.equal((await server.exited).code, 1);
  assert.match(server.stderr(), /3 problems:/);
  for (const name of ['QDRANT_URL', 'QDRANT_API_KEY', 'MCP_PORT'])
    assert.match(server.stderr(), new RegExp(`- ${name}`));
  assert.doesNotMatch(server.stderr(), /s3cret|\n {4}at /);
});

test('it serves standard input and output, and ends when its client does', async (t) => {
  const server = await spawnProcess({
    t,
    args: [MAIN, '--transport', 'stdio'],
    env: { QDRANT_URL: qdrant.url },
    stdin: 'pipe',
  });
  const say = (message: object): unknown => server.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const clientInfo = { name: 'test', version: '1' };
  say({ id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo } });
  say({ method: 'notifications/initialized' });
  say({ id: 2, method: 'tools/call', params: { name: 'qdrant_search', arguments: SEARCH } });
  server.stdin?.end();
  assert.deepEqual(await server.exited, { code: 0, signal: null });
  const answers = server
    .stdout()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: number; result: Record<string, unknown> });
  const table = answers.find(({ id }) => id === 2)?.result['structuredContent'] as { rows: unknown[][] };
  assert.equal(table.rows[0]?.[2], 'France');
});
