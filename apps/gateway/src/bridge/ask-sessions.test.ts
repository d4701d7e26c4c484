import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test, type TestContext } from 'node:test';
import { startConformanceServer } from '@database-mcp/testing';
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

test('a session that the server has forgotten is opened anew, and the call that can be asked is made once', async (t) => {
  const { url, foreign } = await open(t, 'sessions');
  const client = await CLIENTS['a modern client']?.(t, url);
  assert.match((await client?.call('form')) ?? '', /orders/);
  foreign.forget();
  assert.match((await client?.call('form')) ?? '', /orders/);
  assert.equal(foreign.stats.calls.length, 2);
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

test('a server that begins its own stream late is still asked for, after a moment', async (t) => {
  const { foreign } = await open(t, 'sessions');
  const target = new URL(foreign.url);
  // A stand-in that never answers the GET, as servers do that send no head before the first message.
  const server = createServer((request, response) => {
    if (request.method === 'GET') return;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const headers = Object.fromEntries(
        Object.entries(request.headers).filter(([name]) => !['host', 'connection', 'content-length'].includes(name)),
      ) as Record<string, string>;
      void fetch(target, { method: request.method, headers, body: Buffer.concat(chunks) }).then(async (answered) => {
        response.writeHead(answered.status, Object.fromEntries(answered.headers));
        for await (const chunk of answered.body ?? []) response.write(chunk);
        response.end();
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const gateway = await startTestGateway(t, [{ name: 'db', prefix: '', url: `http://127.0.0.1:${port}/mcp` }]);
  await until('its tools are listed', async () => (await listNames(gateway)).includes('form'));
  const client = await CLIENTS['a modern client']?.(t, gateway.url);
  assert.match((await client?.call('form')) ?? '', /orders/);
});
