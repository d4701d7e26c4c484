import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFixtureServer } from '@database-mcp/testing';
import { listNames, post, startTestGateway, until } from '../test-gateway.ts';
import { answerJson, startTestUpstream } from '../test-upstream.ts';
import { messagesOf, openUpstream, probe, send, startForeign } from './test-bridge.ts';

const LEGACY = { era: 'legacy', version: '2025-06-18' } as const;
const ECHO = { method: 'tools/call', params: '{"name":"fixture_echo","arguments":{"text":"hi"}}' };

test('a legacy client calls a server of 2026-07-28 alone: the envelope is added, modern members are taken off', async (t) => {
  const server = await startFixtureServer({ legacy: 'reject' });
  t.after(server.close);
  const upstream = await openUpstream(t, { url: server.url });
  await send(upstream, { method: 'tools/list' }).answer;
  for (let call = 0; call < 2; call++) {
    const [message] = messagesOf(await send(upstream, { ...ECHO, ...LEGACY, id: '"x"' }).answer);
    assert.equal(message?.id, 'x');
    assert.equal(message?.result.content[0]?.type, 'text');
    assert.equal(message?.result.resultType, undefined);
    assert.equal(message?.result._meta, undefined);
  }
  assert.equal(server.stats.calls.length, 2);
  assert.equal(server.stats.requests, 4, 'the form that was refused is not tried a second time');
  const [list] = messagesOf(await send(upstream, { method: 'tools/list', ...LEGACY }).answer);
  assert.deepEqual(
    Object.keys(list?.result ?? {}).filter((key) => key !== 'tools'),
    [],
  );
});

test('a legacy client without a header, and before any modern request, reaches a server of 2026-07-28 alone', async (t) => {
  const server = await startFixtureServer({ legacy: 'reject' });
  t.after(server.close);
  const upstream = await openUpstream(t, { url: server.url });
  const [message] = messagesOf(await send(upstream, { ...ECHO, era: 'legacy' }).answer);
  assert.equal(message?.result.content[0]?.type, 'text');
});

test('a modern client passes a server of 2026-07-28 unchanged, with one request per call', async (t) => {
  const server = await startFixtureServer({ legacy: 'reject' });
  t.after(server.close);
  const upstream = await openUpstream(t, { url: server.url });
  const [message] = messagesOf(await send(upstream, ECHO).answer);
  assert.equal(message?.result.resultType, 'complete');
  assert.equal(server.stats.requests, 1);
});

test('what a modern server asks its client becomes an error that a legacy client understands', async (t) => {
  const server = await startTestUpstream(t, {
    onRequest: ({ body, raw }, response) => {
      const id = JSON.stringify(body.id);
      if (!raw.includes('io.modelcontextprotocol/protocolVersion')) {
        answerJson(response, `{"jsonrpc":"2.0","id":${id},"error":{"code":-32022,"message":"no"}}`, 400);
      } else
        answerJson(
          response,
          `{"jsonrpc":"2.0","id":${id},"result":{"resultType":"input_required","requestState":"s"}}`,
        );
      return true;
    },
  });
  const upstream = await openUpstream(t, { url: server.url });
  for (const request of [ECHO, { method: 'prompts/get', params: '{"name":"p"}' }]) {
    const { failure } = await send(upstream, { ...request, ...LEGACY }).answer;
    assert.deepEqual(failure, { kind: 'refused-ask', problem: 'This client cannot be asked for it.' });
  }
});

test('a legacy call carries the headers that a server of 2026-07-28 demands for annotated arguments', async (t) => {
  const schema = '{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}';
  const server = await startTestUpstream(t, {
    tools: [`{"name":"query","description":"Query.","inputSchema":${schema}}`],
    onRequest: ({ body, raw, headers }, response) => {
      const isModern = raw.includes('io.modelcontextprotocol/protocolVersion');
      if (isModern && (body.method !== 'tools/call' || headers['mcp-param-region'] === 'eu')) return false;
      const id = JSON.stringify(body.id);
      answerJson(response, `{"jsonrpc":"2.0","id":${id},"error":{"code":-32020,"message":"no"}}`, 400);
      return true;
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'db', prefix: 'x_', url: server.url }]);
  await until('its tools are listed', async () => (await listNames(gateway)).includes('x_query'));
  const params = { name: 'x_query', arguments: { region: 'eu' } };
  const { text } = await post(gateway, JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
  assert.match(text, /called query/);
});

test('numbers beyond 2^53, unknown members and spacing pass both ways', async (t) => {
  const result =
    '{ "content":[],  "structuredContent":{"n":12345678901234567890.125, "x":1.0}, "future":[1e400], "resultType":"complete","ttlMs":5 }';
  const server = await startTestUpstream(t, {
    onRequest: ({ body, raw }, response) => {
      const id = JSON.stringify(body.id);
      const isModern = raw.includes('io.modelcontextprotocol/protocolVersion');
      const outcome = isModern ? `"result":${result}` : '"error":{"code":-32022,"message":"no"}';
      answerJson(response, `{"jsonrpc":"2.0","id":${id},${outcome}}`, isModern ? 200 : 400);
      return true;
    },
  });
  const upstream = await openUpstream(t, { url: server.url });
  const params = '{"name":"q","arguments":{"n":98765432109876543210,  "f":1.50}}';
  const { text } = await send(upstream, { method: 'tools/call', params, ...LEGACY, id: '11111111111111111111' }).answer;
  const sent = server.requests.at(-1)?.raw ?? '';
  assert.ok(sent.includes('{"n":98765432109876543210,  "f":1.50}'));
  assert.ok(text.includes('{"n":12345678901234567890.125, "x":1.0}') && text.includes('"future":[1e400]'));
  assert.ok(!text.includes('ttlMs') && !text.includes('resultType'));
});

test('a server that changes its era is found out anew', async (t) => {
  const legacy = await startForeign(t, 'sessions');
  const upstream = await openUpstream(t, { url: legacy.url });
  const countTools = async (): Promise<number | undefined> =>
    messagesOf(await probe(upstream, { method: 'tools/list' }).answer)[0]?.result?.tools.length;
  assert.equal(await countTools(), 6);
  await legacy.stop();
  const modern = await startFixtureServer({ legacy: 'reject', port: legacy.port });
  t.after(modern.close);
  // The connection that was kept may still be found broken once.
  await until('the modern tools are listed', async () => (await countTools()) === 12);
  await modern.close();
  const again = await startForeign(t, 'sessions', legacy.port);
  // The health probe of the catalogue is what finds it out.
  await until('a session is opened', async () => {
    await probe(upstream, { method: 'server/discover' }).answer;
    return again.stats.sessions > 0;
  });
  await until('the legacy tools are listed', async () => (await countTools()) === 6);
});
