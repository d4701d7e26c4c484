import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startConformanceServer } from '@database-mcp/testing';
import type { Gateway } from '../app.ts';
import { listNames, startTestGateway, until, type UpstreamEntry } from '../test-gateway.ts';
import { ANSWERS, CLIENTS, startModernAsking } from './test-asking-clients.ts';
import { createAskingServer } from './test-asking-server.ts';
import { startForeign } from './test-bridge.ts';

const SCRIPT = fileURLToPath(new URL('test-stdio/main.ts', import.meta.url));

/** A gateway before one server, once its tools are there. */
async function open(t: TestContext, entry: Partial<UpstreamEntry>): Promise<Gateway> {
  const gateway = await startTestGateway(t, [{ name: 'db', prefix: '', ...entry }]);
  await until('its tools are listed', async () => (await listNames(gateway)).includes('form'), 10_000);
  return gateway;
}

const ALL = [ANSWERS.form, ANSWERS.model, ANSWERS.roots];
/** What each tool says of the answers it got. */
const EXPECTED = {
  form: ANSWERS.form,
  model: ANSWERS.model,
  roots: ANSWERS.roots,
  all: ALL,
};

const SERVERS: Record<string, { start: (t: TestContext) => Promise<Partial<UpstreamEntry>>; more?: object }> = {
  'a legacy server with sessions': {
    start: async (t) => ({ url: (await startForeign(t, 'sessions', 0, createAskingServer)).url }),
    more: { twice: [ANSWERS.form, ANSWERS.model], aside: ANSWERS.form, visit: 'visited' },
  },
  'a legacy server over HTTP+SSE': {
    start: async (t) => ({ url: (await startForeign(t, 'sse', 0, createAskingServer)).url }),
    more: { twice: [ANSWERS.form, ANSWERS.model], aside: ANSWERS.form },
  },
  'a command': {
    start: () => Promise.resolve({ command: process.execPath, args: [SCRIPT, 'asking'] }),
    more: { twice: [ANSWERS.form, ANSWERS.model] },
  },
  'a server of 2026-07-28 alone': {
    start: async (t) => ({ url: (await startModernAsking(t)).url }),
    more: { twice: ANSWERS.model, visit: ANSWERS.url, pause: [] },
  },
};

for (const [server, { start, more }] of Object.entries(SERVERS)) {
  for (const [kind, connect] of Object.entries(CLIENTS)) {
    test(`${kind} is asked by ${server}, and answers: elicitation, sampling, roots, at once and in turn`, async (t) => {
      const gateway = await open(t, await start(t));
      const client = await connect(t, gateway.url);
      for (const [tool, expected] of Object.entries({ ...EXPECTED, ...more })) {
        // SDK v1 clients do not open what an error asks them to open; their host does, and calls again.
        if (tool === 'visit' && server.includes('sessions') && kind.includes('legacy')) {
          await assert.rejects(client.call(tool), { code: -32_042 });
        }
        assert.deepEqual(JSON.parse(await client.call(tool)), expected, tool);
      }
    });
  }
}

test('a legacy client is asked by a server of both eras in the session that it keeps', async (t) => {
  const server = await startConformanceServer();
  t.after(server.close);
  const gateway = await startTestGateway(t, [{ name: 'db', prefix: '', url: server.url }]);
  for (const [kind, connect] of Object.entries(CLIENTS)) {
    const client = await connect(t, gateway.url);
    assert.match(await client.call('test_input_required_result_list_roots'), /1 root/, kind);
    assert.match(await client.call('test_elicitation'), /accept/, kind);
  }
});

test('a server of both eras that keeps no sessions asks a legacy client when the configuration says what it is', async (t) => {
  const server = await startModernAsking(t);
  const { onRequest, ...options } = server.options;
  server.options = options;
  assert.ok(onRequest);
  const gateway = await open(t, { url: server.url, era: '2026-07-28' });
  for (const [kind, connect] of Object.entries(CLIENTS)) {
    const client = await connect(t, gateway.url);
    assert.deepEqual(JSON.parse(await client.call('all')), ALL, kind);
  }
});

test('a URL that must be opened first is opened by a modern client, and the call is made again', async (t) => {
  const server = await startForeign(t, 'sessions', 0, createAskingServer);
  const gateway = await open(t, { url: server.url });
  const client = await CLIENTS['a modern client']?.(t, gateway.url);
  assert.equal(await client?.call('visit'), '"visited"');
  assert.deepEqual(client?.opened, ['https://example.com/login']);
  assert.equal(server.stats.calls.length, 2);
});

test('a server that never has enough is stopped', async (t) => {
  const server = await startModernAsking(t);
  const gateway = await open(t, { url: server.url });
  const client = await CLIENTS['a legacy client (SDK v1)']?.(t, gateway.url);
  assert.match((await client?.call('endless')) ?? '', /"db" asks for further input\. It has asked too much/);
  assert.ok(server.calls.length < 20);
});
