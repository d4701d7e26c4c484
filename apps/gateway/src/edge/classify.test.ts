import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClassifier, type StandardHeaders, type Verdict } from './classify.ts';

const N = 'io.modelcontextprotocol/';
const META = {
  [`${N}protocolVersion`]: '2026-07-28',
  [`${N}clientCapabilities`]: {},
  [`${N}clientInfo`]: { name: 'a', version: '1' },
};
const HEADERS: StandardHeaders = { version: '2026-07-28', method: 'tools/call', name: 't' };

function call(params: object = { name: 't', _meta: META }, rest: object = {}): object {
  return { jsonrpc: '2.0', id: 1, method: 'tools/call', params, ...rest };
}

interface Row {
  why: string;
  headers: StandardHeaders;
  body: unknown;
  /** `call modern`, `request legacy ping`, `400 -32020`, … */
  expected: string;
}

const ROWS: Row[] = [
  { why: 'a modern call', headers: HEADERS, body: call(), expected: 'call modern' },
  { why: 'a legacy call', headers: {}, body: call({ name: 't' }), expected: 'call legacy' },
  {
    why: 'a legacy call with its version',
    headers: { version: '2025-06-18' },
    body: call({ name: 't' }),
    expected: 'call legacy',
  },
  {
    why: 'a legacy call with a progress token',
    headers: {},
    body: call({ name: 't', _meta: { progressToken: 1 } }),
    expected: 'call legacy',
  },
  {
    why: 'a progress token that is none',
    headers: {},
    body: call({ name: 't', _meta: { progressToken: {} } }),
    expected: '400 -32600',
  },
  {
    why: 'a modern progress token that is none',
    headers: HEADERS,
    body: call({ name: 't', _meta: { ...META, progressToken: 1.5 } }),
    expected: '400 -32600',
  },
  {
    why: 'trace context',
    headers: HEADERS,
    body: call({ name: 't', _meta: { ...META, traceparent: '00-1-2-01' } }),
    expected: 'call modern',
  },
  {
    why: 'foreign _meta keys',
    headers: HEADERS,
    body: call({ name: 't', _meta: { ...META, 'org.example/x': [1] } }),
    expected: 'call modern',
  },
  {
    why: 'client information is not required',
    headers: HEADERS,
    body: call({ name: 't', _meta: { ...META, [`${N}clientInfo`]: undefined } }),
    expected: 'call modern',
  },
  {
    why: 'client information that is none',
    headers: HEADERS,
    body: call({ name: 't', _meta: { ...META, [`${N}clientInfo`]: 'me' } }),
    expected: '400 -32602',
  },
  {
    why: 'no client capabilities',
    headers: HEADERS,
    body: call({ name: 't', _meta: { [`${N}protocolVersion`]: '2026-07-28' } }),
    expected: '400 -32602',
  },
  {
    why: 'capabilities that are none',
    headers: HEADERS,
    body: call({ name: 't', _meta: { ...META, [`${N}clientCapabilities`]: 1 } }),
    expected: '400 -32602',
  },
  { why: 'a modern header without an envelope', headers: HEADERS, body: call({ name: 't' }), expected: '400 -32602' },
  {
    why: 'an envelope without the version header',
    headers: { ...HEADERS, version: undefined },
    body: call(),
    expected: '400 -32020',
  },
  { why: 'no Mcp-Method', headers: { ...HEADERS, method: undefined }, body: call(), expected: '400 -32020' },
  { why: 'another Mcp-Method', headers: { ...HEADERS, method: 'tools/list' }, body: call(), expected: '400 -32020' },
  {
    why: 'Mcp-Method in other letters',
    headers: { ...HEADERS, method: 'Tools/Call' },
    body: call(),
    expected: '400 -32020',
  },
  { why: 'no Mcp-Name', headers: { ...HEADERS, name: undefined }, body: call(), expected: '400 -32020' },
  { why: 'another Mcp-Name', headers: { ...HEADERS, name: 'u' }, body: call(), expected: '400 -32020' },
  {
    why: 'an encoded Mcp-Name',
    headers: { ...HEADERS, name: '=?base64?dA==?=' },
    body: call(),
    expected: 'call modern',
  },
  {
    why: 'an encoded Mcp-Name of another tool',
    headers: { ...HEADERS, name: '=?base64?dQ==?=' },
    body: call(),
    expected: '400 -32020',
  },
  {
    why: 'an encoded Mcp-Name without padding',
    headers: { ...HEADERS, name: '=?base64?dA?=' },
    body: call(),
    expected: '400 -32020',
  },
  {
    why: 'another version in header and envelope',
    headers: { ...HEADERS, version: '2025-11-25' },
    body: call(),
    expected: '400 -32020',
  },
  {
    why: 'an era to come',
    headers: { ...HEADERS, version: '2099-01-01' },
    body: call({ name: 't', _meta: { ...META, [`${N}protocolVersion`]: '2099-01-01' } }),
    expected: '400 -32022',
  },
  {
    why: 'a legacy version by envelope',
    headers: { ...HEADERS, version: '2025-11-25' },
    body: call({ name: 't', _meta: { ...META, [`${N}protocolVersion`]: '2025-11-25' } }),
    expected: '400 -32022',
  },
  {
    why: 'a version that is no text',
    headers: HEADERS,
    body: call({ name: 't', _meta: { ...META, [`${N}protocolVersion`]: 3 } }),
    expected: '400 -32602',
  },
  {
    why: 'an invalid legacy version',
    headers: { version: '1999-01-01' },
    body: call({ name: 't' }),
    expected: '400 -32022',
  },
  { why: 'a call without a name', headers: {}, body: call({}), expected: '200 -32602' },
  { why: 'a name that is no text', headers: {}, body: call({ name: 7 }), expected: '200 -32602' },
  { why: 'no params', headers: {}, body: { jsonrpc: '2.0', id: 1, method: 'tools/call' }, expected: '200 -32602' },
  { why: 'params that are a list', headers: {}, body: call([]), expected: '400 -32600' },
  { why: 'a further member', headers: {}, body: call({ name: 't' }, { extra: 1 }), expected: '400 -32600' },
  { why: 'an id of null', headers: {}, body: call({ name: 't' }, { id: null }), expected: '400 -32600' },
  { why: 'an id with a fraction', headers: {}, body: call({ name: 't' }, { id: 1.5 }), expected: '400 -32600' },
  { why: 'an id beyond 2^53', headers: {}, body: call({ name: 't' }, { id: 2 ** 60 }), expected: 'call legacy' },
  { why: 'another JSON-RPC', headers: {}, body: call({ name: 't' }, { jsonrpc: '1.0' }), expected: '400 -32600' },
  {
    why: 'initialize',
    headers: {},
    body: { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25' } },
    expected: 'request legacy initialize',
  },
  {
    why: 'initialize with any version header',
    headers: { version: '1' },
    body: { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} },
    expected: 'request legacy initialize',
  },
  {
    why: 'initialize with a modern header',
    headers: { version: '2026-07-28' },
    body: { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} },
    expected: '400 -32020',
  },
  {
    why: 'server/discover',
    headers: { version: '2026-07-28', method: 'server/discover' },
    body: { jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta: META } },
    expected: 'request modern server/discover',
  },
  ...listRows(),
  {
    why: 'resources/read must name its URI',
    headers: { version: '2026-07-28', method: 'resources/read', name: 'a' },
    body: { jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: 'b', _meta: META } },
    expected: '400 -32020',
  },
  {
    why: 'a legacy notification',
    headers: {},
    body: { jsonrpc: '2.0', method: 'notifications/initialized' },
    expected: 'no-reply',
  },
  {
    why: 'a modern notification',
    headers: { version: '2026-07-28' },
    body: { jsonrpc: '2.0', method: 'notifications/cancelled' },
    expected: 'no-reply',
  },
  { why: 'a response', headers: {}, body: { jsonrpc: '2.0', id: 1, result: {} }, expected: 'no-reply' },
  { why: 'a batch', headers: { version: '2025-03-26' }, body: [call({ name: 't' })], expected: 'batch' },
  { why: 'an empty batch', headers: {}, body: [], expected: '400 -32600' },
  { why: 'a batch with a modern message', headers: {}, body: [call()], expected: '400 -32600' },
  { why: 'a text', headers: {}, body: 'hello', expected: '400 -32600' },
  { why: 'null', headers: {}, body: null, expected: '400 -32600' },
];

function list(params?: unknown, more: object = {}): object {
  return { jsonrpc: '2.0', id: 1, method: 'tools/list', ...(params === undefined ? {} : { params }), ...more };
}

function listRows(): Row[] {
  const headers = { version: '2026-07-28', method: 'tools/list' };
  const withVersion = (version: unknown): object => ({ _meta: { ...META, [`${N}protocolVersion`]: version } });
  return [
    { why: 'a modern list', headers, body: list({ _meta: META }), expected: 'request modern tools/list' },
    { why: 'a page', headers, body: list({ cursor: 'c', _meta: META }), expected: 'request modern tools/list' },
    {
      why: 'a list with another name',
      headers: { ...headers, name: 'x' },
      body: list({ _meta: META }),
      expected: 'request modern tools/list',
    },
    { why: 'a list with another method header', headers: HEADERS, body: list({ _meta: META }), expected: '400 -32020' },
    { why: 'a list of an era to come', headers, body: list(withVersion('2099-01-01')), expected: '400 -32020' },
    {
      why: 'a list without a version header',
      headers: { method: 'tools/list' },
      body: list({ _meta: META }),
      expected: '400 -32020',
    },
    { why: 'a legacy list', headers: {}, body: list(), expected: 'request legacy tools/list' },
    {
      why: 'a legacy list by version',
      headers: { version: '2025-06-18' },
      body: list({}),
      expected: 'request legacy tools/list',
    },
    { why: 'a legacy page', headers: {}, body: list({ cursor: 'c' }), expected: 'request legacy tools/list' },
    { why: 'a cursor that is no text', headers: {}, body: list({ cursor: 7 }), expected: 'request legacy tools/list' },
    { why: 'a list with params of null', headers: {}, body: list(null), expected: '400 -32600' },
    { why: 'a list with a further member', headers: {}, body: list({}, { extra: 1 }), expected: '400 -32600' },
    {
      why: 'a list with an odd progress token',
      headers: {},
      body: list({ _meta: { progressToken: {} } }),
      expected: '400 -32600',
    },
  ];
}

function summarize(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'call':
      return `call ${verdict.era}`;
    case 'request':
      return `request ${verdict.era} ${verdict.method}`;
    case 'reject':
      return `${verdict.status} ${verdict.code}`;
    default:
      return verdict.kind;
  }
}

test('every message gets its verdict', async (t) => {
  for (const { why, headers, body, expected } of ROWS) {
    await t.test(`${why}: ${expected}`, () => {
      assert.equal(summarize(createClassifier().classify(headers, body)), expected);
    });
  }
});

test('the cheap check never differs from the full one', async (t) => {
  const classifier = createClassifier();
  // Envelopes are remembered once the full check has accepted them, so the table is run twice.
  for (const { headers, body } of ROWS) classifier.classifyFully(headers, body);
  let recognised = 0;
  for (const { why, headers, body } of ROWS) {
    await t.test(why, () => {
      const cheap = classifier.classifyPlain(headers, body);
      if (cheap === undefined) return;
      recognised++;
      assert.deepEqual(cheap, classifier.classifyFully(headers, body));
    });
  }
  assert.ok(recognised >= 11, `only ${recognised} rows were recognised by the cheap check`);
});

test('an unsupported era is told what is supported and what was asked for', () => {
  const body = call({ name: 't', _meta: { ...META, [`${N}protocolVersion`]: '2099-01-01' } });
  const verdict = createClassifier().classify({ ...HEADERS, version: '2099-01-01' }, body);
  assert.ok(verdict.kind === 'reject');
  assert.deepEqual(verdict.data, { supported: ['2026-07-28'], requested: '2099-01-01' });
});
