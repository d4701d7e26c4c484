/** Spans and measurements of requests, as a server of any transport makes them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Client, SSEClientTransport } from '@modelcontextprotocol/client';
import type { Attributes } from '@database-mcp/telemetry';
import { AROUND, CALLER, connect, postLegacy, query, record, start } from './test-observed-server.ts';

test('a call is a SERVER span, and the database operation in it a CLIENT span', async (t) => {
  const { url, recorded, describe } = await start(t);
  const client = await connect(t, url, 'auto');
  await query(client, 'hunter2', { traceparent: CALLER, tracestate: 'a=b' });
  const [server, database] = recorded.spans.filter(({ name }) => /query|SELECT/.test(name));
  assert.deepEqual(
    [server?.name, server?.kind, server?.parent, server?.links, server?.failure, server?.hasEnded],
    [
      'tools/call test_query',
      'server',
      { traceId: CALLER.slice(3, 35), spanId: CALLER.slice(36, 52), flags: 1, state: 'a=b' },
      [],
      undefined,
      true,
    ],
  );
  const { 'client.port': port, 'jsonrpc.request.id': id, ...attributes } = server?.attributes ?? {};
  assert.ok(Number(port) > 0 && typeof id === 'string');
  assert.deepEqual(dropUndefined(attributes), {
    'mcp.method.name': 'tools/call',
    'gen_ai.tool.name': 'test_query',
    'gen_ai.operation.name': 'execute_tool',
    'mcp.protocol.version': '2026-07-28',
    'network.transport': 'tcp',
    'network.protocol.name': 'http',
    'network.protocol.version': '1.1',
    'client.address': '127.0.0.1',
  });
  assert.deepEqual(
    [database?.name, database?.kind, database?.parent?.spanId, database?.parent?.traceId, database?.hasEnded],
    ['SELECT country', 'client', server?.spanId, CALLER.slice(3, 35), true],
  );
  assert.deepEqual(dropUndefined(database?.attributes ?? {}), {
    'db.system.name': 'postgresql',
    'db.namespace': 'app',
    'server.address': 'db.example',
    'server.port': 6432,
    'db.query.summary': 'SELECT country',
    'db.query.text': 'SELECT ?',
    'db.response.returned_rows': 1,
  });
  assert.equal(describe.calls, 1);
  assert.ok(!JSON.stringify(recorded).includes('hunter2'), 'arguments and results are nowhere');
});

const dropUndefined = (attributes: Attributes): Attributes =>
  Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));

const CONTEXTS: { meta?: string; header?: string; parent: string | undefined; links: string[]; why: string }[] = [
  { meta: CALLER, parent: CALLER, links: [], why: '_meta only' },
  { header: AROUND, parent: AROUND, links: [], why: 'a header only: it is the parent' },
  {
    meta: CALLER,
    header: AROUND,
    parent: CALLER,
    links: [AROUND],
    why: 'both: _meta is the parent, the header is linked',
  },
  { meta: CALLER, header: CALLER, parent: CALLER, links: [], why: 'the same in both: no link to the parent' },
  { meta: 'nonsense', header: AROUND, parent: AROUND, links: [], why: 'what is malformed counts as absent' },
  { parent: undefined, links: [], why: 'neither: a new trace' },
];

const toContext = (text: string | undefined) =>
  text && { traceId: text.slice(3, 35), spanId: text.slice(36, 52), flags: 1 };

test('the context in _meta is the parent, that of the HTTP request is linked or, alone, the parent', async (t) => {
  const { url, recorded } = await start(t);
  for (const { meta, header, parent, links, why } of CONTEXTS) {
    recorded.spans.length = 0;
    await postLegacy(url, { method: 'tools/list', params: meta ? { _meta: { traceparent: meta } } : {} }, header);
    const [span] = recorded.spans;
    assert.deepEqual(span?.parent, toContext(parent), why);
    assert.deepEqual(span?.links ?? [], links.map(toContext), why);
  }
});

const ENDINGS: {
  message: object;
  span: string;
  failure: [string, string | undefined] | undefined;
  code?: string;
  why: string;
}[] = [
  {
    message: { method: 'tools/call', params: { name: 'test_query', arguments: { sql: 'bad hunter2' } } },
    span: 'tools/call test_query',
    failure: ['tool_error', 'NOT_FOUND'],
    why: 'a result with isError: the code of the failure, never its text',
  },
  {
    message: { method: 'tools/call', params: { name: 'test_query', arguments: { sql: 4711 } } },
    span: 'tools/call test_query',
    failure: ['tool_error', 'INVALID_ARGUMENT'],
    why: 'arguments that do not fit the schema are a result too',
  },
  {
    message: { method: 'tools/call', params: { name: 'test_missing' } },
    span: 'tools/call',
    failure: undefined,
    code: '-32602',
    why: "an unknown tool is the caller's mistake and no error of the server",
  },
  {
    message: { method: 'no/such' },
    span: '_other',
    failure: undefined,
    code: '-32601',
    why: 'nor is an unknown method',
  },
  { message: { method: 'ping' }, span: 'ping', failure: undefined, why: 'a method that the SDK answers' },
];

test('failures have the error type of the conventions; mistakes of the caller are no errors', async (t) => {
  const { url, recorded } = await start(t);
  for (const { message, span: name, failure, code, why } of ENDINGS) {
    recorded.spans.length = 0;
    recorded.measurements.length = 0;
    await postLegacy(url, message);
    const [span] = recorded.spans;
    assert.deepEqual([span?.name, span?.failure, span?.hasEnded], [name, failure, true], why);
    assert.equal(span?.attributes['rpc.response.status_code'], code, why);
    assert.equal(span?.attributes['mcp.protocol.version'], '2025-06-18', why);
    const measured = recorded.measurements.find((one) => one.name === 'mcp.server.operation.duration');
    assert.equal(measured?.labels['error.type'], failure?.[0], why);
    assert.ok(!JSON.stringify(recorded).includes('hunter2'), why);
  }
});

test('a failed database operation has its status and no text of the database', async (t) => {
  const { url, recorded } = await start(t);
  await postLegacy(url, { method: 'tools/call', params: { name: 'test_query', arguments: { sql: 'bad hunter2' } } });
  const span = recorded.spans.find(({ kind }) => kind === 'client');
  assert.deepEqual([span?.failure, span?.attributes['db.response.status_code']], [['42P01', undefined], '42P01']);
});

test('durations, sizes, truncations and the pool are measured, with labels of closed sets', async (t) => {
  const { url, recorded } = await start(t);
  await postLegacy(url, { method: 'tools/call', params: { name: 'test_query', arguments: { sql: 'x' } } });
  await postLegacy(url, { method: 'tools/call', params: { name: 'made up by a client' } });
  await postLegacy(url, { method: 'made/up' });
  const found = recorded.measurements.map(({ name, labels }) => ({ name, ...dropUndefined({ ...labels }) }));
  const server = { name: 'mcp.server.operation.duration', 'mcp.protocol.version': '2025-06-18' };
  const call = { ...server, 'mcp.method.name': 'tools/call', 'gen_ai.operation.name': 'execute_tool' };
  assert.deepEqual(found, [
    { name: 'db.client.operation.duration', 'db.system.name': 'postgresql', 'db.namespace': 'app', 'server.address': 'db.example', 'server.port': '6432' }, // prettier-ignore
    { name: 'mcp.result.size', 'gen_ai.tool.name': 'test_query' },
    { name: 'mcp.result.truncated', 'gen_ai.tool.name': 'test_query' },
    { ...call, 'gen_ai.tool.name': 'test_query' },
    { ...call, 'gen_ai.tool.name': '_other' },
    { ...server, 'mcp.method.name': '_other' },
  ]);
  assert.ok(recorded.measurements.every(({ value }) => value >= 0 && value < 5_000));
  const pool = [...recorded.gauges].flatMap(([name, observe]) => [...observe()].map(({ value, labels }) => [name, value, labels?.['db.client.connection.state']])); // prettier-ignore
  assert.deepEqual(pool, [
    ['db.client.connection.count', 2, 'used'],
    ['db.client.connection.count', 1, 'idle'],
    ['db.client.connection.pending_requests', 4, undefined],
    ['db.client.connection.max', 5, undefined],
  ]);
});

test('of a span that is not recorded no statement is described', async (t) => {
  const { url, recorded, describe } = await start(t, { recorded: record(false) });
  await postLegacy(url, { method: 'tools/call', params: { name: 'test_query', arguments: { sql: 'x' } } });
  assert.equal(describe.calls, 0);
  assert.ok(recorded.measurements.some(({ name }) => name === 'db.client.operation.duration'));
});

test('arguments and results are recorded only when that is switched on', async (t) => {
  const { url, recorded } = await start(t, { traceContent: true });
  await postLegacy(url, { method: 'tools/call', params: { name: 'test_query', arguments: { sql: 'x' } } });
  const [span] = recorded.spans;
  assert.equal(span?.attributes['gen_ai.tool.call.arguments'], '{"sql":"x"}');
  assert.match(String(span?.attributes['gen_ai.tool.call.result']), /^\{"columns":.*"rows":\[\["x"\]\]/);
});

test('a call whose client goes away is a span that was cancelled', async (t) => {
  const { url, recorded, lines } = await start(t);
  const leave = new AbortController();
  const gone = fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"test_query","arguments":{"sql":"wait"}}}',
    signal: leave.signal,
  }).catch(() => 'gone');
  while (!recorded.spans.some(({ kind }) => kind === 'client')) await new Promise(setImmediate);
  leave.abort();
  assert.equal(await gone, 'gone');
  while (lines.length === 0) await new Promise(setImmediate);
  const [span] = recorded.spans;
  assert.deepEqual([span?.failure, span?.hasEnded], [['cancelled', undefined], true]);
  assert.equal(lines[0]?.['status'], 'CANCELLED');
});

test('requests over HTTP+SSE and standard input are observed like those over HTTP', async (t) => {
  const sse = await start(t);
  const client = new Client({ name: 'agent', version: '1' });
  await client.connect(new SSEClientTransport(new URL('/sse', sse.url)));
  t.after(() => client.close());
  await query(client, 'x', { traceparent: CALLER });
  const call = sse.recorded.spans.find(({ name }) => name === 'tools/call test_query');
  assert.deepEqual([call?.parent?.spanId, call?.attributes['network.transport']], [CALLER.slice(36, 52), 'tcp']);
  assert.equal(call?.attributes['client.address'], '127.0.0.1');
  assert.equal(call?.attributes['mcp.protocol.version'], '2025-11-25', 'the revision that initialize agreed on');

  const stdio = await start(t, { transport: 'stdio' });
  const send = (message: object): void => void stdio.input.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const clientInfo = { name: 't', version: '1' };
  send({ id: 0, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } });
  await once(stdio.output, 'data');
  send({ method: 'notifications/initialized' });
  send({
    id: 'a',
    method: 'tools/call',
    params: { name: 'test_query', arguments: { sql: 'x' }, _meta: { traceparent: CALLER } },
  });
  while (stdio.lines.length === 0) await new Promise(setImmediate);
  const [initialize, own] = stdio.recorded.spans;
  assert.equal(initialize?.name, 'initialize');
  assert.deepEqual(
    [own?.parent?.spanId, own?.attributes['network.transport'], own?.attributes['network.protocol.name']],
    [CALLER.slice(36, 52), 'pipe', undefined],
  );
  assert.deepEqual(
    [own?.attributes['jsonrpc.request.id'], own?.attributes['mcp.protocol.version']],
    ['a', '2025-06-18'],
  );
});

test('a request over stdio that is cancelled is told as such, once', async (t) => {
  const { input, recorded, lines } = await start(t, { transport: 'stdio' });
  const send = (message: object): void => void input.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const clientInfo = { name: 't', version: '1' };
  send({ id: 0, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } });
  send({ id: 1, method: 'tools/call', params: { name: 'test_query', arguments: { sql: 'wait' } } });
  while (!recorded.spans.some(({ kind }) => kind === 'client')) await new Promise(setImmediate);
  send({ method: 'notifications/cancelled', params: { requestId: 1 } });
  while (lines.length === 0) await new Promise(setImmediate);
  assert.deepEqual(recorded.spans[1]?.failure, ['cancelled', undefined]);
  const calls = recorded.measurements.filter(({ labels }) => labels['mcp.method.name'] === 'tools/call');
  assert.equal(calls.length, 1);
});
