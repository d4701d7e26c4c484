import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CollisionError } from './catalogue/catalogue.ts';
import { modernBody, modernHeaders, post, startTestGateway, until, type Answer } from './test-gateway.ts';
import { promptText, resourceText, serveKinds, templateText } from './test-kinds.ts';
import { answerJson, startTestUpstream, toolText, type SeenRequest } from './test-upstream.ts';

type Url = { url: string };

/** What the tests look at in results. */
interface Listed {
  tools: { name: string; _meta: { ui: object }; inputSchema: { properties: Record<string, object> } }[];
  prompts: { name: string }[];
  resources: { uri: string }[];
  resourceTemplates: { uriTemplate: string }[];
  nextCursor?: string;
  ttlMs: number;
  cacheScope: string;
  capabilities: object;
}

function ask(gateway: Url, method: string, params: object = {}, name?: string): Promise<Answer> {
  return post(gateway, modernBody(method, params), modernHeaders(method, name));
}

async function resultOf(gateway: Url, method: string, params: object = {}, name?: string): Promise<Listed> {
  const { result, error } = JSON.parse((await ask(gateway, method, params, name)).text);
  assert.equal(error, undefined, JSON.stringify(error));
  return result;
}

function echo(request: SeenRequest): string {
  return JSON.stringify({ resultType: 'complete', echo: request.body.params });
}

test('every kind is listed over all pages, in order, byte for byte but for the published name', async (t) => {
  const odd = '{ "uri":"pg://b" ,"size":9007199254740993,"x":"\\u00e9" }';
  const one = await startTestUpstream(t, {
    onRequest: serveKinds({
      tools: [toolText('q')],
      prompts: [promptText('z'), promptText('a'), promptText('m')],
      resources: [odd, resourceText('pg://a')],
      resourceTemplates: [templateText('pg://t/{id}')],
      pageSize: 1,
    }),
  });
  const two = await startTestUpstream(t, { onRequest: serveKinds({ prompts: [promptText('two_p')] }) });
  const gateway = await startTestGateway(t, [
    { name: 'one', url: one.url },
    { name: 'two', url: two.url },
  ]);
  const { prompts } = await resultOf(gateway, 'prompts/list');
  assert.deepEqual(prompts.map((prompt) => prompt.name), ['one_a', 'one_m', 'one_z', 'two_p']); // prettier-ignore
  const resources = await ask(gateway, 'resources/list');
  assert.ok(resources.text.includes(`"resources":[${resourceText('pg://a')},${odd}]`), resources.text);
  const { resourceTemplates } = await resultOf(gateway, 'resources/templates/list');
  assert.deepEqual(resourceTemplates, [{ uriTemplate: 'pg://t/{id}', name: 't' }]);
  const legacy = await post(gateway, '{"jsonrpc":"2.0","id":1,"method":"prompts/list"}');
  assert.deepEqual(Object.keys(JSON.parse(legacy.text).result), ['prompts']);
});

test('capabilities are those of all upstreams together, stay while one is down, and what none has is no method', async (t) => {
  const one = await startTestUpstream(t, { onRequest: serveKinds({ capabilities: { tools: {}, prompts: {} } }) });
  const two = await startTestUpstream(t, { onRequest: serveKinds({ capabilities: { tools: {}, completions: {} } }) });
  const gateway = await startTestGateway(t, [
    { name: 'one', url: one.url },
    { name: 'two', url: two.url },
  ]);
  const listed = async (): Promise<string[]> => Object.keys((await resultOf(gateway, 'server/discover')).capabilities);
  assert.deepEqual(await listed(), ['tools', 'prompts', 'completions']);
  for (const method of ['resources/list', 'resources/templates/list']) {
    const refused = await ask(gateway, method);
    assert.equal(refused.status, 404);
    assert.equal(JSON.parse(refused.text).error.code, -32601);
  }
  const read = await ask(gateway, 'resources/read', { uri: 'a://b' }, 'a://b');
  assert.equal(JSON.parse(read.text).error.code, -32601);
  for (const method of ['resources/subscribe', 'logging/setLevel']) {
    const legacy = await post(gateway, `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{"uri":"a://b"}}`);
    assert.equal(JSON.parse(legacy.text).error.code, -32601, method);
  }
  assert.equal(one.requests.some(({ body }) => body.method === 'resources/list'), false); // prettier-ignore
  await one.stop();
  await until('the first is seen to be down', async () => {
    const ready = JSON.parse(await (await fetch(`${gateway.url}/ready`)).text());
    return ready.upstreams.one === 'down';
  });
  assert.deepEqual(await listed(), ['tools', 'prompts', 'completions']);
});

test('each list has the shortest time of its own kind, and is private when a part is', async (t) => {
  const one = await startTestUpstream(t, {
    onRequest: (request, response) => {
      const fields =
        request.body.method === 'prompts/list' ? ',"ttlMs":20000,"cacheScope":"private"' : ',"ttlMs":40000';
      return serveKinds({ prompts: [promptText('p')], fields })(request, response);
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'one', url: one.url }]);
  const prompts = await resultOf(gateway, 'prompts/list');
  assert.equal(prompts.cacheScope, 'private');
  assert.ok(prompts.ttlMs > 15_000 && prompts.ttlMs <= 20_000);
  const resources = await resultOf(gateway, 'resources/list');
  assert.equal(resources.cacheScope, 'public');
  assert.ok(resources.ttlMs > 35_000 && resources.ttlMs <= 40_000);
});

test('pages have the configured size, join without gap, and a cursor of a list that has changed is refused', async (t) => {
  const upstream = await startTestUpstream(t, {
    tools: Array.from({ length: 5 }, (_, index) => toolText(`t${index}`)),
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }], { pageSize: 2 });
  const names: string[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    const page = await resultOf(gateway, 'tools/list', cursor === undefined ? {} : { cursor });
    names.push(...page.tools.map((tool) => tool.name));
    cursor = page.nextCursor;
    pages++;
  } while (cursor !== undefined);
  assert.equal(pages, 4);
  assert.deepEqual(names, ['health_check', 'list_services', 'pg_t0', 'pg_t1', 'pg_t2', 'pg_t3', 'pg_t4']);
  const stale = (await resultOf(gateway, 'tools/list')).nextCursor;
  upstream.options.tools = [toolText('t0'), toolText('new'), toolText('more')];
  await ask(gateway, 'tools/call', { name: 'pg_new' }, 'pg_new');
  const refused = await ask(gateway, 'tools/list', { cursor: stale });
  assert.equal(JSON.parse(refused.text).error.code, -32602);
});

test('a prompt is asked of its own server under its own name, with everything else as it came', async (t) => {
  const one = await startTestUpstream(t, { onRequest: serveKinds({ prompts: [promptText('p')], answer: echo }) });
  const gateway = await startTestGateway(t, [{ name: 'one', url: one.url }]);
  const params = { name: 'one_p', inputResponses: { a: { n: 1 } }, requestState: 'sealed' };
  const body = modernBody('prompts/get', params).replace('"n":1', '"n" : 9007199254740993');
  const got = await post(gateway, body, modernHeaders('prompts/get', 'one_p'));
  assert.equal(JSON.parse(got.text).result.echo.requestState, 'sealed');
  const seen = one.requests.findLast((request) => request.body.method === 'prompts/get');
  assert.equal(seen?.raw, body.replace('"one_p"', '"p"'));
  assert.equal(seen?.headers['mcp-name'], 'p');
  const unknown = JSON.parse((await ask(gateway, 'prompts/get', { name: 'one_q' }, 'one_q')).text).error;
  assert.equal(unknown.code, -32602);
  assert.match(unknown.message, /Did you mean one_p\?/);
});

const READS = [
  { uri: 'a://exact', owner: 'one', why: 'it is listed' },
  { uri: 'a://t/7/x', owner: 'one', why: 'a template fits' },
  { uri: 'a://t/9/x', owner: 'two', why: 'what is listed goes before a template that fits' },
  { uri: 'a://t/special/x', owner: 'two', why: 'of two templates the one with more literal characters' },
  { uri: 'b://t/7/x/y', owner: 'one', why: 'only one server uses the scheme' },
  { uri: 's://h2/other', owner: 'two', why: 'only one server uses the authority' },
  { uri: 's://h3/other', owner: undefined, why: 'both servers use the scheme' },
  { uri: 'z://x', owner: undefined, why: 'nobody uses the scheme' },
];

test('a resource is read from the server that it belongs to', async (t) => {
  const seen = new Map<string, string>();
  const start = async (
    name: string,
    resources: string[],
    templates: string[],
  ): Promise<{ name: string; url: string }> => {
    const answer = (request: SeenRequest): string => {
      seen.set(JSON.parse(request.raw).params.uri, name);
      return '{"contents":[]}';
    };
    const kinds = { resources: resources.map(resourceText), resourceTemplates: templates.map(templateText), answer };
    return { name, url: (await startTestUpstream(t, { onRequest: serveKinds(kinds) })).url };
  };
  const gateway = await startTestGateway(t, [
    await start('one', ['a://exact', 's://h1/a', 'b://q'], ['a://t/{id}/x']),
    await start('two', ['s://h2/a', 'a://t/9/x'], ['a://t/spe{rest}/x']),
  ]);
  for (const { uri, owner, why } of READS) {
    const { error } = JSON.parse((await ask(gateway, 'resources/read', { uri }, uri)).text);
    assert.equal(seen.get(uri), owner, why);
    if (owner === undefined) assert.deepEqual([error.code, error.data], [-32602, { uri }], why);
  }
});

test('completions go to the owner of what is completed, and one that completes nothing has no suggestions', async (t) => {
  const kinds = { prompts: [promptText('p')], resourceTemplates: [templateText('one://{x}')] };
  const one = await startTestUpstream(t, { onRequest: serveKinds({ ...kinds, answer: echo }) });
  const two = await startTestUpstream(t, {
    onRequest: serveKinds({ capabilities: { prompts: {} }, prompts: [promptText('two_p')] }),
  });
  const gateway = await startTestGateway(t, [
    { name: 'one', url: one.url },
    { name: 'two', url: two.url },
  ]);
  const argument = { name: 'x', value: 'v' };
  const complete = (ref: object): Promise<Answer> => ask(gateway, 'completion/complete', { ref, argument });
  const prompt = JSON.parse((await complete({ type: 'ref/prompt', name: 'one_p' })).text).result;
  assert.deepEqual(prompt.echo.ref, { type: 'ref/prompt', name: 'p' });
  const template = JSON.parse((await complete({ type: 'ref/resource', uri: 'one://{x}' })).text).result;
  assert.deepEqual(template.echo.ref, { type: 'ref/resource', uri: 'one://{x}' });
  const none = JSON.parse((await complete({ type: 'ref/prompt', name: 'two_p' })).text).result;
  assert.deepEqual(none.completion.values, []);
  for (const ref of [{ type: 'ref/prompt', name: 'x' }, { type: 'ref/other' }, {}]) {
    assert.equal(JSON.parse((await complete(ref)).text).error.code, -32602);
  }
});

test('a prompt of a server that was never up is told as its outage', async (t) => {
  const one = await startTestUpstream(t, { onRequest: serveKinds({ prompts: [promptText('p')] }) });
  const gateway = await startTestGateway(t, [
    { name: 'one', url: one.url },
    { name: 'down', url: 'http://127.0.0.1:9/mcp' },
  ]);
  const { error } = JSON.parse((await ask(gateway, 'prompts/get', { name: 'down_p' }, 'down_p')).text);
  assert.equal(error.code, -32603);
  assert.match(error.message, /"down" cannot be reached/);
});

test('a failing server of a prompt is told as an error, not as a tool result', async (t) => {
  const one = await startTestUpstream(t, { onRequest: serveKinds({ prompts: [promptText('p')] }) });
  const gateway = await startTestGateway(t, [{ name: 'one', url: one.url }]);
  await one.stop();
  const { error } = JSON.parse((await ask(gateway, 'prompts/get', { name: 'one_p' }, 'one_p')).text);
  assert.equal(error.code, -32603);
  assert.match(error.message, /"one"/);
  assert.ok(!error.message.includes(String(one.port)));
});

test('equal resource URIs stop the start with an error that names both servers and the remedy', async (t) => {
  const kinds = serveKinds({ resources: [resourceText('file:///a')] });
  const [one, two] = [
    await startTestUpstream(t, { onRequest: kinds }),
    await startTestUpstream(t, { onRequest: kinds }),
  ];
  const entries = [
    { name: 'one', url: one.url },
    { name: 'two', url: two.url },
  ];
  await assert.rejects(startTestGateway(t, entries), (error) => {
    assert.ok(error instanceof CollisionError);
    assert.match(error.message, /"one" and upstream "two" would both publish file:\/\/\/a; set rewriteUris: true/);
    return true;
  });
});

test('with rewriteUris both servers are served, and URIs are translated in every place and nowhere else', async (t) => {
  const uri = 'file:///a';
  const tool = toolText('q', ',"_meta":{"ui":{"resourceUri":"ui://w/x"}}');
  const kinds = { resources: [resourceText(uri)], resourceTemplates: [templateText('file:///{p}')], tools: [tool] };
  const content = `[{"type":"resource_link","uri":"${uri}","name":"n"},{"type":"resource","resource":{"uri":"${uri}"}},{"type":"text","text":"${uri}"}]`;
  const one = await startTestUpstream(t, { onRequest: serveKinds(kinds) });
  const two = await startTestUpstream(t, {
    onRequest: (request, response) => {
      if (request.body.method === 'tools/call') {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(`: hi\n\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/resources/updated",`);
        response.write(`"params":{"uri":"${uri}"}}\n\n`);
        response.end(
          `data: {"jsonrpc":"2.0","id":1,"result":{"content":${content},\ndata: "structuredContent":{"uri":"${uri}"}}}\n\n`,
        );
        return true;
      }
      const answer = (): string => `{"contents":[{"uri":"${uri}","n":9007199254740993}],"echo":${request.raw}}`;
      return serveKinds({ ...kinds, answer })(request, response);
    },
  });
  const gateway = await startTestGateway(t, [
    { name: 'one', url: one.url },
    { name: 'two', url: two.url, rewriteUris: true },
  ]);
  const { resources } = await resultOf(gateway, 'resources/list');
  assert.deepEqual(resources.map((each) => each.uri), [uri, `two+${uri}`]); // prettier-ignore
  const { resourceTemplates } = await resultOf(gateway, 'resources/templates/list');
  assert.equal(resourceTemplates[1]?.uriTemplate, 'two+file:///{p}');
  const { tools } = await resultOf(gateway, 'tools/list');
  const [first, second] = tools.slice(2);
  assert.deepEqual(first?._meta.ui, { resourceUri: 'ui://w/x' });
  assert.deepEqual(second?._meta.ui, { resourceUri: 'ui://two/w/x' });
  for (const [published, own] of [
    [`two+${uri}`, uri],
    ['two+file:///b', 'file:///b'],
    ['two+other://b', 'other://b'],
    ['ui://two/w/x', 'ui://w/x'],
  ] as const) {
    const read = await ask(gateway, 'resources/read', { uri: published }, published);
    assert.ok(read.text.includes(`{"uri":"two+${uri}","n":9007199254740993}`), read.text);
    assert.equal(JSON.parse(read.text).result.echo.params.uri, own);
    assert.equal(two.requests.at(-1)?.headers['mcp-name'], own);
  }
  const called = await ask(gateway, 'tools/call', { name: 'two_q' }, 'two_q');
  const events = called.text.split('\n\n');
  assert.equal(events[0], ': hi');
  assert.equal(JSON.parse(events[1]?.split('data: ')[1] ?? '').params.uri, `two+${uri}`);
  const { result } = JSON.parse((events[2] ?? '').replaceAll('data: ', ''));
  assert.equal(result.content[0].uri, `two+${uri}`);
  assert.equal(result.content[1].resource.uri, `two+${uri}`);
  assert.equal(result.content[2].text, uri);
  assert.equal(result.structuredContent.uri, uri);
});

test('a call that does not repeat its annotated arguments in headers is refused, one that does is passed on with them', async (t) => {
  const schema = '{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}';
  const tools = [
    `{"name":"q","inputSchema":${schema}}`,
    `{"name":"bad","inputSchema":{"type":"object","properties":{"o":{"type":"object","x-mcp-header":"O"}}}}`,
  ];
  const upstream = await startTestUpstream(t, { tools });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const { tools: listed } = await resultOf(gateway, 'tools/list');
  assert.deepEqual(listed.slice(2).map((tool) => tool.name), ['pg_q']); // prettier-ignore
  assert.deepEqual(listed[2]?.inputSchema.properties['region'], { type: 'string', 'x-mcp-header': 'Region' });
  const call = (region: string | undefined): Promise<Answer> => {
    const headers = {
      ...modernHeaders('tools/call', 'pg_q'),
      ...(region === undefined ? {} : { 'Mcp-Param-Region': region }),
    };
    return post(gateway, modernBody('tools/call', { name: 'pg_q', arguments: { region: 'ä' } }), headers);
  };
  for (const wrong of [undefined, 'x', '=?base64?w6Q?=']) {
    const refused = await call(wrong);
    assert.deepEqual([refused.status, JSON.parse(refused.text).error.code], [400, -32020], String(wrong));
  }
  assert.equal(upstream.calls.length, 0);
  assert.equal((await call('=?base64?w6Q=?=')).status, 200);
  assert.equal(upstream.calls[0]?.headers['mcp-param-region'], '=?base64?w6Q=?=');
  const legacy = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pg_q","arguments":{"region":"a"}}}';
  assert.equal((await post(gateway, legacy)).status, 200);
});

test('a list that fails alone leaves the others, and keeps what it had', async (t) => {
  let isBroken = false;
  const kinds = { tools: [toolText('q')], prompts: [promptText('p')] };
  const upstream = await startTestUpstream(t, {
    onRequest: (request, response) => {
      if (!isBroken || request.body.method !== 'prompts/list') return serveKinds(kinds)(request, response);
      answerJson(response, '{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no"}}');
      return true;
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  isBroken = true;
  kinds.tools.push(toolText('new'));
  const called = await ask(gateway, 'tools/call', { name: 'pg_new' }, 'pg_new');
  assert.ok(called.text.includes('result') || called.text.includes('no'));
  assert.equal((await resultOf(gateway, 'tools/list')).tools.length, 4);
  assert.equal((await resultOf(gateway, 'prompts/list')).prompts.length, 1);
});

test('a list that changes while it is read is read again from its start', async (t) => {
  let isChanged = false;
  const kinds = { tools: ['a', 'b', 'c'].map((name) => toolText(name)), pageSize: 2 };
  const upstream = await startTestUpstream(t, {
    onRequest: (request, response) => {
      if (isChanged || request.body.params?.cursor === undefined) return serveKinds(kinds)(request, response);
      isChanged = true;
      answerJson(response, '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"stale"}}');
      return true;
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  const { tools } = await resultOf(gateway, 'tools/list');
  assert.deepEqual(tools.slice(2).map((tool) => tool.name), ['pg_a', 'pg_b', 'pg_c']); // prettier-ignore
});

test('a server that does not answer server/discover at first has all its lists soon after', async (t) => {
  let isHanging = true;
  const upstream = await startTestUpstream(t, {
    onRequest: (request, response) => {
      if (!isHanging || request.body.method !== 'server/discover') {
        return serveKinds({ tools: [toolText('q')], prompts: [promptText('p')] })(request, response);
      }
      isHanging = false;
      response.destroy();
      return true;
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  await until('its prompts are listed', async () => (await ask(gateway, 'prompts/list')).text.includes('pg_p'));
});
