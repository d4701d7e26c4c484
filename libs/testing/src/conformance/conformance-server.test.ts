import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { connectClient, type ClientEra } from '../connect-client.ts';
import { spawnProcess } from '../spawn-process.ts';
import { startConformanceServer, type ConformanceServerOptions } from './conformance-server.ts';

async function start(t: TestContext, options?: ConformanceServerOptions) {
  const server = await startConformanceServer(options);
  t.after(() => server.close());
  return server;
}

for (const era of ['2026-07-28', 'legacy'] satisfies ClientEra[]) {
  test(`its lists, prompts and resources answer (${era})`, async (t) => {
    const { url } = await start(t);
    const client = await connectClient(url, { era, t });
    assert.ok((await client.listTools()).tools.length > 25);
    assert.ok((await client.listPrompts()).prompts.some(({ name }) => name === 'test_simple_prompt'));
    const { contents } = await client.readResource({ uri: 'test://template/7/data' });
    assert.match((contents[0] as { text: string }).text, /"id":"7"/);
    await assert.rejects(client.readResource({ uri: 'test://nothing' }), /test:\/\/nothing/);
    const ref = { type: 'ref/prompt' as const, name: 'test_prompt_with_arguments' };
    const { completion } = await client.complete({ ref, argument: { name: 'arg1', value: 'test' } });
    assert.deepEqual(completion.values, ['test', 'testing']);
  });

  test(`a triggered change adds a tool, and a second one removes it (${era})`, async (t) => {
    const { url } = await start(t);
    const listed = async () => {
      const client = await connectClient(url, { era, t });
      return (await client.listTools()).tools.some(({ name }) => name === 'test_changing_tool');
    };
    const client = await connectClient(url, { era, t });
    assert.equal(await listed(), false);
    await client.callTool({ name: 'test_trigger_tool_change' });
    assert.equal(await listed(), true);
    await client.callTool({ name: 'test_trigger_tool_change' });
    assert.equal(await listed(), false);
  });
}

test('with a prefix, its names and its URIs are its own', async (t) => {
  const { url } = await start(t, { prefix: 'x_' });
  const client = await connectClient(url, { t });
  assert.ok((await client.listTools()).tools.every(({ name }) => name.startsWith('x_')));
  assert.ok((await client.listPrompts()).prompts.every(({ name }) => name.startsWith('x_')));
  assert.ok((await client.listResources()).resources.every(({ uri }) => uri.startsWith('test-x://')));
  assert.equal((await client.callTool({ name: 'x_test_simple_text' })).isError, undefined);
});

test('pinned to legacy it keeps sessions, demands them, and does not know 2026-07-28', async (t) => {
  const { url } = await start(t, { legacy: 'only' });
  await connectClient(url, { era: 'legacy', t });
  await assert.rejects(connectClient(url, { era: '2026-07-28' }), /could not connect/);
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
  assert.equal((await fetch(url, { method: 'POST', headers, body })).status, 400);
  const ended = { ...headers, 'mcp-session-id': 'ended' };
  assert.equal((await fetch(url, { method: 'POST', headers: ended, body })).status, 404);
});

test('it runs as its own process', async (t) => {
  const args = ['libs/testing/src/conformance/main.ts', '--prefix', 'y_'];
  const server = await spawnProcess({ args, ready: { line: /"(http:.*\/mcp)"/ }, t });
  const client = await connectClient(server.readyLine?.[1] ?? '', { t });
  assert.equal(client.getServerVersion()?.name, 'conformance fixture y_');
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
