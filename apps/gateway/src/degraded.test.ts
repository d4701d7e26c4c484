import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { freePort } from '@database-mcp/testing';
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
import { answerCall, answerJson, startTestUpstream, toolText } from './test-upstream.ts';

const TOOLS = [toolText('pg_query')];

async function status(gateway: { url: string }, name: string): Promise<string> {
  const { result } = JSON.parse((await callTool(gateway, 'list_services')).text);
  return result.structuredContent.services[name].status;
}

test('the gateway starts and serves while an upstream is down, and has its tools within two seconds of its coming up', async (t) => {
  const port = await freePort();
  const other = await startTestUpstream(t, { tools: [toolText('crm_query')] });
  const gateway = await startTestGateway(t, [
    { name: 'pg', url: `http://127.0.0.1:${port}/mcp` },
    { name: 'crm', url: other.url },
  ]);
  assert.deepEqual((await listNames(gateway)).slice(2), ['crm_query']);
  const ready = await (await fetch(`${gateway.url}/ready`)).json();
  assert.deepEqual(ready, { ready: true, upstreams: { pg: 'down', crm: 'up' } });
  const failed = readResult(await callTool(gateway, 'pg_query'));
  assert.equal(failed.isError, true);
  assert.match(failed.text, /^UNAVAILABLE: The database server "pg" cannot be reached\./);
  await startTestUpstream(t, { tools: TOOLS, port });
  await until('its tools are listed', async () => (await listNames(gateway)).includes('pg_query'), 2_000);
  assert.equal(readResult(await callTool(gateway, 'pg_query')).text, 'called pg_query');
});

test('calls to a dead upstream fail fast in both eras without its address, its tools stay listed, and it comes back', async (t) => {
  const upstream = await startTestUpstream(t, { tools: TOOLS });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  await upstream.stop();
  const started = performance.now();
  for (let index = 0; index < 5; index++) {
    const failed = readResult(await callTool(gateway, 'pg_query'));
    assert.equal(failed.isError, true);
    assert.match(failed.text, /"pg" cannot be reached/);
    assert.ok(!failed.text.includes('127.0.0.1') && !failed.text.includes(String(upstream.port)));
  }
  assert.ok(performance.now() - started < 1_000);
  const modern = await post(
    gateway,
    modernBody('tools/call', { name: 'pg_query' }),
    modernHeaders('tools/call', 'pg_query'),
  );
  assert.equal(modern.status, 200);
  assert.equal(JSON.parse(modern.text).result.resultType, 'complete');
  assert.ok((await listNames(gateway)).includes('pg_query'));
  assert.equal(await status(gateway, 'pg'), 'down');
  await startTestUpstream(t, { tools: TOOLS, port: upstream.port });
  await until('calls work again', async () => !readResult(await callTool(gateway, 'pg_query')).isError, 2_500);
  // A call may get through before the next look at the upstream.
  await until('it is said to be up', async () => (await status(gateway, 'pg')) === 'up', 2_500);
});

test('an address that swallows connections costs a call less than a second', async (t) => {
  const upstream = await startTestUpstream(t, { tools: TOOLS });
  // 192.0.2.0/24 is reserved for documentation: packets to it vanish, or there is no route to it at all.
  const gateway = await startTestGateway(t, [
    { name: 'gone', url: 'http://192.0.2.1:9/mcp', prefix: 'gone_' },
    { name: 'pg', url: upstream.url },
  ]);
  const started = performance.now();
  assert.equal(readResult(await callTool(gateway, 'gone_query')).isError, true);
  assert.ok(performance.now() - started < 1_000);
});

test('a hanging upstream ends at the deadline, and neither lists nor other upstreams wait for it', async (t) => {
  const hanging = await startTestUpstream(t, { tools: TOOLS, onCall: () => {} });
  const other = await startTestUpstream(t, { tools: [toolText('crm_query')] });
  const gateway = await startTestGateway(t, [
    { name: 'pg', url: hanging.url, timeoutMs: 300 },
    { name: 'crm', url: other.url },
  ]);
  const slow = callTool(gateway, 'pg_query');
  await until('the call arrives', () => hanging.calls.length === 1);
  assert.equal(readResult(await callTool(gateway, 'crm_query')).isError, false);
  assert.ok((await listNames(gateway)).includes('pg_query'));
  const failed = readResult(await slow);
  assert.match(failed.text, /^TIMEOUT: The database server "pg" did not answer within 300 ms/);
  await until('the upstream sees the end', () => hanging.aborted === 1);
});

test('calls over the limit wait, and over the queue they are refused at once', async (t) => {
  const release: (() => void)[] = [];
  const upstream = await startTestUpstream(t, {
    tools: TOOLS,
    onCall: (request, response) => release.push(() => answerCall(request, response)),
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url, maxConcurrency: 1, maxQueue: 1 }]);
  const first = callTool(gateway, 'pg_query');
  await until('the first call arrives', () => upstream.calls.length === 1);
  const pair = [callTool(gateway, 'pg_query'), callTool(gateway, 'pg_query')];
  const refused = readResult(await Promise.race(pair));
  assert.match(refused.text, /^BUSY: /);
  assert.equal(upstream.calls.length, 1);
  release.shift()?.();
  assert.equal(readResult(await first).isError, false);
  await until('the waiting call arrives', () => upstream.calls.length === 2);
  release.shift()?.();
  const results = await Promise.all(pair);
  assert.deepEqual(results.map((answer) => readResult(answer).isError).toSorted(), [false, true]);
});

const GARBAGE = [
  { why: 'HTML', status: 200, type: 'text/html', body: '<html>', text: /not MCP \(HTTP 200\)/ },
  { why: 'HTML in the clothes of JSON', status: 200, type: 'application/json', body: '<html>', text: /not MCP/ },
  { why: 'an empty answer', status: 200, type: 'application/json', body: '', text: /not MCP/ },
  {
    why: 'a refused credential',
    status: 401,
    type: 'text/plain',
    body: 'key s3cret',
    text: /HTTP 401\)\.\nNext: .*credential/,
  },
  { why: 'an error page of a proxy', status: 502, type: 'text/html', body: 'upstream 10.0.0.1', text: /HTTP 502/ },
  {
    why: 'an error in JSON that is no JSON-RPC',
    status: 500,
    type: 'application/json',
    body: '{"stack":"at x"}',
    text: /HTTP 500/,
  },
];

test('an answer that is no MCP becomes an error without its content', async (t) => {
  for (const { why, status: code, type, body, text } of GARBAGE) {
    await t.test(why, async (t) => {
      const upstream = await startTestUpstream(t, {
        tools: TOOLS,
        onCall: (_request, response) => {
          response.writeHead(code, { 'content-type': type });
          response.end(body);
        },
      });
      const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
      const failed = readResult(await callTool(gateway, 'pg_query'));
      assert.equal(failed.isError, true);
      assert.match(failed.text, text);
      assert.ok(body === '' || !failed.text.includes(body));
    });
  }
});

test('an error answer of the upstream passes, unless it is about what the gateway made of the request', async (t) => {
  const upstream = await startTestUpstream(t, { tools: TOOLS });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const own = '{"jsonrpc":"2.0","id":1,"error":{"code":-32021,"message":"needs elicitation"}}';
  upstream.options.onCall = (_request, response) => answerJson(response, own, 400);
  const passed = await callTool(gateway, 'pg_query');
  assert.deepEqual([passed.status, passed.text], [400, own]);
  upstream.options.onCall = (_request, response) => answerJson(response, own.replace('-32021', '-32020'), 400);
  const { error } = JSON.parse((await callTool(gateway, 'pg_query')).text);
  assert.equal(error.code, -32603);
});

test('an upstream that resets the connection without a word leaves an error that says so', async (t) => {
  const upstream = await startTestUpstream(t, { tools: TOOLS, onCall: (_request, response) => response.destroy() });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const failed = readResult(await callTool(gateway, 'pg_query'));
  assert.match(failed.text, /^UNAVAILABLE: The database server "pg" closed the connection/);
  assert.equal(upstream.calls.length, 1, 'a call that may have taken effect must not be repeated');
});

test('a JSON answer that breaks off is cut off for the client too', async (t) => {
  let breakOff: (() => void) | undefined;
  const upstream = await startTestUpstream(t, {
    tools: TOOLS,
    onCall: (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write(`{"jsonrpc":"2.0","id":1,"result":"${'x'.repeat(1_000_000)}`);
      breakOff = () => response.destroy();
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const headers = { 'content-type': 'application/json' };
  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pg_query"}}';
  const response = await fetch(`${gateway.url}/mcp`, { method: 'POST', headers, body });
  breakOff?.();
  await assert.rejects(response.text());
});

test('an event stream that breaks off ends with an error result for the request', async (t) => {
  for (const [why, beginning] of [
    ['between events', 'data: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n'],
    ['inside the answer', 'data: {"result":{"content":[{"type":"te'],
  ] as const) {
    await t.test(why, async (t) => {
      const upstream = await startTestUpstream(t, {
        tools: TOOLS,
        onCall: (_request, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          response.write(beginning, () => response.destroy());
        },
      });
      const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
      const got = await callTool(gateway, 'pg_query');
      assert.ok(got.text.startsWith(beginning));
      const last = got.text.trimEnd().split('\n\n').at(-1) ?? '';
      const message = JSON.parse(last.replace(/^event: message\ndata: /, ''));
      assert.equal(message.id, 1);
      assert.equal(message.result.isError, true);
    });
  }
});

test('a call in progress finishes when the gateway is asked to end', async (t) => {
  let finish: (() => void) | undefined;
  const upstream = await startTestUpstream(t, {
    tools: TOOLS,
    onCall: (request, response) => {
      finish = () => answerCall(request, response);
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const call = callTool(gateway, 'pg_query');
  await until('the call arrives', () => finish !== undefined);
  const closed = gateway.close();
  await assert.rejects(fetch(`${gateway.url}/health`));
  finish?.();
  assert.equal(readResult(await call).text, 'called pg_query');
  await closed;
});

test('a client that reads slowly holds the upstream back', async (t: TestContext) => {
  const size = 64 * 1024 * 1024;
  let sent = 0;
  const upstream = await startTestUpstream(t, {
    tools: TOOLS,
    onCall: (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const piece = Buffer.alloc(256 * 1024, 0x20);
      const send = (): void => {
        while (sent < size) {
          sent += piece.length;
          if (!response.write(piece)) return void response.once('drain', send);
        }
        response.end('}');
      };
      response.write('{"x":1');
      send();
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pg_query"}}';
  const response = await fetch(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  let before = -1;
  await until('the upstream stands still', async () => {
    const isStill = sent === before && sent > 0;
    before = sent;
    await fetch(`${gateway.url}/health`);
    return isStill;
  });
  assert.ok(sent < size / 2, `${sent} bytes were taken from the upstream`);
  assert.equal((await response.text()).length, size + 7);
});
