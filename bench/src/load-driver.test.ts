import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { LARGE_RESULT_BYTES, SMALL_RESULT_BYTES, spawnProcess, startRawUpstream } from '@database-mcp/testing';
import { runJob, type Job, type JobResult, type Workload } from './load-driver.ts';

const SMALL: Workload = { kind: 'call', era: 'modern', tools: ['alpha_small'], textBytes: SMALL_RESULT_BYTES };
const TIME = { clients: 3, warmUpMs: 20, measureMs: 100 };

async function startUpstream(t: TestContext, prefix = 'alpha_') {
  const upstream = await startRawUpstream({ prefix });
  t.after(() => upstream.close());
  return upstream;
}

const WORKLOADS: { why: string; workload: Workload }[] = [
  { why: 'small results, modern', workload: SMALL },
  { why: 'small results, legacy', workload: { ...SMALL, era: 'legacy' } },
  {
    why: 'large results, which arrive in many pieces',
    workload: { ...SMALL, tools: ['alpha_large'], textBytes: LARGE_RESULT_BYTES },
  },
  { why: 'lists', workload: { kind: 'list', era: 'modern', minTools: 12 } },
];
for (const { why, workload } of WORKLOADS) {
  test(`the driver counts and times right answers: ${why}`, async (t) => {
    const upstream = await startUpstream(t);
    const result = await runJob({ url: upstream.url, workload, ...TIME });
    assert.deepEqual([result.errors, result.firstError], [0, undefined]);
    assert.ok(result.calls > 10 && result.calls <= result.callsInAll, JSON.stringify(result));
    assert.ok(result.p50 > 0 && result.p50 <= result.p99, JSON.stringify(result));
    assert.deepEqual(upstream.stats, { connections: TIME.clients, requests: result.callsInAll });
  });
}

async function startServer(t: TestContext, serve: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer((request, response) => {
    request.resume().on('end', () => serve(request, response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}

const answer = (id: number, text: string): string =>
  JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } });
const RIGHT = answer(1, 'x'.repeat(SMALL_RESULT_BYTES));

test('the driver reads answers that come in chunks', async (t) => {
  const url = await startServer(t, (_request, response) => {
    response.writeHead(200);
    response.write(RIGHT.slice(0, 100));
    setImmediate(() => response.end(RIGHT.slice(100)));
  });
  const result = await runJob({ url, workload: SMALL, ...TIME, clients: 1 });
  assert.equal(result.firstError, undefined);
  assert.ok(result.calls > 10, JSON.stringify(result));
});

let turn = 0;
const WRONG: { why: string; serve: (response: ServerResponse) => void; error: RegExp }[] = [
  { why: 'another status', serve: (response) => void response.writeHead(503).end('busy'), error: /HTTP 503: busy/ },
  { why: 'another id', serve: (response) => void response.end(answer(2, '')), error: /another id than 1/ },
  {
    why: 'a shorter text',
    serve: (response) => void response.end(answer(1, 'x')),
    error: /1 characters instead of 1024/,
  },
  { why: 'no JSON', serve: (response) => void response.end('<html>'), error: /not JSON: <html>/ },
  {
    why: 'another size, after a right answer',
    serve: (response) => void response.end(turn++ === 0 ? RIGHT : answer(1, 'x')),
    error: /another size/,
  },
  {
    why: 'a cut connection',
    serve: (response) => void response.destroy(),
    error: /closed before the answer was whole/,
  },
];
for (const { why, serve, error } of WRONG) {
  test(`the driver counts a wrong answer as an error and never as a call: ${why}`, async (t) => {
    turn = 0;
    const url = await startServer(t, (_request, response) => serve(response));
    const result = await runJob({ url, workload: SMALL, clients: 1, warmUpMs: 0, measureMs: 5_000 });
    assert.match(result.firstError ?? '', error);
    assert.ok(result.errors > 0 && result.calls <= 1, JSON.stringify(result));
  });
}

test('as a process the driver takes a job over HTTP', async (t) => {
  const upstream = await startUpstream(t);
  const driver = await spawnProcess({ args: ['bench/src/driver-main.ts'], ready: { line: /"(http:[^"]*)"/ }, t });
  const job: Job = { url: upstream.url, workload: SMALL, ...TIME };
  const response = await fetch(driver.readyLine?.[1] ?? '', { method: 'POST', body: JSON.stringify(job) });
  const result = (await response.json()) as JobResult;
  assert.equal(result.errors, 0);
  assert.ok(result.calls > 0);
  assert.deepEqual(await driver.stop(), { code: 0, signal: null });
});

test('the pass-through carries calls to the upstream of the tool and answers merged lists itself', async (t) => {
  const [alpha, beta] = [await startUpstream(t), await startUpstream(t, 'beta_')];
  const passThrough = await spawnProcess({
    args: ['bench/src/pass-through.ts', `alpha_=${alpha.url}`, `beta_=${beta.url}`],
    ready: { line: /"(http:[^"]*)"/ },
    t,
  });
  const url = passThrough.readyLine?.[1] ?? '';
  const calls = await runJob({ url, workload: { ...SMALL, tools: ['beta_small'] }, ...TIME });
  assert.deepEqual([calls.errors, calls.firstError], [0, undefined]);
  // One list each at the start, then the calls of one of them only.
  assert.deepEqual([alpha.stats.requests, beta.stats.requests], [1, 1 + calls.callsInAll]);
  const lists = await runJob({ url, workload: { kind: 'list', era: 'modern', minTools: 24 }, ...TIME });
  assert.deepEqual([lists.errors, lists.firstError], [0, undefined]);
  assert.equal(alpha.stats.requests, 1);
  assert.deepEqual(await passThrough.stop(), { code: 0, signal: null });
});
