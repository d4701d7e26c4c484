import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildRpcRequest,
  freePort,
  rpcRequest,
  startOtlpReceiver,
  waitFor,
  type OtlpReceiver,
  type ReceivedSpan,
} from '@database-mcp/testing';
import { callTool, startTracedGateway, waitForTrace, type ClientTrace, type TracedGateway } from './traced-gateway.ts';
import { startTracedUpstream, type TracedUpstream } from './traced-upstream.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const HTTP_TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CLIENT_SPAN = 'b7ad6b7169203331';
const HTTP_SPAN = '00f067aa0ba902b7';

let counter = 0;

/** A trace of its own for each case, so that they share a gateway and a receiver. */
function freshTrace(): { traceId: string; traceparent: string } {
  const traceId = TRACE.slice(0, -4) + (++counter).toString(16).padStart(4, '0');
  return { traceId, traceparent: `00-${traceId}-${CLIENT_SPAN}-01` };
}

interface Setup {
  receiver: OtlpReceiver;
  upstream: TracedUpstream;
  gateway: TracedGateway;
}

async function start(t: Parameters<typeof startTracedUpstream>[0]): Promise<Setup> {
  const receiver = await startOtlpReceiver(t);
  const upstream = await startTracedUpstream(t, 'a_');
  const old = await startTracedUpstream(t, 'old_');
  const gateway = await startTracedGateway(t, {
    upstreams: [
      { name: 'a', url: `http://127.0.0.1:${upstream.port}/mcp`, timeoutMs: 500 },
      { name: 'old', url: `http://127.0.0.1:${old.port}/legacy`, era: 'legacy' },
      { name: 'down', url: `http://127.0.0.1:${await freePort()}/mcp` },
    ],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_RESOURCE_ATTRIBUTES: 'k8s.pod.name=gateway-0,deployment.environment.name=test',
    },
  });
  upstreams.set('a', upstream).set('old', old);
  return { receiver, upstream, gateway };
}

const upstreams = new Map<string, TracedUpstream>();

function isRefresh(upstream: string): (span: ReceivedSpan) => boolean {
  return ({ name, attributes }) => name === 'catalogue refresh' && attributes['mcp.upstream.name'] === upstream;
}

/** The SERVER span and its one CLIENT child. */
async function traceOf(receiver: OtlpReceiver, traceId: string): Promise<[ReceivedSpan, ReceivedSpan]> {
  const spans = await waitForTrace(receiver, traceId, 2);
  const server = spans.find(({ kind }) => kind === 'server');
  const client = spans.find(({ kind }) => kind === 'client');
  assert.ok(server && client && spans.length === 2, JSON.stringify(spans.map(({ name }) => name)));
  assert.equal(client.parentSpanId, server.spanId);
  assert.ok(server.startNs <= client.startNs && client.endNs <= server.endNs, 'the child lies within its parent');
  return [server, client];
}

test('the trace of a call through a gateway process', async (t) => {
  const { receiver, upstream, gateway } = await start(t);
  const { url } = gateway;

  await t.test('a modern client with _meta: every attribute, and the context goes on', async () => {
    const { traceId, traceparent } = freshTrace();
    const meta = { traceparent, tracestate: 'v=1', baggage: 'user=ada' };
    assert.equal((await callTool(url, 'modern', 'a_ok', { meta })).status, 200);
    const [server, client] = await traceOf(receiver, traceId);
    const { 'client.port': clientPort, ...serverAttributes } = server.attributes;
    assert.equal(typeof clientPort, 'number');
    const common = {
      'mcp.method.name': 'tools/call',
      'gen_ai.tool.name': 'a_ok',
      'gen_ai.operation.name': 'execute_tool',
      'jsonrpc.request.id': '7',
      'mcp.protocol.version': '2026-07-28',
      'network.transport': 'tcp',
      'network.protocol.name': 'http',
      'network.protocol.version': '1.1',
    };
    assert.deepEqual(serverAttributes, { ...common, 'client.address': '127.0.0.1' });
    assert.deepEqual(client.attributes, {
      ...common,
      'mcp.upstream.name': 'a',
      'server.address': '127.0.0.1',
      'server.port': upstream.port,
    });
    for (const span of [server, client]) {
      assert.equal(span.name, 'tools/call a_ok');
      assert.equal(span.traceState, 'v=1');
      assert.deepEqual(span.status, { code: 0, message: '' });
      assert.deepEqual(span.links, []);
    }
    assert.equal(server.parentSpanId, CLIENT_SPAN);
    const { 'service.version': version, 'telemetry.sdk.version': own, ...resource } = server.resource;
    assert.match(`${version} ${own}`, /^(\d+\.\d+\.\d+) \1$/);
    assert.deepEqual(resource, {
      'service.name': 'database-mcp-gateway',
      'k8s.pod.name': 'gateway-0',
      'deployment.environment.name': 'test',
      'telemetry.sdk.name': 'database-mcp',
      'telemetry.sdk.language': 'nodejs',
    });
    const sent = `00-${traceId}-${client.spanId}-01`;
    const { headers, message } = upstream.callOf('ok');
    assert.equal(message.params?._meta?.['traceparent'], sent);
    assert.equal(message.params?._meta?.['tracestate'], 'v=1');
    assert.equal(message.params?._meta?.['baggage'], 'user=ada');
    assert.deepEqual([headers['traceparent'], headers['tracestate'], headers['baggage']], [sent, 'v=1', 'user=ada']);
  });

  const HEADER = { traceparent: `00-${HTTP_TRACE}-${HTTP_SPAN}-01`, tracestate: 'h=1', baggage: 'from=http' };
  const cases: { why: string; era: 'modern' | 'legacy'; trace: (own: string) => ClientTrace; isLinked: boolean }[] = [
    { why: 'header only', era: 'modern', trace: (own) => ({ headers: { traceparent: own } }), isLinked: false },
    {
      why: '_meta and header: _meta is the parent, the header is linked',
      era: 'modern',
      trace: (own) => ({ meta: { traceparent: own }, headers: HEADER }),
      isLinked: true,
    },
    {
      why: 'a legacy client with _meta',
      era: 'legacy',
      trace: (own) => ({ meta: { traceparent: own } }),
      isLinked: false,
    },
    {
      why: 'a legacy client with a header',
      era: 'legacy',
      trace: (own) => ({ headers: { traceparent: own } }),
      isLinked: false,
    },
    {
      why: 'a malformed _meta counts as none',
      era: 'modern',
      trace: (own) => ({ meta: { traceparent: 'nonsense' }, headers: { traceparent: own } }),
      isLinked: false,
    },
  ];
  for (const { why, era, trace, isLinked } of cases) {
    await t.test(`parents: ${why}`, async () => {
      const { traceId, traceparent } = freshTrace();
      assert.equal((await callTool(url, era, 'a_ok', trace(traceparent))).status, 200);
      const [server, client] = await traceOf(receiver, traceId);
      assert.equal(server.parentSpanId, CLIENT_SPAN);
      assert.deepEqual(server.links, isLinked ? [{ traceId: HTTP_TRACE, spanId: HTTP_SPAN }] : []);
      const { headers, message } = upstream.callOf('ok');
      const sent = `00-${traceId}-${client.spanId}-01`;
      assert.equal(message.params?._meta?.['traceparent'], sent);
      // What came with the HTTP request alone is not of this trace.
      assert.deepEqual(
        [headers['traceparent'], headers['tracestate'], headers['baggage']],
        [sent, undefined, undefined],
      );
    });
  }

  await t.test('neither: a trace begins here', async () => {
    upstream.seen.length = 0;
    assert.equal((await callTool(url, 'legacy', 'a_ok')).status, 200);
    const sent = String(upstream.callOf('ok').headers['traceparent']);
    assert.equal(upstream.callOf('ok').message.params?._meta?.['traceparent'], sent);
    const [server, client] = await traceOf(receiver, sent.split('-')[1] ?? '');
    assert.equal(server.parentSpanId, '');
    assert.equal(sent, `00-${server.traceId}-${client.spanId}-03`, 'sampled, and the id is random');
    assert.equal(server.attributes['mcp.protocol.version'], undefined, 'this client does not name its revision');
  });

  await t.test('not sampled by the client: no span, and the context still goes on', async () => {
    const { traceId } = freshTrace();
    await callTool(url, 'modern', 'a_ok', { meta: { traceparent: `00-${traceId}-${CLIENT_SPAN}-00` } });
    const sent = upstream.callOf('ok').headers['traceparent'];
    assert.match(String(sent), new RegExp(`^00-${traceId}-(?!${CLIENT_SPAN})[0-9a-f]{16}-00$`));
    const { traceId: later, traceparent } = freshTrace();
    await callTool(url, 'modern', 'a_ok', { meta: { traceparent } });
    await waitForTrace(receiver, later, 2);
    assert.ok(!receiver.spans.some((span) => span.traceId === traceId));
  });

  const failures: { tool: string; why: string; type: string; server?: string | null; code?: string; text?: string }[] =
    [
      { tool: 'a_fail', why: 'a result with isError', type: 'tool_error' },
      { tool: 'a_events', why: 'isError in the last event of a stream', type: 'tool_error' },
      { tool: 'a_large', why: 'isError at the end of a long answer', type: 'tool_error' },
      { tool: 'a_break', why: 'a JSON-RPC error', type: '-32603', code: '-32603', text: 'It broke.' },
      {
        tool: 'a_refuse',
        why: "the caller's mistake is no error of the server",
        type: '-32602',
        server: null,
        code: '-32602',
        text: 'The arguments are wrong.',
      },
      { tool: 'a_hang', why: 'the deadline', type: 'timeout' },
    ];
  for (const { tool, why, type, server: serverType = type, code, text = '' } of failures) {
    await t.test(`errors: ${why}`, async () => {
      const { traceId, traceparent } = freshTrace();
      await (await callTool(url, 'modern', tool, { meta: { traceparent } })).text();
      const [server, client] = await traceOf(receiver, traceId);
      assert.equal(client.attributes['error.type'], type);
      assert.equal(client.attributes['rpc.response.status_code'], code);
      assert.deepEqual(client.status, { code: 2, message: text });
      assert.equal(server.attributes['error.type'], serverType ?? undefined);
      assert.equal(server.attributes['rpc.response.status_code'], code);
      assert.equal(server.status.code, serverType === null ? 0 : 2);
    });
  }

  await t.test('errors: the client goes away', async () => {
    const { traceId, traceparent } = freshTrace();
    const gone = new AbortController();
    upstream.seen.length = 0;
    const call = callTool(url, 'modern', 'a_hang', { meta: { traceparent } }, gone.signal);
    await waitFor(() => upstream.seen.length > 0, { what: 'the call at the upstream' });
    gone.abort();
    await assert.rejects(call);
    for (const span of await traceOf(receiver, traceId)) assert.equal(span.attributes['error.type'], 'cancelled');
  });

  await t.test(
    'a tool that does not exist: the mistake of the caller, and no name of its making in the span',
    async () => {
      const { traceId, traceparent } = freshTrace();
      await callTool(url, 'modern', 'a_secret_name', { meta: { traceparent } });
      const [server] = await waitForTrace(receiver, traceId, 1);
      assert.equal(server?.name, 'tools/call');
      assert.equal(server.attributes['gen_ai.tool.name'], 'a_secret_name');
      assert.equal(server.attributes['rpc.response.status_code'], '-32602');
      assert.equal(server.attributes['error.type'], undefined);
    },
  );

  await t.test('a bridged legacy upstream: the same tree, and the context in _meta and headers', async () => {
    const { traceId, traceparent } = freshTrace();
    const answered = await callTool(url, 'modern', 'old_fail', { meta: { traceparent, baggage: 'b=1' } });
    assert.equal(answered.status, 200);
    const [server, client] = await traceOf(receiver, traceId);
    assert.equal(client.attributes['mcp.upstream.name'], 'old');
    assert.equal(client.attributes['error.type'], 'tool_error');
    assert.equal(server.attributes['error.type'], 'tool_error');
    const { headers, message } = upstreams.get('old')?.callOf('fail') ?? assert.fail();
    const sent = message.params?._meta;
    const own = `00-${traceId}-${client.spanId}-01`;
    assert.deepEqual(sent, { traceparent: own, baggage: 'b=1' });
    assert.deepEqual([headers['traceparent'], headers['baggage']], [own, 'b=1']);
  });

  await t.test('each message of a batch has a span of its own', async () => {
    const { traceId, traceparent } = freshTrace();
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', traceparent };
    const calls = ['a_ok', 'a_fail'].map((name, id) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name },
    }));
    const body = JSON.stringify(calls);
    await (await fetch(url, { method: 'POST', headers, body })).text();
    const servers = (await waitForTrace(receiver, traceId, 4)).filter(({ kind }) => kind === 'server');
    assert.deepEqual(servers.map((span) => [span.name, span.attributes['error.type'], span.parentSpanId]).toSorted(), [
      ['tools/call a_fail', 'tool_error', CLIENT_SPAN],
      ['tools/call a_ok', undefined, CLIENT_SPAN],
    ]);
  });

  await t.test('a stream that listens has a span that ends when it is open', async () => {
    const { traceId, traceparent } = freshTrace();
    const gone = new AbortController();
    const params = { notifications: { toolsListChanged: true }, _meta: { traceparent } };
    const { headers, body } = buildRpcRequest('subscriptions/listen', { params });
    await fetch(url, { method: 'POST', headers, body, signal: gone.signal });
    const [span] = await waitForTrace(receiver, traceId, 1);
    assert.deepEqual([span?.name, span?.kind, span?.status.code], ['subscriptions/listen', 'server', 0]);
    gone.abort();
  });

  await t.test('tools/list is answered from the catalogue, whose refreshes are traces of their own', async () => {
    const { traceId, traceparent } = freshTrace();
    await rpcRequest(url, 'tools/list', { params: { _meta: { traceparent } } });
    const [list] = await waitForTrace(receiver, traceId, 1);
    assert.deepEqual([list?.name, list?.kind, list?.parentSpanId], ['tools/list', 'server', CLIENT_SPAN]);
    assert.equal(list?.attributes['gen_ai.operation.name'], undefined);
    const up = await receiver.waitForSpan('the refresh of a', isRefresh('a'));
    const down = await receiver.waitForSpan('the refresh of down', isRefresh('down'));
    const old = await receiver.waitForSpan('the refresh of old', isRefresh('old'));
    for (const span of [up, down, old]) assert.deepEqual([span.kind, span.parentSpanId], ['internal', '']);
    assert.equal(up.attributes['error.type'], undefined);
    assert.deepEqual([down.attributes['error.type'], down.status.code], ['unreachable', 2]);
    const childrenOf = (parent: ReceivedSpan): ReceivedSpan[] =>
      receiver.spans.filter((span) => span.parentSpanId === parent.spanId);
    assert.deepEqual(
      childrenOf(up).map(({ name, kind, traceId: of }) => [name, kind, of === up.traceId]),
      [
        ['server/discover', 'client', true],
        ['tools/list', 'client', true],
      ],
    );
    const [failed, ...none] = childrenOf(down);
    assert.deepEqual([failed?.name, failed?.attributes['error.type']], ['server/discover', 'unreachable']);
    assert.equal(none.length, 0);
  });
});
