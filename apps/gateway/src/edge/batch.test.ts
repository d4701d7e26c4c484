import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';
import type { Gateway } from '../app.ts';
import { post, startTestGateway, until } from '../test-gateway.ts';
import { answerCall, startTestUpstream, toolText, type SeenRequest, type TestUpstream } from '../test-upstream.ts';

const VERSION = { 'mcp-protocol-version': '2025-03-26' };

test('a batch is answered as an array, each message by itself', async (t) => {
  const upstream = await startTestUpstream(t, { tools: [toolText('pg_query')] });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const call =
    '{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":"pg_query","arguments":{"n":9007199254740993}}}';
  const body = `[{"jsonrpc":"2.0","id":1,"method":"ping"}, {"jsonrpc":"2.0","method":"notifications/initialized"},${call}]`;
  const got = await post(gateway, body, { 'mcp-protocol-version': '2025-03-26' });
  const answers = JSON.parse(got.text);
  assert.deepEqual(
    answers.map((answer: { id: unknown }) => answer.id),
    [1, 'c'],
  );
  assert.equal(answers[1].result.content[0].text, 'called pg_query');
  assert.equal(upstream.calls[0]?.raw, call);
  const silent = await post(gateway, '[{"jsonrpc":"2.0","method":"notifications/initialized"}]');
  assert.equal(silent.status, 202);
});

/** A gateway before a server whose calls wait until the test answers them. */
async function startWaiting(
  t: TestContext,
): Promise<{ upstream: TestUpstream; gateway: Gateway; answer: (id: number) => void }> {
  const open = new Map<unknown, [SeenRequest, ServerResponse]>();
  const upstream = await startTestUpstream(t, {
    tools: [toolText('pg_query')],
    onCall: (seen, response) => void open.set(seen.body.id, [seen, response]),
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const answer = (id: number): void => {
    const [seen, response] = open.get(id) ?? assert.fail(`no call ${id}`);
    answerCall(seen, response);
  };
  return { upstream, gateway, answer };
}

function call(id: number): string {
  return `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"pg_query"}}`;
}

function cancel(requestId: unknown): string {
  const params = { requestId };
  return JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params });
}

function idsOf(text: string): unknown[] {
  return JSON.parse(text).map((each: { id: unknown }) => each.id);
}

test('a call of a batch can be cancelled alone: its answer is left out, the others arrive', async (t) => {
  const { upstream, gateway, answer } = await startWaiting(t);
  const headers = { ...VERSION, 'mcp-session-id': 'abc' };
  const batch = post(gateway, `[${call(1)},${call(2)},${call(3)}]`, headers);
  await until('all calls are at the upstream', () => upstream.calls.length === 3);
  assert.equal((await post(gateway, cancel(2), { ...VERSION, 'mcp-session-id': 'abd' })).status, 202);
  assert.equal((await post(gateway, cancel('2'), headers)).status, 202);
  assert.equal(upstream.aborted, 0);
  // The notification may come in a batch too.
  assert.equal((await post(gateway, `[${cancel(2)}]`, headers)).status, 202);
  await until('the upstream sees the end of it', () => upstream.aborted === 1);
  answer(1);
  answer(3);
  assert.deepEqual(idsOf((await batch).text), [1, 3]);
  assert.equal(upstream.aborted, 1);
});

test('a batch whose calls are all cancelled has no answer', async (t) => {
  const { upstream, gateway } = await startWaiting(t);
  const headers = { ...VERSION, 'mcp-session-id': 'abc' };
  const batch = post(gateway, `[${call(1)},${call(2)}]`, headers);
  await until('both calls are at the upstream', () => upstream.calls.length === 2);
  for (const id of [1, 2]) await post(gateway, cancel(id), headers);
  const { status, text } = await batch;
  assert.deepEqual({ status, text }, { status: 202, text: '' });
  await until('the upstream sees both ends', () => upstream.aborted === 2);
});
