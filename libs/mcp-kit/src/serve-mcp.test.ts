import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { ToolError } from '@database-mcp/errors';
import { createLogger } from '@database-mcp/telemetry';
import { z } from 'zod';
import { createRowCollector, defineTool, READ_ONLY_ANNOTATIONS, serveMcp, type Tool } from './index.ts';

const LIMITS = { maxRows: 3, maxBytes: 1_000, maxCellBytes: 100 };

function createTools(onAbort: () => void = () => {}, onWait: () => void = () => {}): Tool[] {
  const annotations = READ_ONLY_ANNOTATIONS;
  return [
    defineTool({
      name: 'echo',
      description: 'Returns its values as text.',
      input: z.strictObject({ values: z.array(z.unknown()) }),
      annotations,
      async run({ values }) {
        const collector = createRowCollector(LIMITS);
        collector.push(values.map(String));
        return collector.finish(values.map((value) => ({ name: 'v', type: typeof value })));
      },
    }),
    defineTool({
      name: 'wait',
      description: 'Waits until it is aborted.',
      input: z.strictObject({}),
      annotations,
      async run(_args, { signal }) {
        onWait();
        await once(signal, 'abort');
        onAbort();
        throw signal.reason;
      },
    }),
    defineTool({
      name: 'fail',
      description: 'Fails as asked.',
      input: z.strictObject({ expected: z.boolean(), numbers: z.array(z.number()).optional() }),
      annotations,
      async run({ expected }) {
        if (expected) throw new ToolError({ code: 'NOT_FOUND', message: 'no such thing', hint: 'Look elsewhere.' });
        throw new Error('password=hunter2');
      },
    }),
  ];
}

async function start(
  t: TestContext,
  extra: { onAbort?: () => void; onWait?: () => void; timeoutMs?: number; transport?: 'stdio' } = {},
) {
  const input = new PassThrough();
  const output = new PassThrough();
  const serving = await serveMcp({
    name: 'test-mcp',
    version: '1.0.0',
    instructions: 'For tests.',
    instance: 'test',
    tools: createTools(extra.onAbort, extra.onWait),
    timeoutMs: extra.timeoutMs ?? 5_000,
    logger: await createLogger({ service: 'test', level: 'silent', pretty: false }),
    transport: extra.transport ?? 'streamable-http',
    host: '127.0.0.1',
    port: 0,
    allowedHosts: [],
    allowedOrigins: [],
    ready: () => Promise.resolve({ ready: true }),
    stdio: { input, output },
  });
  t.after(() => serving.close());
  return { url: serving.url ?? '', input, output, serving };
}

async function connect(t: TestContext, url: string, era: 'auto' | 'legacy'): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: era } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  t.after(() => client.close());
  return client;
}

for (const era of ['auto', 'legacy'] as const) {
  test(`tools are listed and called by a client of the ${era} era`, async (t) => {
    const { url } = await start(t);
    const client = await connect(t, url, era);
    const { tools } = await client.listTools();
    assert.deepEqual(
      tools.map((tool) => tool.name),
      ['test_echo', 'test_wait', 'test_fail'],
    );
    const result = await client.callTool({ name: 'test_echo', arguments: { values: ['a', 1] } });
    assert.deepEqual(result.structuredContent, {
      columns: [
        { name: 'v', type: 'string' },
        { name: 'v', type: 'number' },
      ],
      rows: [['a', '1']],
      rowCount: 1,
      truncated: false,
    });
    const [block] = result.content;
    assert.ok(block?.type === 'text');
    assert.deepEqual(JSON.parse(block.text), result.structuredContent);
  });

  test(`a call of the ${era} era is aborted when its client goes away`, async (t) => {
    const aborted = Promise.withResolvers<void>();
    const { url } = await start(t, { onAbort: aborted.resolve });
    const gone = new AbortController();
    const request = fetch(url, {
      method: 'POST',
      headers: headersOf(era),
      body: bodyOf(era, 'test_wait', {}),
      signal: gone.signal,
    });
    const failed = assert.rejects(request.then((response) => response.text()));
    await new Promise((resolve) => setImmediate(resolve));
    setTimeout(() => gone.abort(), 100);
    await aborted.promise;
    await failed;
  });
}

test("a legacy client's notifications/cancelled ends exactly the call that it names", async (t) => {
  const aborted: string[] = [];
  let waiting = 0;
  const { url } = await start(t, { onAbort: () => aborted.push('one'), onWait: () => waiting++ });
  const clients = [await connect(t, url, 'legacy'), await connect(t, url, 'legacy')];
  const cancels = [new AbortController(), new AbortController()];
  // Both clients count their request ids from 0, so these two calls have the same id.
  const calls = clients.map((client, index) =>
    client.callTool({ name: 'test_wait', arguments: {} }, { signal: cancels[index]?.signal }),
  );
  calls.forEach((call) => call.catch(() => {}));
  const [first, second] = calls;
  await until(() => waiting === 2);
  cancels[0]?.abort();
  await assert.rejects(first ?? Promise.resolve());
  await until(() => aborted.length === 1);
  await clients[1]?.listTools();
  assert.equal(aborted.length, 1, 'the other client keeps its call');
  cancels[1]?.abort();
  await assert.rejects(second ?? Promise.resolve());
  await until(() => aborted.length === 2);
  assert.equal((await clients[0]?.listTools())?.tools.length, 3, 'the client can go on');
});

test('a cancelled request ends without an answer; without a session id the cancellation is nobody’s', async (t) => {
  const aborted = Promise.withResolvers<void>();
  let waiting = 0;
  const { url } = await start(t, { onAbort: aborted.resolve, onWait: () => waiting++ });
  const send = (body: string, session?: string) =>
    fetch(url, {
      method: 'POST',
      headers: { ...headersOf('legacy'), ...(session === undefined ? {} : { 'mcp-session-id': session }) },
      body,
    });
  const cancel = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}';
  let isEnded = false;
  const call = send(bodyOf('legacy', 'test_wait', {}), 'abc').then((response) => response.text());
  void call.then(() => (isEnded = true));
  await until(() => waiting === 1);
  assert.equal((await send(cancel)).status, 202);
  assert.equal((await send(cancel, 'abd')).status, 202);
  assert.equal(isEnded, false);
  assert.equal((await send(cancel, 'abc')).status, 202);
  assert.equal(await call, '');
  await aborted.promise;
  assert.equal((await send(cancel, 'with space')).status, 400);
});

test('DELETE ends a session: its calls stop, a batch too, and its id is told to initialize again', async (t) => {
  let aborted = 0;
  let waiting = 0;
  const { url } = await start(t, { onAbort: () => aborted++, onWait: () => waiting++ });
  const send = (method: string, session: string | undefined, body?: string) =>
    fetch(url, {
      method,
      headers: { ...headersOf('legacy'), ...(session === undefined ? {} : { 'mcp-session-id': session }) },
      ...(body === undefined ? {} : { body }),
    });
  const wait = (id: number) => bodyOf('legacy', 'test_wait', {}).replace('"id":1', `"id":${id}`);
  const calls = [wait(1), wait(2), `[${wait(3)},${wait(4)}]`].map((body) => send('POST', 'abc', body));
  const other = send('POST', 'abcd', wait(1));
  await until(() => waiting === 5);
  assert.equal((await send('DELETE', 'abc')).status, 204);
  await until(() => aborted === 4);
  for (const call of calls) assert.equal(await (await call).text(), '');
  const list = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
  for (const [method, body] of [['POST', list], ['DELETE']] as const) {
    const late = await send(method, 'abc', body);
    const { error } = (await late.json()) as { error: { code: number; message: string } };
    assert.deepEqual([late.status, error.code], [404, -32_001], method);
    assert.match(error.message, /send initialize again/);
  }
  const leftOver = { ...headersOf('auto', 'test_echo'), 'mcp-session-id': 'abc' };
  const modern = await fetch(url, {
    method: 'POST',
    headers: leftOver,
    body: bodyOf('auto', 'test_echo', { values: [] }),
  });
  assert.equal(modern.status, 200, 'a modern client, whatever it has left over');
  assert.equal((await send('DELETE', undefined)).status, 400);
  assert.equal((await send('DELETE', 'with space')).status, 400);
  const got = await send('GET', 'abcd');
  assert.deepEqual([got.status, got.headers.get('allow')], [405, 'POST, DELETE']);
  assert.equal(aborted, 4, 'the call of another session goes on');
  assert.equal((await send('DELETE', 'abcd')).status, 204);
  await other;
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('the condition did not come true');
    await delay(10);
  }
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

function headersOf(era: string, name = 'test_wait'): Record<string, string> {
  const common = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  if (era === 'legacy') return common;
  return { ...common, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': name };
}

function bodyOf(era: string, name: string, args: object): string {
  const params = { name, arguments: args, ...(era === 'legacy' ? {} : { _meta: META }) };
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
}

test('an integer that no double holds arrives exactly', async (t) => {
  const { url } = await start(t);
  const body = bodyOf('auto', 'test_echo', { values: ['HERE'] }).replace(
    '"HERE"',
    '9007199254740993, -9223372036854775808, 1.5',
  );
  const response = await fetch(url, { method: 'POST', headers: headersOf('auto', 'test_echo'), body });
  const answer = (await response.json()) as { result: { structuredContent: { rows: unknown } } };
  assert.deepEqual(answer.result.structuredContent.rows, [['9007199254740993', '-9223372036854775808', '1.5']]);
});

test('a client that knows only HTTP+SSE lists and calls tools; cancelling and leaving end its calls', async (t) => {
  const aborted: PromiseWithResolvers<void>[] = [Promise.withResolvers(), Promise.withResolvers()];
  let calls = 0;
  const { url } = await start(t, { onAbort: () => aborted[calls++]?.resolve() });
  const client = new Client({ name: 'test', version: '1' });
  t.after(() => client.close());
  await client.connect(new SSEClientTransport(new URL(url.replace('/mcp', '/sse'))));
  assert.equal((await client.listTools()).tools.length, 3);
  const result = await client.callTool({ name: 'test_echo', arguments: { values: ['a'] } });
  assert.match(JSON.stringify(result.content), /rowCount/);
  const cancelled = new AbortController();
  const first = client.callTool({ name: 'test_wait', arguments: {} }, { signal: cancelled.signal });
  setTimeout(() => cancelled.abort(), 50);
  await assert.rejects(first);
  await aborted[0]?.promise;
  const second = assert.rejects(client.callTool({ name: 'test_wait', arguments: {} }));
  setTimeout(() => void client.close(), 50);
  await aborted[1]?.promise;
  await second;
  const gone = await fetch(url.replace('/mcp', '/messages?sessionId=none'), { method: 'POST', body: '{}' });
  assert.equal(gone.status, 404);
});

test('failures are isError results that say what to do, and hide what is internal', async (t) => {
  const { url } = await start(t, { timeoutMs: 50 });
  const client = await connect(t, url, 'auto');
  const table: [name: string, args: Record<string, unknown>, expected: RegExp, why: string][] = [
    [
      'test_echo',
      { valus: [] },
      /^INVALID_ARGUMENT: .*values.*\nNext: The arguments are: values\.$/s,
      'a misspelt argument',
    ],
    ['test_fail', { expected: true }, /^NOT_FOUND: no such thing\nNext: Look elsewhere\.$/, 'an expected failure'],
    ['test_fail', { expected: false }, /^INTERNAL: (?!.*hunter2).*reference [0-9a-f]{8}\.$/s, 'a bug'],
    [
      'test_fail',
      { expected: true, numbers: Array.from({ length: 1_000 }, () => 'x') },
      /^INVALID_ARGUMENT: (?:numbers\.\d: [^;]+; ){5}and 995 more problems\n/,
      'a thousand mistakes in one list',
    ],
    ['test_wait', {}, /^TIMEOUT: The statement took longer than 0\.05 s/, 'the deadline'],
  ];
  for (const [name, args, expected, why] of table) {
    const result = await client.callTool({ name, arguments: args });
    assert.equal(result.isError, true, why);
    const [block] = result.content;
    assert.ok(block?.type === 'text');
    assert.match(block.text, expected, why);
  }
  await assert.rejects(
    client.callTool({ name: 'test_ecko', arguments: {} }),
    /Unknown tool "test_ecko"\. Did you mean "test_echo"/,
  );
});

test('malformed and oversized bodies get JSON-RPC errors', async (t) => {
  const { url } = await start(t);
  const headers = headersOf('legacy');
  const table: [body: string, status: number, code: number, why: string][] = [
    ['{"jsonrpc":', 400, -32700, 'cut JSON'],
    [JSON.stringify('x'.repeat(20 * 1024 * 1024)), 413, -32600, '20 MiB'],
    ['[]', 400, -32600, 'an empty batch'],
  ];
  for (const [body, status, code, why] of table) {
    const response = await fetch(url, { method: 'POST', headers, body });
    assert.equal(response.status, status, why);
    assert.equal(((await response.json()) as { error: { code: number } }).error.code, code, why);
  }
});

test('stdio answers what was asked before its input ended, keeps integers exact and refuses lines that are no JSON', async (t) => {
  const { input, output, serving } = await start(t, { transport: 'stdio' });
  let text = '';
  output.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const initialize = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };
  input.write(`${JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: initialize })}\n`);
  input.write('this is no JSON\n');
  input.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`);
  input.end(`${bodyOf('legacy', 'test_echo', { values: ['HERE'] }).replace('"HERE"', '9007199254740993')}\n`);
  await serving.ended;
  await serving.close();
  const answers = text
    .trim()
    .split('\n')
    .map(
      (line) => JSON.parse(line) as { id: number | null; error?: { code: number }; result?: Record<string, unknown> },
    );
  assert.equal(answers.find((answer) => answer.id === null)?.error?.code, -32700);
  const called = answers.find((answer) => answer.id === 1)?.result?.['structuredContent'] as { rows: unknown };
  assert.deepEqual(called.rows, [['9007199254740993']]);
});

test('a collector stops at its caps, always takes one row, and says what is missing', () => {
  const byRows = createRowCollector(LIMITS);
  assert.deepEqual(
    [1, 2, 3, 4].map((value) => byRows.push([value])),
    [true, true, true, false],
  );
  const cut = byRows.finish([{ name: 'a', type: 'int4' }]);
  assert.equal(cut.truncated, true);
  assert.equal(cut.rowCount, 3);
  const full = createRowCollector(LIMITS);
  for (const value of [1, 2, 3]) full.push([value]);
  assert.equal(full.finish([]).truncated, false, 'exactly the cap is not truncated');
  const byBytes = createRowCollector({ ...LIMITS, maxBytes: 10, maxCellBytes: 1_000 });
  assert.ok(byBytes.push(['x'.repeat(500)]), 'the first row is taken whatever its size');
  assert.equal(byBytes.push(['y']), false);
  const byCell = createRowCollector(LIMITS);
  byCell.push(['é'.repeat(200)]);
  const cell = byCell.finish([]).rows[0]?.[0];
  assert.match(String(cell), /^é{50}… \[cut: 400 bytes in all\]$/);
});
