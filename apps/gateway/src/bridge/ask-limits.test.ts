import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { modernBody, modernHeaders, post, startTestGateway, until, ENVELOPE, type Answer } from '../test-gateway.ts';
import { createAskingServer } from './test-asking-server.ts';
import { ANSWERS, startModernAsking } from './test-asking-clients.ts';
import { startForeign, type ForeignHttp } from './test-bridge.ts';
import { answer, callLegacy, initialize, legacyHeaders } from './test-legacy-call.ts';

interface Running {
  url: string;
  foreign: ForeignHttp;
}

/** A gateway before a server with sessions whose tools ask. */
async function open(t: TestContext, entry: object = {}, existing?: ForeignHttp): Promise<Running> {
  const foreign = existing ?? (await startForeign(t, 'sessions', 0, createAskingServer));
  const gateway = await startTestGateway(t, [{ name: 'db', prefix: '', url: foreign.url, ...entry }]);
  return { url: gateway.url, foreign };
}

const ALL = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

/** A modern call by a client that declares that. */
function callModern(
  gateway: { url: string },
  name: string,
  {
    capabilities = ALL,
    signal,
    ...more
  }: { capabilities?: object; signal?: AbortSignal; [param: string]: unknown } = {},
): Promise<Answer> {
  const meta = { ...ENVELOPE, 'io.modelcontextprotocol/clientCapabilities': capabilities };
  const body = JSON.parse(modernBody('tools/call', { name, ...more }));
  body.params._meta = meta;
  return post(gateway, JSON.stringify(body), modernHeaders('tools/call', name), signal);
}

interface Asked {
  inputRequests: Record<string, { method: string }>;
  requestState: string;
}

/** The first answer of a modern call that asks. */
async function ask(gateway: { url: string }, name: string, more?: object): Promise<Asked> {
  const { result } = JSON.parse((await callModern(gateway, name, { ...more })).text);
  assert.equal(result.resultType, 'input_required');
  return result;
}

/** Under which key that was asked. */
function keyOf({ inputRequests }: Asked, method: string): string {
  return Object.entries(inputRequests).find(([, request]) => request.method === method)?.[0] ?? '';
}

function errorOf({ text }: Answer): string {
  return JSON.parse(text).error?.message;
}

test('an answer that is missing is asked for again, and one that is no object counts as missing', async (t) => {
  const gateway = await open(t);
  const first = await ask(gateway, 'all');
  assert.deepEqual(
    Object.values(first.inputRequests)
      .map(({ method }) => method)
      .toSorted(),
    ['elicitation/create', 'roots/list', 'sampling/createMessage'],
  );
  const responses = { [keyOf(first, 'elicitation/create')]: ANSWERS.form, [keyOf(first, 'roots/list')]: 7, other: {} };
  const second = await ask(gateway, 'all', { requestState: first.requestState, inputResponses: responses });
  assert.equal(Object.keys(second.inputRequests).length, 2);
  const rest = {
    [keyOf(second, 'sampling/createMessage')]: ANSWERS.model,
    [keyOf(second, 'roots/list')]: ANSWERS.roots,
  };
  const last = await callModern(gateway, 'all', { requestState: second.requestState, inputResponses: rest });
  const { result } = JSON.parse(last.text);
  assert.deepEqual(JSON.parse(result.content[0].text), [ANSWERS.form, ANSWERS.model, ANSWERS.roots]);
  assert.equal(result.resultType, 'complete');
  assert.equal(gateway.foreign.stats.calls.length, 1, 'the server was called once');
});

test('a requestState that was changed, is of another request, process or time, says to make the call again', async (t) => {
  const gateway = await open(t, { askTimeoutMs: 2_000 });
  const other = await open(t, {}, gateway.foreign);
  const { requestState } = await ask(gateway, 'form');
  const from = (at: number): string =>
    `${requestState.slice(0, at)}${requestState[at] === 'A' ? 'B' : 'A'}${requestState.slice(at + 1)}`;
  const table = [
    { gateway, name: 'form', state: `${requestState}-x`, expected: /not as the gateway gave it/, why: 'longer' },
    {
      gateway,
      name: 'form',
      state: from(requestState.indexOf('.') + 20),
      expected: /not as the gateway/,
      why: 'payload',
    },
    { gateway, name: 'form', state: 'x', expected: /not as the gateway gave it/, why: 'made up' },
    { gateway, name: 'form', state: 7, expected: /not as the gateway gave it/, why: 'no text' },
    { gateway, name: 'roots', state: requestState, expected: /another request.*again/, why: 'another tool' },
    {
      gateway,
      name: 'form',
      args: { to: 'another' },
      state: requestState,
      expected: /another request.*again/,
      why: 'other arguments',
    },
    {
      gateway: other,
      name: 'form',
      state: requestState,
      expected: /not held by this gateway.*again/,
      why: 'another process',
    },
  ];
  for (const { gateway: asked, name, args, state, expected, why } of table) {
    const answers = { requestState: state, inputResponses: { 'input-1': ANSWERS.form } };
    const answer = await callModern(asked, name, { ...answers, ...(args && { arguments: args }) });
    assert.match(errorOf(answer), expected, why);
    assert.equal(JSON.parse(answer.text).error.code, -32_602, why);
  }
  await until('the call at the server is cancelled', () => gateway.foreign.stats.cancelled === 1);
  const late = await callModern(gateway, 'form', { requestState, inputResponses: { 'input-1': ANSWERS.form } });
  assert.match(errorOf(late), /has ended.*again/);
});

test('a call that waits for its client is continued by one request at a time', async (t) => {
  const gateway = await open(t);
  const first = await ask(gateway, 'twice');
  const answers = { requestState: first.requestState, inputResponses: { 'input-1': ANSWERS.form } };
  const second = await ask(gateway, 'twice', answers);
  const retry = { requestState: second.requestState, inputResponses: {} };
  const [one, two] = await Promise.all([callModern(gateway, 'twice', retry), callModern(gateway, 'twice', retry)]);
  assert.deepEqual([one, two].map((answer) => errorOf(answer) ?? 'asked').toSorted(), [
    'Another request continues this call already.',
    'asked',
  ]);
});

test('a modern client that leaves after it has answered ends the call at the server', async (t) => {
  const gateway = await open(t);
  const { requestState } = await ask(gateway, 'hang');
  const leaving = new AbortController();
  const inputResponses = { 'input-1': ANSWERS.form };
  const gone = callModern(gateway, 'hang', { requestState, inputResponses, signal: leaving.signal });
  await until('the server has the answer', () => gateway.foreign.stats.asked.length === 1);
  leaving.abort();
  await assert.rejects(gone);
  await until('the call at the server is cancelled', () => gateway.foreign.stats.cancelled === 1);
});

test('no more than half of the places wait for clients; the others still serve, and the server is told', async (t) => {
  const gateway = await open(t, { maxConcurrency: 4 });
  const held = [await ask(gateway, 'form'), await ask(gateway, 'form')];
  assert.match(errorOf(await callModern(gateway, 'form')), /Too many calls wait for their clients/);
  assert.match((await callModern(gateway, 'declared')).text, /elicitation/);
  for (const { requestState } of held) {
    const answered = await callModern(gateway, 'form', { requestState, inputResponses: { 'input-1': ANSWERS.form } });
    assert.match(answered.text, /orders/);
  }
  assert.match(JSON.stringify(await ask(gateway, 'form')), /input-1/);
});

test('a server is told what the client of the call declared, and asks no other', async (t) => {
  const gateway = await open(t);
  const table = [
    { capabilities: {}, declared: {}, why: 'nothing' },
    { capabilities: { elicitation: {} }, declared: { elicitation: { form: {} } }, why: 'forms, as in 2025-06-18' },
    { capabilities: { elicitation: { url: {} } }, declared: { elicitation: { url: {} } }, why: 'URLs alone' },
    {
      capabilities: { sampling: { tools: {} }, experimental: { x: {} } },
      declared: { sampling: { tools: {} } },
      why: 'no more than is relayed',
    },
    { capabilities: ALL, declared: ALL, why: 'everything' },
  ];
  for (const { capabilities, declared, why } of table) {
    for (let round = 0; round < 2; round++) {
      const { result } = JSON.parse((await callModern(gateway, 'declared', { capabilities })).text);
      assert.deepEqual(JSON.parse(result.content[0].text), declared, why);
    }
  }
  assert.equal(gateway.foreign.stats.sessions, table.length, 'one session for each, used again');
  const answer = await callModern(gateway, 'model', { capabilities: { roots: {} } });
  assert.match(answer.text, /does not (support|serve)/i);
});

test('a URL that must be opened: -32021 for a modern client that cannot, -32042 for a legacy one, an error when declined', async (t) => {
  const cannot = await callModern(await open(t), 'visit', { capabilities: { elicitation: {} } });
  assert.equal(cannot.status, 400);
  const { error } = JSON.parse(cannot.text);
  assert.equal(error.code, -32_021);
  assert.deepEqual(error.data, { requiredCapabilities: { elicitation: { url: {} } } });

  const legacy = await open(t);
  const call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"visit"}}';
  const passed = JSON.parse((await post(legacy, call, { 'mcp-protocol-version': '2025-11-25' })).text);
  assert.equal(passed.error.code, -32_042);
  assert.equal(passed.error.data.elicitations[0].elicitationId, 'e1');

  const declining = await open(t);
  const { inputRequests, requestState } = await ask(declining, 'visit');
  assert.deepEqual(inputRequests, {
    'url-1': {
      method: 'elicitation/create',
      params: { mode: 'url', url: 'https://example.com/login', message: 'Log in first.' },
    },
  });
  const inputResponses = { 'url-1': { action: 'decline' } };
  const { result } = JSON.parse((await callModern(declining, 'visit', { requestState, inputResponses })).text);
  assert.equal(result.isError, true);
  assert.match(result.content[0].text, /"db" asks for further input\. The user did not open/);
  assert.equal(declining.foreign.stats.calls.length, 1);
});

test('only the client that was asked can answer, once, and while the call lasts', async (t) => {
  const gateway = await open(t);
  const [mine, other] = [await initialize(gateway), await initialize(gateway)];
  const call = await callLegacy(t, gateway, mine, 'form');
  const { id = '', method } = call.messages()[0] ?? {};
  assert.equal(method, 'elicitation/create');
  const wrong = { action: 'decline' };
  for (const [session, asked] of [
    [other, id],
    [mine, `${id}x`],
    [mine, `${id} ${mine}`],
  ] as const) {
    assert.equal((await answer(gateway, session, asked, wrong)).status, 202);
  }
  assert.equal((await answer(gateway, mine, id, ANSWERS.form)).status, 202);
  await until('the call is answered', () => call.messages().length === 2);
  assert.deepEqual(JSON.parse(call.messages()[1]?.result?.content[0]?.text ?? ''), ANSWERS.form);
  assert.equal((await answer(gateway, mine, id, wrong)).status, 202, 'a late answer is dropped');
  assert.equal(call.messages().length, 2);
});

test('an answer may come inside a batch, as in 2025-03-26', async (t) => {
  const gateway = await open(t);
  const session = await initialize(gateway);
  const call = await callLegacy(t, gateway, session, 'form');
  const batch = JSON.stringify([{ jsonrpc: '2.0', id: call.messages()[0]?.id, result: ANSWERS.form }]);
  const headers = { ...legacyHeaders(session), 'mcp-protocol-version': '2025-03-26' };
  assert.equal((await post(gateway, batch, headers)).status, 202);
  await until('the call is answered', () => call.messages().length === 2);
  assert.match(call.messages()[1]?.result?.content[0]?.text ?? '', /orders/);
});

test('a client that does not answer gets an error in time; while it thinks, the deadline does not run', async (t) => {
  const gateway = await open(t, { timeoutMs: 150, askTimeoutMs: 600 });
  const session = await initialize(gateway);
  const silent = await callLegacy(t, gateway, session, 'form');
  const started = performance.now();
  await until('the call is ended', () => silent.messages().length === 2);
  assert.match(silent.messages()[1]?.result?.content[0]?.text ?? '', /"db" asked for input and got none within 600 ms/);
  await until('the server is told', () => gateway.foreign.stats.cancelled === 1);
  const slow = await callLegacy(t, gateway, session, 'form');
  const asked = performance.now();
  await until('the deadline would have ended it', () => performance.now() - asked > 300);
  await answer(gateway, session, slow.messages()[0]?.id ?? '', ANSWERS.form);
  await until('it is answered', () => slow.messages().length === 2);
  assert.match(slow.messages()[1]?.result?.content[0]?.text ?? '', /orders/);
  assert.ok(asked - started > 300);
  const hanging = await callLegacy(t, gateway, session, 'hang');
  await answer(gateway, session, hanging.messages()[0]?.id ?? '', ANSWERS.form);
  await until('the deadline runs again', () => hanging.messages().length === 2);
  assert.match(hanging.messages()[1]?.result?.content[0]?.text ?? '', /did not answer within 150 ms/);
});

test('a client that leaves while it is asked ends the call at the server', async (t) => {
  const gateway = await open(t);
  const session = await initialize(gateway);
  const call = await callLegacy(t, gateway, session, 'form');
  call.gone.abort();
  await until('the server is told', () => gateway.foreign.stats.cancelled === 1);
  const cancelled = await callLegacy(t, gateway, session, 'form');
  const params = { requestId: 1 };
  await post(
    gateway,
    JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params }),
    legacyHeaders(session),
  );
  await until('the server is told', () => gateway.foreign.stats.cancelled === 2);
  assert.equal(cancelled.messages().length, 1);
});

test('what a client answers after it has cancelled is no answer, and a modern server is not called with it', async (t) => {
  const server = await startModernAsking(t);
  const gateway = await startTestGateway(t, [{ name: 'db', prefix: '', url: server.url }]);
  const session = await initialize(gateway);
  const call = await callLegacy(t, gateway, session, 'form');
  const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } };
  await post(gateway, JSON.stringify(cancelled), legacyHeaders(session));
  await answer(gateway, session, call.messages()[0]?.id ?? '', ANSWERS.form);
  const next = await callLegacy(t, gateway, session, 'form');
  next.gone.abort();
  assert.equal(
    server.calls.some(({ raw }) => raw.includes('inputResponses')),
    false,
  );
});

test('a client that ends its session is asked no more: its answer is refused, and the call at the server ends', async (t) => {
  const old = await startForeign(t, 'sessions', 0, createAskingServer);
  const modern = await startModernAsking(t);
  const gateway = await startTestGateway(t, [
    { name: 'old', url: old.url },
    { name: 'new', url: modern.url },
  ]);
  for (const tool of ['old_form', 'new_form']) {
    const session = await initialize(gateway);
    const { messages } = await callLegacy(t, gateway, session, tool);
    const ended = await fetch(`${gateway.url}/mcp`, { method: 'DELETE', headers: legacyHeaders(session) });
    assert.equal(ended.status, 204);
    assert.equal((await answer(gateway, session, messages()[0]?.id ?? '', ANSWERS.form)).status, 404);
    assert.deepEqual(
      messages().map(({ method }) => method),
      ['elicitation/create'],
      tool,
    );
  }
  await until('the server that keeps the call is told', () => old.stats.cancelled === 1);
  assert.ok(!modern.calls.some(({ raw }) => raw.includes('inputResponses')), 'the other is not called again');
});

test('an error that a client answers with reaches a legacy server, and ends the call at a modern one', async (t) => {
  const foreign = await open(t);
  const modern = await startModernAsking(t);
  const table = [
    { gateway: foreign, expected: /no user/, why: 'the error is the server’s to judge' },
    {
      gateway: await startTestGateway(t, [{ name: 'db', prefix: '', url: modern.url }]),
      expected: /answered with an error/,
      why: 'an input response cannot be an error',
    },
  ];
  for (const { gateway, expected, why } of table) {
    const session = await initialize(gateway);
    const call = await callLegacy(t, gateway, session, 'form');
    const error = { code: -1, message: 'no user' };
    await post(gateway, JSON.stringify({ jsonrpc: '2.0', id: call.messages()[0]?.id, error }), legacyHeaders(session));
    await until('the call is answered', () => call.messages().length === 2);
    assert.match(JSON.stringify(call.messages()[1]), expected, why);
  }
});
