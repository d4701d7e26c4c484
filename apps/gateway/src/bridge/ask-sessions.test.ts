import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { listenLocally, startConformanceServer } from '@database-mcp/testing';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { listNames, post, startTestGateway, until } from '../test-gateway.ts';
import { answerJson, startTestUpstream, toolText, type SeenRequest } from '../test-upstream.ts';
import { ANSWERS, CLIENTS } from './test-asking-clients.ts';
import { createAskingServer } from './test-asking-server.ts';
import { startForeign } from './test-bridge.ts';
import { answer, callLegacy, initialize, legacyHeaders } from './test-legacy-call.ts';

async function open(t: TestContext, kind: 'sessions' | 'sse') {
  const foreign = await startForeign(t, kind, 0, createAskingServer);
  const gateway = await startTestGateway(t, [{ name: 'db', prefix: '', url: foreign.url }]);
  await until('its tools are listed', async () => (await listNames(gateway)).includes('form'));
  return { foreign, gateway, url: gateway.url };
}

/** A client that answers every form with its own name, whatever the field is called. */
async function connectNamed(t: TestContext, url: string, name: string): Promise<Client> {
  const client = new Client({ name, version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name, context: name } }));
  t.after(() => client.close());
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)));
  return client;
}

test('clients that call at the same time are each asked for their own call, also where a server asks outside of it', async (t) => {
  for (const kind of ['sessions', 'sse'] as const) {
    const { url, foreign } = await open(t, kind);
    const names = ['ann', 'bob', 'cid'];
    const clients = await Promise.all(names.map((name) => connectNamed(t, url, name)));
    const calls = clients.flatMap((client, at) =>
      ['aside', 'form', 'aside', 'form'].map(async (tool) => {
        const { content } = await client.callTool({ name: tool });
        assert.match(JSON.stringify(content), new RegExp(`\\\\"${names[at]}\\\\"`), `${kind} ${tool}`);
      }),
    );
    await Promise.all(calls);
    assert.ok(foreign.stats.sessions <= 13, 'each call in progress has one');
  }
});

test('a command has one process for all clients that declare the same, and serves different ones at the same time', async (t) => {
  const args = [fileURLToPath(new URL('test-stdio/main.ts', import.meta.url)), 'asking'];
  const gateway = await startTestGateway(t, [{ name: 'db', prefix: '', command: process.execPath, args }]);
  await until('its tools are listed', async () => (await listNames(gateway)).includes('form'), 10_000);
  const [ann, modern] = await Promise.all([
    connectNamed(t, gateway.url, 'ann'),
    CLIENTS['a modern client']?.(t, gateway.url),
  ]);
  const [form, roots] = await Promise.all([ann.callTool({ name: 'form' }), modern?.call('roots')]);
  assert.match(JSON.stringify(form.content), /ann/);
  assert.match(String(roots), /data/);
  const both = await Promise.all([ann.callTool({ name: 'form' }), ann.callTool({ name: 'form' })]);
  for (const { content } of both) assert.match(JSON.stringify(content), /ann/);
  // Of two clients at once nothing says who is meant: then nobody is asked what another shall answer.
  const bob = await connectNamed(t, gateway.url, 'bob');
  const outcomes = await Promise.allSettled(
    [ann, bob].map(async (client) => JSON.stringify(await client.callTool({ name: 'form' }))),
  );
  for (const [at, outcome] of outcomes.entries()) {
    const told = outcome.status === 'fulfilled' ? outcome.value : String(outcome.reason);
    assert.match(told, at === 0 ? /ann|no single client/ : /bob|no single client/);
  }
});

test('what one of two calls at a command asked is answered to it, though the other one ends before', async (t) => {
  const args = [fileURLToPath(new URL('test-stdio/main.ts', import.meta.url)), 'asking'];
  const gateway = await startTestGateway(t, [{ name: 'db', prefix: '', command: process.execPath, args }]);
  await until('its tools are listed', async () => (await listNames(gateway)).includes('form'), 10_000);
  const client = new Client({ name: 'ann', version: '1' }, { capabilities: { elicitation: {} } });
  const { promise: mayAnswer, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  client.setRequestHandler(ElicitRequestSchema, async () => {
    asked++;
    await mayAnswer;
    return ANSWERS.form;
  });
  t.after(() => client.close());
  await client.connect(new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`)));
  const impatient = client.callTool({ name: 'impatient' });
  await until('the first question', () => asked === 1);
  const form = client.callTool({ name: 'form' });
  assert.match(JSON.stringify(await impatient), /nobody answered/);
  await until('the second question', () => asked === 2);
  resolve();
  assert.match(JSON.stringify(await form), /orders/);
});

test('a session that the server has forgotten is opened anew, and the call that can be asked is made once', async (t) => {
  const { url, foreign } = await open(t, 'sessions');
  const client = await CLIENTS['a modern client']?.(t, url);
  assert.match((await client?.call('form')) ?? '', /orders/);
  foreign.forget();
  assert.match((await client?.call('form')) ?? '', /orders/);
  assert.equal(foreign.stats.calls.length, 2);
  // More often than there may be sessions: none of those that were forgotten is kept.
  for (let time = 0; time < 40; time++) {
    foreign.forget();
    assert.match((await client?.call('declared')) ?? '', /elicitation/);
  }
});

test('what a server does not wait for any more is taken back from the client', async (t) => {
  const { gateway } = await open(t, 'sessions');
  const session = await initialize(gateway);
  const call = await callLegacy(t, gateway, session, 'impatient');
  await until('the call is answered', () => call.messages().some(({ result }) => result !== undefined));
  const [asked, withdrawn, answered] = call.messages();
  assert.equal(withdrawn?.method, 'notifications/cancelled');
  assert.equal(withdrawn?.params?.requestId, asked?.id);
  assert.match(answered?.result?.content[0]?.text ?? '', /nobody answered/);
  assert.equal((await answer(gateway, session, asked?.id ?? '', ANSWERS.form)).status, 202);
});

test('a legacy client hears that the URL which it opened has served its purpose', async (t) => {
  const { gateway } = await open(t, 'sessions');
  const call = await callLegacy(t, gateway, await initialize(gateway), 'visited');
  await until('it is asked too', () => call.messages().length === 2);
  assert.deepEqual(
    call.messages().map(({ method }) => method),
    ['notifications/elicitation/complete', 'elicitation/create'],
  );
});

test('a prompt asks a legacy client as a tool does', async (t) => {
  const server = await startConformanceServer({ legacy: 'only' });
  t.after(server.close);
  const gateway = await startTestGateway(t, [{ name: 'db', prefix: '', url: server.url }]);
  const client = await connectNamed(t, gateway.url, 'ann');
  const { messages } = await client.getPrompt({ name: 'test_input_required_result_prompt' });
  assert.match(JSON.stringify(messages), /ann/);
});

/** A server of both eras; what it does with a session id that it never gave is the test's. */
function startBothEras(t: TestContext, status: number, givesIds = true) {
  return startTestUpstream(t, {
    tools: [toolText('query')],
    onRequest: ({ body, headers }: SeenRequest, response) => {
      if (body.method === 'initialize') {
        if (givesIds) response.setHeader('mcp-session-id', 'a1b2c3d4');
        const result = '{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"x","version":"1"}}';
        answerJson(response, `{"jsonrpc":"2.0","id":${JSON.stringify(body.id)},"result":${result}}`);
        return true;
      }
      if (body.method !== 'ping' || headers['mcp-session-id'] === 'a1b2c3d4') return false;
      answerJson(response, `{"jsonrpc":"2.0","id":${JSON.stringify(body.id)},"result":{}}`, status);
      return true;
    },
  });
}

test('a server that hands out ids and stores none is asked once, and calls then pass as they are', async (t) => {
  for (const givesIds of [true, false]) {
    const upstream = await startBothEras(t, 200, givesIds);
    const gateway = await startTestGateway(t, [{ name: 'db', prefix: '', url: upstream.url }]);
    await until('its tools are listed', async () => (await listNames(gateway)).includes('query'));
    const session = await initialize(gateway);
    const body = '{ "jsonrpc":"2.0","id":90071992547409931, "method":"tools/call","params":{"name":"query","x":1.0}}';
    const before = upstream.requests.length;
    for (let call = 0; call < 3; call++) await post(gateway, body, legacyHeaders(session));
    assert.deepEqual(
      upstream.calls.map(({ raw }) => raw),
      [body, body, body],
    );
    assert.equal(
      upstream.calls.every(({ headers }) => headers['mcp-session-id'] === undefined),
      true,
    );
    const methods = upstream.requests.slice(before).map(({ body: { method } }) => method);
    assert.equal(methods.filter((method) => method === 'initialize').length, 1);
    assert.equal(methods.filter((method) => method === 'ping').length, givesIds ? 1 : 0);
  }
});

test('whether a server keeps sessions is asked only for a client that can be asked', async (t) => {
  const upstream = await startBothEras(t, 404);
  const gateway = await startTestGateway(t, [{ name: 'db', prefix: '', url: upstream.url }]);
  await until('its tools are listed', async () => (await listNames(gateway)).includes('query'));
  const call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query"}}';
  await post(gateway, call, legacyHeaders(await initialize(gateway, {})));
  assert.equal(
    upstream.requests.some(({ body }) => body.method === 'initialize'),
    false,
  );
  const answered = await post(gateway, call, legacyHeaders(await initialize(gateway)));
  assert.match(answered.text, /called query/);
  assert.equal(upstream.calls.at(-1)?.headers['mcp-session-id'], 'a1b2c3d4', 'in a session of its own');
});

test('a server that does not answer the question is called as it is, and asked again later', async (t) => {
  let isBusy = true;
  const upstream = await startBothEras(t, 404);
  const { onRequest } = upstream.options;
  upstream.options = {
    ...upstream.options,
    onRequest: (request, response) => {
      if (!isBusy || request.body.method !== 'initialize') return onRequest?.(request, response) ?? false;
      response.writeHead(429).end();
      return true;
    },
  };
  const gateway = await startTestGateway(t, [{ name: 'db', prefix: '', url: upstream.url }]);
  await until('its tools are listed', async () => (await listNames(gateway)).includes('query'));
  const call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query"}}';
  const headers = legacyHeaders(await initialize(gateway));
  assert.match((await post(gateway, call, headers)).text, /called query/);
  assert.equal(upstream.calls.at(-1)?.headers['mcp-session-id'], undefined);
  isBusy = false;
  await until('it has a session', async () => {
    await post(gateway, call, headers);
    return upstream.calls.at(-1)?.headers['mcp-session-id'] !== undefined;
  });
});

/** A stand-in for the server that answers the GET for its own stream late, or never. */
async function startLate(t: TestContext, target: string, delayMs: number | undefined): Promise<string> {
  const pass = async (request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> => {
    const dropped = ['host', 'connection', 'content-length'];
    const headers = Object.entries(request.headers).filter(([name]) => !dropped.includes(name)) as [string, string][];
    const answered = await fetch(target, { method: request.method, headers, body: body.length > 0 ? body : undefined });
    response.writeHead(answered.status, Object.fromEntries(answered.headers)).flushHeaders();
    for await (const chunk of answered.body ?? []) response.write(chunk);
    response.end();
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      if (request.method === 'GET' && delayMs === undefined) return;
      if (request.method === 'GET') await delay(delayMs);
      await pass(request, response, Buffer.concat(chunks)).catch(() => response.destroy());
    });
  });
  const { origin } = await listenLocally(server, { t });
  return `${origin}/mcp`;
}

test('a session waits a moment for the stream on which its server may ask, and goes on without it', async (t) => {
  for (const { delayMs, tool, why } of [
    { delayMs: 300, tool: 'aside', why: 'what is asked before the stream is there would be lost' },
    { delayMs: undefined, tool: 'form', why: 'some servers send no head before their first message' },
  ]) {
    const { foreign } = await open(t, 'sessions');
    const url = await startLate(t, foreign.url, delayMs);
    const gateway = await startTestGateway(t, [{ name: 'db', prefix: '', url, timeoutMs: 5_000 }]);
    await until('its tools are listed', async () => (await listNames(gateway)).includes('form'));
    const client = await CLIENTS['a modern client']?.(t, gateway.url);
    assert.match((await client?.call(tool)) ?? '', /orders/, why);
  }
});
