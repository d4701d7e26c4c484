import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CollisionError } from './catalogue/catalogue.ts';
import {
  callTool,
  listNames,
  modernBody,
  modernHeaders,
  post,
  readResult,
  startTestGateway,
  until,
} from './test-gateway.ts';
import { answerJson, startTestUpstream, toolText } from './test-upstream.ts';

test('a request and its answer pass byte for byte', async (t) => {
  const answer = '{ "result":{"content":[],"n":9007199254740993,"s":"\\u00e9 é ✓"},"jsonrpc":"2.0" ,"id":7}\n';
  const upstream = await startTestUpstream(t, {
    tools: [toolText('pg_query')],
    onCall: (_request, response) => answerJson(response, answer),
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const body =
    '{"jsonrpc" : "2.0","id":7,\n"method":"tools/call","params":{"name":"pg_query","arguments":{"n":9007199254740993,"s":"ü \\ud83d\\ude00 ✓","f":1.0}}}';
  const got = await post(gateway, body, { 'mcp-protocol-version': '2025-11-25' });
  assert.equal(got.status, 200);
  assert.equal(got.text, answer);
  assert.equal(upstream.calls[0]?.raw, body);
});

test('of a name that got its prefix here only the name changes on the way up', async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('run it')] });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const published = (await listNames(gateway)).at(-1);
  assert.match(published ?? '', /^pg_run_it_[0-9a-f]{10}$/);
  const body = modernBody('tools/call', { name: published, arguments: { name: published, n: 1 } });
  const spaced = body.replace('"arguments":', '"arguments" :  ').replace('"n":1', '"n":9007199254740993');
  const got = await post(gateway, spaced, modernHeaders('tools/call', published));
  assert.equal(readResult(got).text, 'called run it');
  assert.equal(upstream.calls[0]?.raw, spaced.replace(`"name":"${published}"`, '"name":"run it"'));
  assert.equal(upstream.calls[0]?.headers['mcp-name'], 'run it');
});

test("only listed headers travel to the upstream, with its own credential and never the client's", async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_query')] });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url, headers: { 'X-Api-Key': 'own' } }]);
  await post(gateway, modernBody('tools/call', { name: 'pg_query' }), {
    ...modernHeaders('tools/call', 'pg_query'),
    authorization: 'Bearer client',
    cookie: 'a=b',
    'mcp-session-id': 'x',
    'mcp-param-region': 'eu',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'x-forwarded-for': '10.0.0.1',
  });
  const headers = upstream.calls[0]?.headers ?? {};
  const names = Object.keys(headers).filter((name) => !['host', 'connection', 'content-length'].includes(name));
  assert.deepEqual(names.toSorted(), [
    'accept',
    'content-type',
    'mcp-method',
    'mcp-name',
    'mcp-param-region',
    'mcp-protocol-version',
    'traceparent',
    'x-api-key',
  ]);
  assert.equal(headers['x-api-key'], 'own');
});

test('lists carry every upstream in order, in the form of each era, with the id as it was written', async (t) => {
  const odd = '{ "name":"b", "inputSchema":{"type":"object","x":9007199254740993} }';
  const one = await startTestUpstream(t, { tools: [odd], listFields: ',"ttlMs":30000,"cacheScope":"private"' });
  const two = await startTestUpstream(t, { tools: [toolText('z'), toolText('a')] });
  const gateway = await startTestGateway(t, [
    { name: 'one', url: one.url },
    { name: 'two', url: two.url },
  ]);
  assert.deepEqual(await listNames(gateway), ['health_check', 'list_services', 'one_b', 'two_a', 'two_z']);
  const legacy = await post(gateway, '{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/list"}');
  assert.ok(legacy.text.startsWith('{"jsonrpc":"2.0","id":9007199254740993,"result":{"tools":['));
  assert.ok(legacy.text.includes(odd.replace('"b"', '"one_b"')));
  assert.deepEqual(Object.keys(JSON.parse(legacy.text).result), ['tools']);
  const modern = await post(gateway, modernBody('tools/list', {}, 'ä"'), modernHeaders('tools/list'));
  const { id, result } = JSON.parse(modern.text);
  assert.equal(id, 'ä"');
  assert.deepEqual(Object.keys(result), ['tools', 'ttlMs', 'cacheScope', 'resultType', '_meta']);
  assert.equal(result.cacheScope, 'private');
  assert.ok(result.ttlMs > 25_000 && result.ttlMs <= 30_000, String(result.ttlMs));
});

test('all pages of an upstream are read, and bad tools are left out alone', async (t) => {
  const pages: Record<string, string> = {
    first: `{"tools":[${toolText('a')},{"name":"bad"},7],"nextCursor":"p2"}`,
    p2: `{"tools":[${toolText('b')}]}`,
  };
  const upstream = await startTestUpstream(t, {
    onRequest: (request, response) => {
      if (request.body.method !== 'tools/list') return false;
      const result = pages[request.body.params?.cursor ?? 'first'];
      answerJson(response, `{"jsonrpc":"2.0","id":1,"result":${result}}`);
      return true;
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  assert.deepEqual((await listNames(gateway)).slice(2), ['pg_a', 'pg_b']);
});

test('a list that comes as an event stream is read too', async (t) => {
  const upstream = await startTestUpstream(t, {
    onRequest: (request, response) => {
      if (request.body.method !== 'tools/list') return false;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('event: message\r\ndata: {"jsonrpc":"2.0","method":"notifications/message"}\r\n\r\n: hi\n\n');
      response.end(`data: {"jsonrpc":"2.0","id":1,\ndata: "result":{"tools":[${toolText('a')}]}}\n\n`);
      return true;
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  assert.deepEqual((await listNames(gateway)).slice(2), ['pg_a']);
});

test('an event stream passes untouched', async (t) => {
  const stream =
    ': hello\n\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress"}\n\ndata: {"jsonrpc":"2.0","id":1,"result":{"content":[]}}\n\n';
  const upstream = await startTestUpstream(t, {
    tools: [toolText('pg_query')],
    onCall: (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(stream);
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const got = await callTool(gateway, 'pg_query');
  assert.equal(got.headers.get('content-type'), 'text/event-stream');
  assert.equal(got.text, stream);
});

test('an unknown tool is an error that suggests the closest name', async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_query')] });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const { error } = JSON.parse((await callTool(gateway, 'pg_qurey')).text);
  assert.equal(error.code, -32602);
  assert.match(error.message, /Did you mean pg_query\?/);
});

test('a tool that is newer than the list is found, but unknown names cause no storm of requests', async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_query')] });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  upstream.options.tools = [toolText('pg_query'), toolText('pg_new')];
  assert.equal(readResult(await callTool(gateway, 'pg_new')).text, 'called pg_new');
  const before = upstream.requests.length;
  await Promise.all(Array.from({ length: 20 }, (_, index) => callTool(gateway, `pg_${index}`)));
  assert.equal(upstream.requests.length, before);
});

test('equal published names stop the start with an error that names both upstreams', async (t) => {
  const one = await startTestUpstream(t, { tools: [toolText('query')] });
  const two = await startTestUpstream(t, { tools: [toolText('query')] });
  const entries = [
    { name: 'one', url: one.url, prefix: '' },
    { name: 'two', url: two.url, prefix: '' },
  ];
  await assert.rejects(startTestGateway(t, entries), (error) => {
    assert.ok(error instanceof CollisionError);
    assert.match(error.message, /upstream "one" and upstream "two" would both publish query/);
    return true;
  });
});

test('a collision that comes later leaves the name to the first and marks the second as degraded', async (t) => {
  const one = await startTestUpstream(t, { tools: [toolText('a_query')] });
  const two = await startTestUpstream(t, { tools: [toolText('a_b_query')] });
  const gateway = await startTestGateway(t, [
    { name: 'one', url: one.url, prefix: 'a_' },
    { name: 'two', url: two.url, prefix: 'a_b_' },
  ]);
  two.options.tools = [toolText('a_b_query'), toolText('a_b_more')];
  one.options.tools = [toolText('a_query'), toolText('a_b_query')];
  assert.equal(readResult(await callTool(gateway, 'a_b_more')).text, 'called a_b_more');
  await callTool(gateway, 'a_none');
  const { result } = JSON.parse((await callTool(gateway, 'list_services')).text);
  assert.equal(result.structuredContent.services.one.status, 'up');
  assert.equal(result.structuredContent.services.two.status, 'degraded');
  await callTool(gateway, 'a_b_query');
  assert.deepEqual([one.calls.length, two.calls.length], [1, 1]);
});

test('hub tools answer in both eras', async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_query')] });
  const url = upstream.url.replace('http://', 'http://user:secret@');
  const gateway = await startTestGateway(t, [{ name: 'pg', url: `${url}?key=secret` }]);
  const health = await post(
    gateway,
    modernBody('tools/call', { name: 'health_check' }),
    modernHeaders('tools/call', 'health_check'),
  );
  const { result } = JSON.parse(health.text);
  assert.equal(result.resultType, 'complete');
  assert.deepEqual(Object.keys(result.structuredContent), ['status', 'service', 'version', 'message']);
  assert.equal(result.structuredContent.status, 'healthy');
  assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
  const services = await callTool(gateway, 'list_services');
  assert.deepEqual(JSON.parse(services.text).result.structuredContent, {
    total_services: 1,
    services: { pg: { name: 'pg', endpoint: upstream.url, status: 'up', tools: ['pg_query'] } },
  });
  assert.equal(upstream.requests[0]?.headers.authorization, `Basic ${Buffer.from('user:secret').toString('base64')}`);
});

test('a handshake echoes the revision it speaks, and offers its newest for any other', async (t) => {
  const upstream = await startTestUpstream(t, { instructions: 'Tables of the shop.' });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const rows = [
    ['2025-11-25', '2025-11-25'],
    ['2025-06-18', '2025-06-18'],
    ['2025-03-26', '2025-03-26'],
    ['2024-11-05', '2024-11-05'],
    ['2023-01-01', '2025-11-25'],
  ];
  for (const [requested, expected] of rows) {
    const params = { protocolVersion: requested, capabilities: {}, clientInfo: { name: 'x', version: '1' } };
    const got = await post(gateway, JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }));
    const { result } = JSON.parse(got.text);
    assert.equal(result.protocolVersion, expected);
    assert.match(got.headers.get('mcp-session-id') ?? '', /^[0-9a-f-]{36}$/);
    assert.match(result.instructions, /## pg\nTables of the shop\.$/);
  }
  const discovered = await post(gateway, modernBody('server/discover'), modernHeaders('server/discover'));
  const { result } = JSON.parse(discovered.text);
  assert.deepEqual(result.supportedVersions, ['2026-07-28']);
  assert.deepEqual(result.capabilities.tools !== undefined, true);
  assert.equal(result.resultType, 'complete');
});

const STATUS_ROWS = [
  { why: 'malformed JSON', body: '{"jsonrpc":', status: 400, code: -32700 },
  { why: 'no body', body: '', status: 400, code: -32700 },
  {
    why: 'an unknown modern method',
    body: modernBody('x/y'),
    headers: modernHeaders('x/y'),
    status: 404,
    code: -32601,
  },
  { why: 'an unknown legacy method', body: '{"jsonrpc":"2.0","id":1,"method":"x/y"}', status: 200, code: -32601 },
  { why: 'a wrong content type', body: '{}', headers: { 'content-type': 'text/plain' }, status: 415, code: -32600 },
  {
    why: 'an unknown cursor',
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x"}}',
    status: 200,
    code: -32602,
  },
  { why: 'a body over the limit', body: `"${'x'.repeat(20_000)}"`, status: 413, code: -32600 },
  {
    why: 'an invalid legacy version',
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    headers: { 'mcp-protocol-version': '1' },
    status: 400,
    code: -32022,
  },
];

test('bad requests get the status and the code that the protocol says', async (t) => {
  const upstream = await startTestUpstream(t);
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }], { maxBodyBytes: 10_000 });
  for (const { why, body, headers, status, code } of STATUS_ROWS) {
    const got = await post(gateway, body, headers);
    assert.deepEqual({ status: got.status, code: JSON.parse(got.text).error.code }, { status, code }, why);
  }
  const notified = await post(gateway, '{"jsonrpc":"2.0","method":"notifications/initialized"}');
  assert.deepEqual({ status: notified.status, text: notified.text }, { status: 202, text: '' });
  assert.equal(upstream.calls.length, 0);
});

const STREAM_FIRST = { accept: 'text/event-stream, application/json' };

test('a legacy client that names event streams first gets what the gateway answers itself as one event', async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_query', ',\n  "title": "Q"')] });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const initialize = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  const rows: [method: string, params: object][] = [
    ['initialize', initialize],
    ['ping', {}],
    ['tools/list', {}],
    ['tools/call', { name: 'list_services' }],
    ['no/such', {}],
  ];
  for (const [method, params] of rows) {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const asked = await post(gateway, body, STREAM_FIRST);
    const usual = await post(gateway, body);
    assert.deepEqual([asked.status, usual.headers.get('content-type')], [200, 'application/json'], method);
    const names = ['content-type', 'cache-control', 'x-accel-buffering'];
    const expected = ['text/event-stream', 'no-cache, no-transform', 'no'];
    assert.deepEqual(names.map((name) => asked.headers.get(name)), expected, method); // prettier-ignore
    const [, data = ''] = /^event: message\ndata: (.+)\n\n$/.exec(asked.text) ?? assert.fail(asked.text);
    assert.deepEqual(Object.keys(JSON.parse(data)), Object.keys(JSON.parse(usual.text)), method);
    assert.equal(asked.headers.has('mcp-session-id'), method === 'initialize');
  }
  const called = await post(gateway, '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pg_query"}}', STREAM_FIRST); // prettier-ignore
  assert.equal(readResult(called).text, 'called pg_query', "an upstream's answer comes as the upstream sent it");
});

test('bad requests, batches and modern requests are answered in JSON whatever is named first', async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_query')] });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
  const rows: [body: string, headers: Record<string, string>, status: number][] = [
    ['{"jsonrpc":', {}, 400],
    [ping, { 'mcp-session-id': 'a b' }, 400],
    [`[${ping}]`, {}, 200],
    [modernBody('tools/list'), modernHeaders('tools/list'), 200],
    [modernBody('server/discover'), modernHeaders('server/discover'), 200],
  ];
  for (const [body, headers, status] of rows) {
    const got = await post(gateway, body, { ...STREAM_FIRST, ...headers });
    assert.deepEqual([got.status, got.headers.get('content-type')], [status, 'application/json'], body);
  }
});

test('a closed client ends the request at the upstream', async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_query')], onCall: () => {} });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const gone = new AbortController();
  const call = callTool(gateway, 'pg_query', gone.signal);
  await until('the call arrives', () => upstream.calls.length === 1);
  gone.abort();
  await assert.rejects(call);
  await until('the upstream sees the end', () => upstream.aborted === 1);
});
