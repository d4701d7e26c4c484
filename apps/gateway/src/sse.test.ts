import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { readEvents } from './upstream/event-stream.ts';
import { callTool, modernBody, modernHeaders, startTestGateway, until } from './test-gateway.ts';
import { answerCall, startTestUpstream, toolText } from './test-upstream.ts';

interface Session {
  /** Everything that has arrived. */
  text: string;
  isEnded: boolean;
  messages(): { id?: unknown; method?: string; result?: { isError?: boolean; content: { text: string }[] } }[];
  send(body: string): Promise<number>;
  close(): void;
}

async function openSession(t: TestContext, gateway: { url: string }): Promise<Session> {
  const gone = new AbortController();
  t.after(() => gone.abort());
  const response = await fetch(`${gateway.url}/sse`, { signal: gone.signal });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  const session: Session = {
    text: '',
    isEnded: false,
    messages: () =>
      readEvents(Buffer.from(session.text))
        .slice(1)
        .map((event) => JSON.parse(event.data.toString('utf8'))),
    send: async (body) => {
      const path = /^event: endpoint\ndata: (\/messages\?sessionId=[\w-]{36})\n\n/.exec(session.text)?.[1];
      assert.ok(path, session.text);
      const sent = await fetch(`${gateway.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      await sent.text();
      return sent.status;
    },
    close: () => gone.abort(),
  };
  const decoder = new TextDecoder();
  const read = async (): Promise<void> => {
    for await (const chunk of response.body ?? []) session.text += decoder.decode(chunk, { stream: true });
    session.isEnded = true;
  };
  read().catch(() => {
    session.isEnded = true;
  });
  await until('the endpoint event arrives', () => session.text.includes('\n\n'));
  return session;
}

function call(id: unknown, name = 'pg_query'): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name } });
}

test('a client of the old transport initialises, lists and calls; its answers come on the stream', async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_query')] });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const session = await openSession(t, gateway);
  const params = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  assert.equal(await session.send(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params })), 202);
  assert.equal(await session.send('{"jsonrpc":"2.0","method":"notifications/initialized"}'), 202);
  assert.equal(await session.send('{"jsonrpc":"2.0","id":1,"method":"tools/list"}'), 202);
  assert.equal(await session.send(call('c')), 202);
  await until('three answers', () => session.messages().length === 3);
  assert.deepEqual(
    session.messages().map(({ id }) => id),
    [0, 1, 'c'],
  );
  assert.equal(session.messages()[2]?.result?.content[0]?.text, 'called pg_query');
  assert.equal(await session.send('{"jsonrpc"'), 400);
});

test('a call of a batch can be cancelled alone', async (t) => {
  const waiting = new Map<unknown, () => void>();
  const upstream = await startTestUpstream(t, {
    tools: [toolText('pg_query')],
    onCall: (request, response) => void waiting.set(request.body.id, () => answerCall(request, response)),
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const session = await openSession(t, gateway);
  assert.equal(await session.send(`[${call(1)},${call(2)}]`), 202);
  await until('both calls are at the upstream', () => waiting.size === 2);
  await session.send('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}');
  await until('the upstream sees the end of it', () => upstream.aborted === 1);
  waiting.get(2)?.();
  await until('the answer', () => session.messages().length === 1);
  assert.match(session.text, /data: \[\{"jsonrpc":"2.0","id":2,.*\}\]\n\n$/);
});

test('an answer with line breaks arrives whole, and answers do not run into each other', async (t) => {
  const finish: (() => void)[] = [];
  const upstream = await startTestUpstream(t, {
    tools: [toolText('pg_query')],
    onCall: (request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write(`{\r\n  "jsonrpc": "2.0",\n  "id": ${request.body.id},\n`);
      finish.push(() =>
        response.end('  "result": {"n": 9007199254740993, "content": [{"type":"text","text":"a\\nb"}]}\n}\n'),
      );
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const session = await openSession(t, gateway);
  await session.send(call(1));
  await until('the first answer has begun', () => session.text.includes('"id": 1'));
  await session.send(call(2));
  await until('the second call arrives', () => finish.length === 2);
  await session.send('{"jsonrpc":"2.0","id":3,"method":"ping"}');
  finish[1]?.();
  finish[0]?.();
  await until('three answers', () => session.messages().length === 3);
  assert.deepEqual(
    session
      .messages()
      .map(({ id }) => id)
      .toSorted(),
    [1, 2, 3],
  );
  assert.equal(session.messages()[0]?.id, 1);
  assert.equal(session.messages()[0]?.result?.content[0]?.text, 'a\nb');
  assert.ok(session.text.includes('"n": 9007199254740993'));
});

test('a list whose source text has line breaks arrives whole', async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_query', ',\r\n  "title": "a\\nb"\n')] });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const session = await openSession(t, gateway);
  await session.send('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
  await until('the answer', () => session.messages().length === 1);
  assert.match(JSON.stringify(session.messages()[0]?.result), /"title":"a\\nb"/);
});

test('answers of an upstream that streams events pass as events, even side by side', async (t) => {
  const upstream = await startTestUpstream(t, {
    tools: [toolText('pg_query')],
    onCall: (request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': hi\n\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n');
      setImmediate(() =>
        response.end(`event: message\ndata: {"jsonrpc":"2.0","id":${request.body.id},"result":{"content":[]}}\n\n`),
      );
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const session = await openSession(t, gateway);
  await Promise.all(Array.from({ length: 20 }, (_, id) => session.send(call(id))));
  const answered = (): unknown[] => session.messages().filter(({ id }) => id !== undefined);
  await until('all answers', () => answered().length === 20);
  assert.equal(session.messages().length, 40);
});

test('a cancelled request ends at the upstream and is not answered', async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_query')], onCall: () => {} });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const session = await openSession(t, gateway);
  await session.send(call('a'));
  await until('the call arrives', () => upstream.calls.length === 1);
  await session.send('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}');
  await until('the upstream sees the end', () => upstream.aborted === 1);
  await session.send('{"jsonrpc":"2.0","id":9,"method":"ping"}');
  await until('an answer', () => session.messages().length > 0);
  assert.deepEqual(
    session.messages().map(({ id }) => id),
    [9],
  );
});

test('a session ends with its stream: its calls end, and its address is no more', async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_query')], onCall: () => {} });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const session = await openSession(t, gateway);
  await session.send(call(1));
  await until('the call arrives', () => upstream.calls.length === 1);
  session.close();
  await until('the upstream sees the end', () => upstream.aborted === 1);
  assert.equal(await session.send(call(2)), 404);
});

test('an upstream that dies inside an answer leaves an error result on the stream', async (t) => {
  const upstream = await startTestUpstream(t, {
    tools: [toolText('pg_query')],
    onCall: (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"jsonrpc":', () => response.destroy());
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const session = await openSession(t, gateway);
  await session.send(call(1));
  await until('the error', () => session.text.includes('isError'));
  const last = readEvents(Buffer.from(session.text)).at(-1)?.data.toString() ?? '';
  assert.equal(JSON.parse(last).id, 1);
});

test('a session ends when the gateway does, after the call in progress', async (t) => {
  let finish: (() => void) | undefined;
  const upstream = await startTestUpstream(t, {
    tools: [toolText('pg_query')],
    onCall: (request, response) => {
      finish = () => answerCall(request, response);
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const idle = await openSession(t, gateway);
  const busy = await openSession(t, gateway);
  await busy.send(call(1));
  await until('the call arrives', () => finish !== undefined);
  const closed = gateway.close();
  await until('the idle session ends', () => idle.isEnded);
  assert.equal(busy.isEnded, false);
  finish?.();
  await closed;
  await until('the busy session ends', () => busy.isEnded);
  assert.equal(busy.messages()[0]?.result?.content[0]?.text, 'called pg_query');
});

test('a session and a subscription are told when the list of tools changes', async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_query')] });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const session = await openSession(t, gateway);
  const params = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  await session.send(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }));
  await session.send('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  const response = await fetch(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...modernHeaders('subscriptions/listen') },
    body: modernBody(
      'subscriptions/listen',
      { notifications: { toolsListChanged: true, promptsListChanged: true } },
      's',
    ),
  });
  let text = '';
  const reading = (async () => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString('utf8');
  })();
  const told = (): { method?: string; params?: object; result?: object }[] =>
    readEvents(Buffer.from(text)).map((event) => JSON.parse(event.data.toString('utf8')));
  await until('the acknowledgement', () => told().length === 1);
  const tag = { 'io.modelcontextprotocol/subscriptionId': 's' };
  assert.deepEqual(told()[0], {
    jsonrpc: '2.0',
    method: 'notifications/subscriptions/acknowledged',
    params: { notifications: { toolsListChanged: true }, _meta: tag },
  });
  upstream.options.tools = [toolText('pg_query'), toolText('pg_new')];
  await callTool(gateway, 'pg_new');
  await until('the notification on the subscription', () => told().length === 2);
  assert.deepEqual(told()[1], { jsonrpc: '2.0', method: 'notifications/tools/list_changed', params: { _meta: tag } });
  await until('the notification on the session', () =>
    session.messages().some(({ method }) => method === 'notifications/tools/list_changed'),
  );
  await gateway.close();
  await reading;
  assert.ok(told()[2]?.result, 'the end of the gateway answers the subscription');
});
