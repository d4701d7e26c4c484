import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { toMicroseconds } from './date-time.ts';
import { createStandInServer } from './server.ts';
import { loadSnapshot, saveSnapshot } from './snapshot.ts';
import { Store } from './store.ts';

type Send = (method: string, path: string, body?: string | ReadableStream) => Promise<{ status: number; text: string }>;

async function start(t: TestContext, store = new Store(), maxBodyBytes?: number): Promise<Send> {
  const server = createStandInServer({ store, maxBodyBytes });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return async (method, path, body) => {
    const init = { method, body: body ?? null, duplex: 'half' };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init as RequestInit);
    return { status: response.status, text: await response.text() };
  };
}

async function startWithPoint(t: TestContext, payload: string, store?: Store): Promise<Send> {
  const send = await start(t, store);
  await send('PUT', '/collections/c', '{"vectors":{"size":2,"distance":"Dot"}}');
  const point = `{"points":[{"id":18446744073709551615,"vector":[0.1,-3],"payload":${payload}}]}`;
  assert.equal((await send('PUT', '/collections/c/points?wait=true', point)).status, 200);
  return send;
}

// Whole doubles keep their point, integers every digit, keys their meaning; control characters were escaped by the sender.
const EXACT_PAYLOAD =
  '{"big":9007199254740993,"min":-9223372036854775808,"whole":18.0,"small":1e-7,"zero":-0.0,' +
  '"__proto__":{"x":1},"constructor":"c","empty":{},"list":[[],null,""],"ü\\u0000":"\\ud83d\\ude00"}';

test('payload, id and vector come back exactly as written', async (t) => {
  const send = await startWithPoint(t, EXACT_PAYLOAD);
  const { text } = await send('GET', '/collections/c/points/18446744073709551615');
  const expected = EXACT_PAYLOAD.replace('\\ud83d\\ude00', '😀');
  assert.equal(
    text.replace(/,"status".*/, ''),
    `{"result":{"id":18446744073709551615,"payload":${expected},"vector":[0.1,-3.0]}`,
  );
});

test('a selector keeps keys that are special in JavaScript', async (t) => {
  const send = await startWithPoint(t, EXACT_PAYLOAD);
  const { text } = await send('POST', '/collections/c/points/scroll', '{"with_payload":["__proto__.x","toString"]}');
  assert.match(text, /"payload":\{"__proto__":\{"x":1\}\}/);
});

test('integers beyond 2^53 are matched and compared exactly', async (t) => {
  const send = await startWithPoint(t, '{"big":9007199254740993}');
  const count = async (condition: string): Promise<string> =>
    (await send('POST', '/collections/c/points/count', `{"filter":{"must":[{"key":"big",${condition}}]}}`)).text;
  assert.match(await count('"match":{"value":9007199254740993}'), /"count":1/);
  assert.match(await count('"match":{"value":9007199254740992}'), /"count":0/);
  assert.match(await count('"match":{"any":[9007199254740993]}'), /"count":1/);
});

test('a whole float is no integer for match, as in the real server', async (t) => {
  const send = await startWithPoint(t, '{"n":18.0}');
  const body = '{"filter":{"must":[{"key":"n","match":{"value":18}}]}}';
  assert.match((await send('POST', '/collections/c/points/count', body)).text, /"count":0/);
  const range = '{"filter":{"must":[{"key":"n","range":{"gte":18,"lte":18}}]}}';
  assert.match((await send('POST', '/collections/c/points/count', range)).text, /"count":1/);
});

test('what the stand-in does not do is refused with a reason and a way out, never answered wrongly', async (t) => {
  const send = await startWithPoint(t, '{}');
  const points = '/collections/c/points';
  const cases = [
    { why: 'recommendation', path: `${points}/query`, body: '{"query":{"recommend":{"positive":[1]}}}' },
    { why: 'fusion', path: `${points}/query`, body: '{"prefetch":[{}],"query":{"fusion":"rrf"}}' },
    { why: 'prefetch alone', path: `${points}/query`, body: '{"prefetch":{"limit":3}}' },
    { why: 'another collection', path: `${points}/query`, body: '{"query":1,"lookup_from":{"collection":"d"}}' },
    { why: 'diversity', path: `${points}/query`, body: '{"query":{"nearest":[1,2],"mmr":{"diversity":1}}}' },
    { why: 'groups', path: `${points}/query/groups`, body: '{}' },
    { why: 'facets', path: '/collections/c/facet', body: '{}' },
    { why: 'old search', path: `${points}/search`, body: '{}' },
    { why: 'payload update', path: `${points}/payload`, body: '{}' },
  ];
  for (const { why, path, body } of cases) {
    const { status, text } = await send('POST', path, body);
    assert.equal(status, 501, why);
    assert.match(text, /small stand-in for Qdrant.*QDRANT_URL.*QDRANT_BINARY/, why);
  }
  for (const settings of [
    '{"sparse_vectors":{"s":{}}}',
    '{"vectors":{"size":2,"distance":"Dot","datatype":"uint8"}}',
    '{"vectors":{"size":2,"distance":"Dot","multivector_config":{"comparator":"max_sim"}}}',
    '{"vectors":{},"strict_mode_config":{"enabled":true}}',
  ]) {
    assert.equal((await send('PUT', '/collections/d', settings)).status, 501, settings);
  }
});

test('unknown endpoints and methods are an empty 404', async (t) => {
  const send = await start(t);
  for (const [method, path] of [
    ['GET', '/nothing'],
    ['PUT', '/collections'],
    ['POST', '/collections/c/points/queryy'],
  ] as const) {
    assert.deepEqual(await send(method, path), { status: 404, text: '' }, path);
  }
});

test('a body that is too large is refused and the server goes on', async (t) => {
  const send = await start(t, undefined, 1000);
  const refused = await send('PUT', '/collections/c', 'x'.repeat(1001));
  assert.deepEqual([refused.status, /1001 bytes\) is larger than allowed/.test(refused.text)], [400, true]);
  const chunks = Array.from({ length: 10 }, () => new TextEncoder().encode('x'.repeat(500)));
  const streamed = await send('PUT', '/collections/c', ReadableStream.from(chunks));
  assert.deepEqual([streamed.status, /exceeded limit \(1000 bytes\)/.test(streamed.text)], [400, true]);
  assert.equal((await send('GET', '/collections')).status, 200);
});

function nested(depth: number): string {
  return `{"metadata":{"a":"[[","b":${'['.repeat(depth)}${']'.repeat(depth)}}}`;
}

test('nesting without end is refused, not a crash', async (t) => {
  const send = await start(t);
  const { status, text } = await send('PUT', '/collections/c', nested(200_000));
  assert.deepEqual([status, /recursion limit exceeded/.test(text)], [400, true]);
  assert.equal((await send('PUT', '/collections/c', nested(126))).status, 400);
  assert.equal((await send('PUT', '/collections/c', nested(125))).status, 200);
});

test('a saved file brings back the same collections, points, indexes and operation numbers', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'qdrant-snapshot-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'inner', 'data.jsonl');
  const store = new Store();
  const send = await startWithPoint(t, EXACT_PAYLOAD, store);
  await send('PUT', '/collections/c/index', '{"field_name":"small","field_schema":"float"}');
  await send(
    'PUT',
    '/collections/named',
    '{"vectors":{"a":{"size":3,"distance":"Cosine"},"b":{"size":1,"distance":"Euclid"}}}',
  );
  const id = '550e8400-e29b-41d4-a716-446655440000';
  await send('PUT', '/collections/named/points', `{"points":[{"id":"${id}","vector":{"a":[1,2,3]}}]}`);
  saveSnapshot(store, file);
  const loaded = new Store();
  loadSnapshot(loaded, file);
  const sendLoaded = await start(t, loaded);
  for (const path of [
    '/collections',
    '/collections/c',
    '/collections/named',
    '/collections/c/points/18446744073709551615',
    `/collections/named/points/${id}`,
  ]) {
    const [a, b] = [await send('GET', path), await sendLoaded('GET', path)];
    assert.equal(b.text.replace(/"time".*/, ''), a.text.replace(/"time".*/, ''), path);
  }
  saveSnapshot(loaded, file);
  const again = await sendLoaded('PUT', '/collections/c/points', '{"points":[{"id":1,"vector":[1,1]}]}');
  assert.match(again.text, /"operation_id":4/);
});

test('a data file that cannot be read is an error that names the file and the line', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'qdrant-snapshot-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'data.jsonl');
  const store = new Store();
  saveSnapshot(store, file);
  for (const [text, line] of [
    ['{"id":1,"payload":{}}', 2],
    ['{"collection":"c"', 2],
  ] as const) {
    writeFileSync(file, `${readFileSync(file, 'utf8').split('\n')[0]}\n${text}\n`);
    assert.throws(
      () => loadSnapshot(new Store(), file),
      new RegExp(`data\\.jsonl cannot be read \\(line ${line}\\).*Move it away`),
    );
  }
});

test('date and time texts are read in every accepted spelling', () => {
  const cases = [
    { why: 'full form', text: '2024-01-01T00:00:00Z', microseconds: 1704067200000000n },
    { why: 'zone with colon', text: '2024-01-01T02:00:00+02:00', microseconds: 1704067200000000n },
    { why: 'zone without colon', text: '2023-12-31T18:30:00-0530', microseconds: 1704067200000000n },
    { why: 'blank for T', text: '2024-01-01 00:00:00', microseconds: 1704067200000000n },
    { why: 'no seconds', text: '2024-01-01T00:00', microseconds: 1704067200000000n },
    { why: 'day alone', text: '2024-01-01', microseconds: 1704067200000000n },
    { why: 'microseconds', text: '2024-01-01T00:00:00.123456789Z', microseconds: 1704067200123456n },
    { why: 'before 1970', text: '1969-12-31T23:59:59.5Z', microseconds: -500000n },
    { why: 'leap day', text: '2024-02-29', microseconds: 1709164800000000n },
    { why: 'no leap day', text: '2023-02-29', microseconds: undefined },
    { why: 'no such hour', text: '2024-01-01T24:00:00Z', microseconds: undefined },
    { why: 'words', text: 'soon', microseconds: undefined },
  ];
  for (const { why, text, microseconds } of cases) assert.equal(toMicroseconds(text), microseconds, why);
});
