/** Extensions of the protocol: those that pass from end to end are promised, others are not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { ENVELOPE, post, startTestGateway } from './test-gateway.ts';
import { resourceText, serveKinds, type TestKinds } from './test-kinds.ts';
import { startTestUpstream, toolText } from './test-upstream.ts';

const UI = 'io.modelcontextprotocol/ui';
const HTML = 'text/html;profile=mcp-app';

function withExtensions(extensions: object, rest: TestKinds = {}): TestKinds {
  return { capabilities: { tools: {}, resources: {}, extensions }, ...rest };
}

/** A server with a tool that has a user interface. */
function charts(name: string): TestKinds {
  const uri = `ui://${name}/chart.html`;
  return withExtensions(
    { [UI]: { mimeTypes: [HTML] } },
    {
      tools: [toolText(`${name}_chart`, `,"_meta":{"ui":{"resourceUri":"${uri}","visibility":["model","app"]}}`)],
      resources: [resourceText(uri)],
      answer: () =>
        `{"contents":[{"uri":"${uri}","mimeType":"${HTML}","text":"<p>${name}</p>"}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}`,
    },
  );
}

for (const mode of [{ pin: '2026-07-28' }, 'legacy'] as const) {
  test(`user interfaces of tools work through the gateway, each from its own server (${JSON.stringify(mode)})`, async (t) => {
    const upstreams = await Promise.all(
      ['a', 'b'].map((name) => startTestUpstream(t, { onRequest: serveKinds(charts(name)) })),
    );
    const plain = await startTestUpstream(t, { onRequest: serveKinds({ capabilities: { tools: {} } }) });
    const gateway = await startTestGateway(t, [
      ...upstreams.map(({ url }, index) => ({ name: 'ab'.charAt(index), url })),
      { name: 'plain', url: plain.url },
    ]);
    const client = new Client(
      { name: 'host', version: '1' },
      { versionNegotiation: { mode }, capabilities: { extensions: { [UI]: { mimeTypes: [HTML] } } } },
    );
    await client.connect(new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`)));
    t.after(() => client.close());
    assert.deepEqual(client.getServerCapabilities()?.extensions, { [UI]: { mimeTypes: [HTML] } });
    const { tools } = await client.listTools();
    for (const name of ['a', 'b']) {
      const tool = tools.find((each) => each.name === `${name}_chart`);
      const ui = tool?._meta?.['ui'] as { resourceUri: string };
      const { contents } = await client.readResource({ uri: ui.resourceUri });
      assert.equal(contents[0] && 'text' in contents[0] && contents[0].text, `<p>${name}</p>`);
    }
  });
}

test("a server hears of a modern client's extensions with its call, and of the gateway's when it is asked for its lists", async (t) => {
  const upstream = await startTestUpstream(t, { onRequest: serveKinds({ ...charts('a'), answer: undefined }) });
  const gateway = await startTestGateway(t, [{ name: 'a', url: upstream.url }]);
  const capabilities = { extensions: { 'com.example/own': { deep: [1] } } };
  const params = {
    name: 'a_chart',
    _meta: { ...ENVELOPE, 'io.modelcontextprotocol/clientCapabilities': capabilities },
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'a_chart' };
  assert.equal((await post(gateway, body, headers)).status, 200);
  assert.equal(upstream.calls[0]?.raw, body);
  const listed = upstream.requests.find((request) => request.body.method === 'tools/list');
  const meta = JSON.parse(listed?.raw ?? '').params._meta;
  assert.deepEqual(meta['io.modelcontextprotocol/clientCapabilities'].extensions, { [UI]: { mimeTypes: [HTML] } });
});

const UNIONS = [
  { why: 'one server has it', all: [{ [UI]: { a: 1 } }, {}], extensions: { [UI]: { a: 1 } } },
  { why: 'both have it alike', all: [{ [UI]: { a: [1] } }, { [UI]: { a: [1] } }], extensions: { [UI]: { a: [1] } } },
  { why: 'their settings differ', all: [{ [UI]: { a: 1 } }, { [UI]: {} }], extensions: { [UI]: {} } },
  { why: 'its settings are no object', all: [{ [UI]: true }], extensions: undefined },
  {
    why: 'it has methods that name no server',
    all: [{ 'io.modelcontextprotocol/tasks': {}, 'io.modelcontextprotocol/skills': {} }],
    extensions: undefined,
  },
  { why: 'nobody knows it', all: [{ 'com.example/own': {} }], extensions: undefined },
];

for (const { why, all, extensions } of UNIONS) {
  test(`of extensions those are promised, in both eras, that pass from end to end (${why})`, async (t) => {
    const entries = all.map(async (each, index) => {
      const upstream = await startTestUpstream(t, { onRequest: serveKinds(withExtensions(each)) });
      return { name: `u${index}`, url: upstream.url };
    });
    const gateway = await startTestGateway(t, await Promise.all(entries));
    for (const mode of [{ pin: '2026-07-28' }, 'legacy'] as const) {
      const client = new Client({ name: 'c', version: '1' }, { versionNegotiation: { mode } });
      await client.connect(new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`)));
      assert.deepEqual(client.getServerCapabilities()?.extensions, extensions);
      await client.close();
    }
  });
}
