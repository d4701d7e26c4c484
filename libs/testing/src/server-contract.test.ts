import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { startFixtureServer } from './fixture/fixture-server.ts';
import { createFixtureTools } from './fixture/tools.ts';
import { httpRequest, type HttpAnswer } from './http-request.ts';
import { assertServerContract, type ServerContractOptions } from './server-contract.ts';

const OPTIONS: ServerContractOptions = {
  expectedTools: [...createFixtureTools('fixture_', 12).keys()],
  maxDefinitionTokens: 1_500,
  resultForm: 'any',
  callExamples: [
    { name: 'fixture_echo', arguments: { message: 'grüße', big: 9_007_199_254_740_991 } },
    { name: 'fixture_slow', arguments: { ms: 1 } },
  ],
};

test('a server that keeps every rule passes', async (t) => {
  const server = await startFixtureServer();
  t.after(() => server.close());
  await assertServerContract(server, OPTIONS);
});

test('a server without a URL cannot be tested, and the error says so', async () => {
  await assert.rejects(assertServerContract({ url: undefined }, OPTIONS), /serves stdio/);
});

interface Exchange {
  path: string;
  method: string;
  headers: Record<string, string>;
  body: string;
  answer: HttpAnswer;
}
type Fault = (exchange: Exchange) => void;

/** A proxy that alters what the fixture server answers. */
async function startFaulty(t: TestContext, fault: Fault): Promise<string> {
  const fixture = await startFixtureServer();
  t.after(() => fixture.close());
  const proxy = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const path = request.url ?? '/';
    const method = request.method ?? 'GET';
    const headers = { ...request.headers } as Record<string, string>;
    delete headers['transfer-encoding'];
    const upstream = new URL(path, fixture.url);
    const answer = await httpRequest(upstream, { method, headers, ...(body.length > 0 ? { body } : {}) });
    fault({ path, method, headers, body: body.toString('utf8'), answer });
    delete answer.headers['content-length'];
    delete answer.headers['transfer-encoding'];
    delete answer.headers.connection;
    response.writeHead(answer.status, answer.headers).end(answer.text);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/mcp`;
}

function replaceIn(method: string, pattern: string | RegExp, replacement: string): Fault {
  return ({ body, answer }) => {
    if (body.includes(`"method":"${method}"`)) answer.text = answer.text.replaceAll(pattern, replacement);
  };
}

function statusOf(status: number, when: (exchange: Exchange) => boolean): Fault {
  return (exchange) => {
    if (when(exchange)) exchange.answer.status = status;
  };
}

let lists = 0;
const FAULTS: { why: string; fault: Fault; broken: RegExp; options?: Partial<ServerContractOptions> }[] = [
  {
    why: 'a tool is missing',
    fault: replaceIn('tools/list', '"fixture_fail"', '"fixture_other"'),
    broken: /exactly the expected tools.*fixture_other/s,
  },
  {
    why: 'a name has a space',
    fault: replaceIn('tools/list', '"fixture_fail"', '"fixture fail"'),
    broken: /name that all model APIs/,
  },
  {
    why: 'a description is empty',
    fault: replaceIn('tools/list', /"Always fails."/g, '""'),
    broken: /fixture_fail has no description/,
  },
  {
    why: 'it does not say that values are data',
    fault: () => {},
    broken: /fixture_echo: its description/,
    options: { resultForm: 'table' },
  },
  {
    why: 'an input schema has no type',
    fault: replaceIn('tools/list', '"inputSchema":{"type":"object",', '"inputSchema":{'),
    broken: /fixture_echo: inputSchema.type/,
  },
  {
    why: 'there is no output schema',
    fault: replaceIn('tools/list', '"outputSchema"', '"x"'),
    broken: /fixture_echo: outputSchema/,
  },
  {
    why: 'a hint is missing',
    fault: replaceIn('tools/list', '"openWorldHint":false', '"x":0'),
    broken: /fixture_echo: annotations.openWorldHint/,
  },
  {
    why: 'the definitions are too long',
    fault: replaceIn('tools/list', 'Always fails.', 'Always fails. '.repeat(500)),
    broken: /\d+ tokens, of which 1500 are allowed/,
  },
  {
    why: 'the list changes between requests',
    fault: ({ answer }) => {
      answer.text = answer.text.replace('Always fails.', `Always fails (${++lists}).`);
    },
    broken: /same bytes every time/,
  },
  {
    why: 'legacy clients are refused',
    fault: statusOf(400, ({ body }) => body.includes('"method":"initialize"')),
    broken: /official client in era legacy/,
  },
  {
    why: 'another legacy revision is answered',
    fault: replaceIn('initialize', '"2025-03-26"', '"2025-11-25"'),
    broken: /every legacy revision/,
  },
  {
    why: 'a session must be one that the server gave',
    fault: ({ headers, answer }) => {
      if (headers['mcp-session-id']) answer.text = answer.text.replaceAll('"result"', '"refused"');
    },
    broken: /keeps no session.*nobody-ever-gave-this-id/s,
  },
  {
    why: 'modern clients are refused',
    fault: statusOf(500, ({ body }) => body.includes('"method":"server/discover"')),
    broken: /official client in era 2026-07-28.*official client in era auto/s,
  },
  {
    why: 'the text is not the structure: one digit differs beyond the precision of a double',
    fault: replaceIn('tools/call', '"big":9007199254740991', '"big":9007199254740990.9'),
    broken: /same content as structure and as text/,
  },
  {
    why: 'a result is no table',
    fault: () => {},
    options: { resultForm: 'table' },
    broken: /columns and rows are lists/,
  },
  {
    why: 'an example fails its own check',
    fault: () => {},
    options: { callExamples: [{ name: 'fixture_echo', check: () => assert.fail('the capital is wrong') }] },
    broken: /the capital is wrong/,
  },
  {
    why: 'an unknown tool is a result',
    fault: replaceIn('tools/call', '"code":-32602', '"code":-32601'),
    broken: /unknown tool with -32602/,
  },
  {
    why: 'wrong arguments are no error',
    fault: replaceIn('tools/call', '"isError":true', '"isError":false'),
    broken: /isError is missing: fixture_slow/,
  },
  {
    why: 'the argument is not named',
    fault: replaceIn('tools/call', /INVALID_ARGUMENT: [^"]*/g, 'INVALID_ARGUMENT'),
    broken: /does not name ms/,
  },
  {
    why: 'malformed JSON is answered with 200',
    fault: statusOf(200, ({ answer }) => answer.text.includes('-32700')),
    broken: /malformed JSON/,
  },
  {
    why: 'a large body is answered without JSON-RPC',
    fault: ({ answer }) => {
      if (answer.status === 413) answer.text = 'Payload Too Large';
    },
    broken: /no JSON-RPC error: Payload Too Large/,
  },
  {
    why: 'the supported versions are not told',
    fault: ({ answer }) => {
      answer.text = answer.text.replace('"supported"', '"x"');
    },
    broken: /unknown protocol version/,
  },
  {
    why: 'contradicting headers are accepted',
    fault: statusOf(200, ({ answer }) => answer.text.includes('-32020')),
    broken: /headers that contradict/,
  },
  {
    why: 'an unknown method is answered with 200',
    fault: statusOf(200, ({ answer }) => answer.status === 404),
    broken: /unknown method with -32601/,
  },
  {
    why: 'a notification is answered with 200',
    fault: statusOf(200, ({ answer }) => answer.status === 202),
    broken: /accepts a notification/,
  },
  {
    why: 'GET opens a stream',
    fault: statusOf(200, ({ answer }) => answer.status === 405),
    broken: /GET on the endpoint/,
  },
  { why: 'it is not healthy', fault: statusOf(503, ({ path }) => path === '/health'), broken: /\/health answered 503/ },
  { why: 'it is not ready', fault: statusOf(503, ({ path }) => path === '/ready'), broken: /\/ready answered 503/ },
  {
    why: 'every Origin is served',
    fault: statusOf(200, ({ headers }) => headers['origin'] === 'https://evil.example'),
    broken: /foreign Origin/,
  },
  {
    why: 'local pages are refused',
    fault: statusOf(403, ({ headers }) => headers['origin']?.includes('localhost') === true),
    broken: /foreign Origin/,
  },
  {
    why: 'every Host is served',
    fault: statusOf(200, ({ headers }) => headers['host'] === 'evil.example'),
    broken: /foreign Host/,
  },
];

for (const { why, fault, broken, options } of FAULTS) {
  test(`a server is rejected when ${why}`, async (t) => {
    const url = await startFaulty(t, fault);
    const run = assertServerContract(url, { ...OPTIONS, oversizedBodyBytes: 5 * 1024 * 1024, ...options });
    await assert.rejects(run, broken);
  });
}
