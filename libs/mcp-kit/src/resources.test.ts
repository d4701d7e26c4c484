/** Resource templates and completions, through clients of every era and transport. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { Client, ProtocolError, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { ToolError } from '@database-mcp/errors';
import { createLogger } from '@database-mcp/telemetry';
import { defineResourceTemplate, serveMcp, type CompletionRequest, type ResourceTemplate } from './index.ts';

const SHELVES = new Map([
  ['a', ['x', 'Größe 😀/"1".']],
  ['many', Array.from({ length: 150 }, (_, index) => `n${index}`)],
]);

const completeNames = (names: Iterable<string>, { typed, limit }: CompletionRequest): Promise<string[]> =>
  Promise.resolve([...names].filter((name) => name.startsWith(typed)).slice(0, limit));

const completeShelf = (request: CompletionRequest) => completeNames(SHELVES.keys(), request);
const completeBook = (request: CompletionRequest<'shelf'>) =>
  completeNames(SHELVES.get(request.chosen.shelf ?? '') ?? [], request);

function createTemplates(onAbort: () => void): ResourceTemplate[] {
  return [
    defineResourceTemplate({
      name: 'book',
      description: 'One book.',
      variables: ['shelf', 'book'],
      async read({ shelf, book }, { signal }) {
        if (shelf === 'bug') throw new Error('password=hunter2');
        if (shelf === 'slow') {
          await once(signal, 'abort');
          onAbort();
          throw signal.reason;
        }
        if (SHELVES.get(shelf)?.includes(book) !== true) {
          throw new ToolError({ code: 'NOT_FOUND', message: 'no such book', hint: 'Did you mean "x"?' });
        }
        return { columns: [{ name: 'title', type: 'text' }], rows: [[book]], rowCount: 1, truncated: false };
      },
      complete: { shelf: completeShelf, book: completeBook },
    }),
    defineResourceTemplate({
      name: 'page',
      description: 'One page.',
      variables: ['shelf', 'book', 'page'],
      read: ({ page }) => Promise.resolve({ columns: [], rows: [[page]], rowCount: 1, truncated: false }),
      complete: { shelf: completeShelf, book: completeBook, page: () => Promise.resolve([]) },
    }),
  ];
}

interface StartOptions {
  templates?: ResourceTemplate[];
  onAbort?: () => void;
  timeoutMs?: number;
  transport?: 'stdio';
}

async function start(t: TestContext, options: StartOptions = {}) {
  const stdio = { input: new PassThrough(), output: new PassThrough() };
  const { onAbort = () => {} } = options;
  const serving = await serveMcp({
    name: 'test-mcp',
    version: '1.0.0',
    instructions: 'For tests.',
    instance: 'my_shop',
    tools: [],
    resourceTemplates: options.templates ?? createTemplates(onAbort),
    timeoutMs: options.timeoutMs ?? 5_000,
    logger: await createLogger({ service: 'test', level: 'silent', pretty: false }),
    transport: options.transport ?? 'streamable-http',
    host: '127.0.0.1',
    port: 0,
    allowedHosts: [],
    allowedOrigins: [],
    ready: () => Promise.resolve({ ready: true }),
    stdio,
  });
  t.after(() => serving.close());
  return { url: serving.url ?? '', serving, ...stdio };
}

async function connect(t: TestContext, url: string, way: 'auto' | 'legacy' | 'sse'): Promise<Client> {
  const client = new Client(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: way === 'auto' ? way : 'legacy' } },
  );
  t.after(() => client.close());
  await client.connect(
    way === 'sse'
      ? new SSEClientTransport(new URL(url.replace('/mcp', '/sse')))
      : new StreamableHTTPClientTransport(new URL(url)),
  );
  return client;
}

const BOOK = 'my.shop://{shelf}/{book}';
const toUri = (...names: string[]): string => `my.shop://${names.map(encodeURIComponent).join('/')}`;

for (const way of ['auto', 'legacy', 'sse'] as const) {
  test(`templates, resources and completions are served (${way})`, async (t) => {
    const { url } = await start(t);
    const client = await connect(t, url, way);
    const { resources, completions } = client.getServerCapabilities() ?? {};
    assert.deepEqual({ resources, completions }, { resources: {}, completions: {} });
    assert.deepEqual((await client.listResources()).resources, []);
    const { resourceTemplates } = await client.listResourceTemplates();
    assert.deepEqual(
      resourceTemplates.map(({ uriTemplate, name }) => [uriTemplate, name]),
      [
        [BOOK, 'my_shop_book'],
        ['my.shop://{shelf}/{book}/{page}', 'my_shop_page'],
      ],
    );
    const uri = toUri('a', 'Größe 😀/"1".');
    const { contents } = await client.readResource({ uri });
    const [content] = contents;
    assert.ok(content && 'text' in content);
    assert.deepEqual([contents.length, content.uri, content.mimeType], [1, uri, 'application/json']);
    assert.deepEqual((JSON.parse(content.text) as { rows: unknown }).rows, [['Größe 😀/"1".']]);
    const completed = await client.complete({
      ref: { type: 'ref/resource', uri: BOOK },
      argument: { name: 'book', value: 'n1' },
      context: { arguments: { shelf: 'many' } },
    });
    assert.equal(completed.completion.values.length, 61);
    assert.equal(completed.completion.hasMore, false);
  });
}

test('at most 100 completions are given, and it is said that there are more', async (t) => {
  const client = await connect(t, (await start(t)).url, 'auto');
  const { completion } = await client.complete({
    ref: { type: 'ref/resource', uri: BOOK },
    argument: { name: 'book', value: '' },
    context: { arguments: { shelf: 'many' } },
  });
  assert.deepEqual([completion.values.length, completion.hasMore], [100, true]);
});

const MISSING: [uri: string, says: RegExp, why: string][] = [
  [toUri('a', 'y'), /NOT_FOUND: no such book\nNext: Did you mean "x"/, 'there is none'],
  ['my.shop://a', /The templates are my\.shop:\/\/\{shelf\}\/\{book\} and/, 'too few parts'],
  ['my.shop://a/b/c/d', /The templates are/, 'too many parts'],
  ['my.shop://a//', /The templates are/, 'empty parts'],
  ['my.shop://a/%E0%A4', /percent-encoded/, 'wrongly encoded'],
  ['my.shop://a/x?y=1', /The templates are/, 'a query'],
  ['other://a/x', /The templates are/, 'another scheme'],
  ['my.shop', /The templates are/, 'no URI'],
];

for (const [uri, says, why] of MISSING) {
  test(`a resource that is missing is -32602 with its URI: ${uri} (${why})`, async (t) => {
    const { url } = await start(t);
    for (const way of ['auto', 'legacy'] as const) {
      const client = await connect(t, url, way);
      await assert.rejects(client.readResource({ uri }), (error) => {
        assert.ok(error instanceof ProtocolError, String(error));
        assert.deepEqual([error.code, (error.data as { uri?: string } | undefined)?.uri], [-32602, uri]);
        assert.match(error.message, says);
        return true;
      });
    }
  });
}

const WRONG: [
  ref: { type: 'ref/resource'; uri: string } | { type: 'ref/prompt'; name: string },
  argument: string,
  says: RegExp,
][] = [
  [{ type: 'ref/resource', uri: 'my.shop://{other}' }, 'shelf', /Nothing is completed for my\.shop:\/\/\{other\}/],
  [{ type: 'ref/prompt', name: 'p' }, 'shelf', /the prompt p/],
  [{ type: 'ref/resource', uri: BOOK }, 'page', /no variable "page"; it has shelf, book/],
];

for (const [ref, name, says] of WRONG) {
  test(`a completion of ${JSON.stringify(ref)}, ${name} is -32602 and says what can be completed`, async (t) => {
    const client = await connect(t, (await start(t)).url, 'auto');
    await assert.rejects(client.complete({ ref, argument: { name, value: '' } }), (error) => {
      assert.ok(error instanceof ProtocolError && error.code === -32602, String(error));
      assert.match(error.message, says);
      return true;
    });
  });
}

test('a read that fails is -32603 and hides what is internal; the deadline and the client end it', async (t) => {
  let aborted = 0;
  const { url } = await start(t, { timeoutMs: 50, onAbort: () => aborted++ });
  const client = await connect(t, url, 'auto');
  const failure = async (uri: string): Promise<string> => {
    const error = await client.readResource({ uri }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof ProtocolError && error.code === -32603, String(error));
    return error.message;
  };
  const internal = await failure(toUri('bug', 'x'));
  assert.match(internal, /INTERNAL: .*reference [0-9a-f]{8}/s);
  assert.equal(internal.includes('hunter2'), false);
  assert.match(await failure(toUri('slow', 'x')), /TIMEOUT/);
  assert.equal(aborted, 1);
});

test('a server without templates declares neither resources nor completions', async (t) => {
  const client = await connect(t, (await start(t, { templates: [] })).url, 'auto');
  const { resources, completions } = client.getServerCapabilities() ?? {};
  assert.deepEqual([resources, completions], [undefined, undefined]);
});

test('resources are read over stdio', async (t) => {
  const { input, output, serving } = await start(t, { transport: 'stdio' });
  let text = '';
  output.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const send = (message: object): void => void input.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  send({ id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } } }); // prettier-ignore
  send({ method: 'notifications/initialized' });
  send({ id: 1, method: 'resources/read', params: { uri: toUri('a', 'x') } });
  input.end();
  await serving.ended;
  await serving.close();
  const answers = text.trim().split('\n').map((line) => JSON.parse(line) as { id: number; result?: { contents?: unknown } }); // prettier-ignore
  assert.match(JSON.stringify(answers.find(({ id }) => id === 1)?.result?.contents), /title/);
});
