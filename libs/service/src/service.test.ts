import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createLogger } from '@database-mcp/telemetry';
import { createService, readBody, refuseBody, sendJson, type RawHandler, type Service } from './index.ts';

const LIMIT_BYTES = 1024;

async function start(t: TestContext, routes: Record<string, RawHandler> = {}, ready = true): Promise<Service> {
  const logger = await createLogger({ service: 'test', level: 'silent', pretty: false });
  const service = await createService({
    name: 'test',
    version: '1.2.3',
    host: '127.0.0.1',
    port: 0,
    logger,
    routes,
    ready: () => ({ ready, reason: 'the database is away' }),
    allowedOrigins: ['https://app.example'],
  });
  t.after(() => service.close());
  return service;
}

const echo: RawHandler = (request, response) => {
  void readBody(request, LIMIT_BYTES).then((outcome) => {
    if (outcome.kind === 'body') sendJson(response, 200, { bytes: outcome.bytes.length });
    if (outcome.kind === 'too-large') refuseBody(request, response, 413, { error: 'too large' });
  });
};

test('health says who answers, ready says why not', async (t) => {
  const service = await start(t, {}, false);
  const health = await fetch(`${service.url}/health`);
  assert.deepEqual(await health.json(), { status: 'ok', service: 'test', version: '1.2.3' });
  const ready = await fetch(`${service.url}/ready`);
  assert.equal(ready.status, 503);
  assert.deepEqual(await ready.json(), { ready: false, reason: 'the database is away' });
});

test('an unknown path names the known ones', async (t) => {
  const service = await start(t, { '/mcp': echo });
  const answer = await fetch(`${service.url}/nothing?x=1`);
  assert.equal(answer.status, 404);
  assert.match(((await answer.json()) as { error: string }).error, /nothing at GET \/nothing\. Try \/mcp, \/health/);
});

test('foreign Host and Origin are refused, loopback and listed ones are served', async (t) => {
  const service = await start(t);
  const table: [headers: Record<string, string>, status: number, why: string][] = [
    [{ host: `localhost:${service.port}` }, 200, 'localhost'],
    [{ host: 'evil.example' }, 403, 'DNS rebinding'],
    [{ host: '127.0.0.1.evil.example' }, 403, 'a name that only begins like an address'],
    [{ origin: 'http://localhost:6274' }, 200, 'a local page'],
    [{ origin: 'https://app.example' }, 200, 'listed'],
    [{ origin: 'https://evil.example' }, 403, 'a foreign page'],
    [{ origin: 'null' }, 403, 'an opaque origin'],
    [{ origin: 'http://localhost.evil.example' }, 403, 'a name that only begins like localhost'],
  ];
  for (const [headers, status, why] of table) {
    const request = httpRequest(`${service.url}/health`, { headers });
    const [response] = (await once(request.end(), 'response')) as [{ statusCode: number; resume(): void }];
    response.resume();
    assert.equal(response.statusCode, status, why);
  }
});

test('a body over the limit is refused with an answer that the client can read', async (t) => {
  const service = await start(t, { '/mcp': echo });
  const announced = await fetch(`${service.url}/mcp`, { method: 'POST', body: 'x'.repeat(5_000_000) });
  assert.equal(announced.status, 413);
  const chunk = new TextEncoder().encode('x'.repeat(600));
  const chunked = await fetch(`${service.url}/mcp`, {
    method: 'POST',
    duplex: 'half',
    body: new ReadableStream({
      start(controller) {
        for (let i = 0; i < 2000; i++) controller.enqueue(chunk);
        controller.close();
      },
    }),
  } as RequestInit);
  assert.equal(chunked.status, 413);
  // Many clients ask for the connection to be closed; it must not be closed before they have sent everything.
  for (let round = 0; round < 20; round++) {
    const once20MiB = httpRequest(`${service.url}/mcp`, {
      method: 'POST',
      agent: false,
      headers: { connection: 'close' },
    });
    const answered = once(once20MiB, 'response') as Promise<[{ statusCode: number; resume(): void }]>;
    once20MiB.end('x'.repeat(20 * 1024 * 1024));
    const [response] = await answered;
    response.resume();
    assert.equal(response.statusCode, 413);
  }
  const fine = await fetch(`${service.url}/mcp`, { method: 'POST', body: 'x'.repeat(1000) });
  assert.deepEqual(await fine.json(), { bytes: 1000 });
});

test('a request in progress finishes while the service ends, new ones are not accepted', async (t) => {
  let release: (() => void) | undefined;
  const started = Promise.withResolvers<void>();
  const service = await start(t, {
    '/slow': (_request, response) => {
      release = () => sendJson(response, 200, { done: true });
      started.resolve();
    },
  });
  const answer = fetch(`${service.url}/slow`);
  await started.promise;
  const closed = service.close();
  assert.ok(service.draining.aborted);
  await assert.rejects(fetch(`${service.url}/health`), 'the socket no longer listens');
  release?.();
  assert.deepEqual(await (await answer).json(), { done: true });
  await closed;
});

test('a taken port is said in plain words', async (t) => {
  const service = await start(t);
  const logger = await createLogger({ service: 'test', level: 'silent', pretty: false });
  await assert.rejects(
    createService({
      name: 'b',
      version: '1',
      host: '127.0.0.1',
      port: service.port,
      logger,
      routes: {},
      ready: () => ({ ready: true }),
    }),
    new RegExp(`127.0.0.1:${service.port} is taken by another process`),
  );
});

test('a client that vanishes in mid-body leaves nothing behind', async (t) => {
  const outcome = Promise.withResolvers<string>();
  const service = await start(t, {
    '/mcp': (request) => void readBody(request, LIMIT_BYTES).then((read) => outcome.resolve(read.kind)),
  });
  const socket = connect(service.port, '127.0.0.1');
  socket.write('POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf', () => socket.destroy());
  assert.equal(await outcome.promise, 'aborted');
});
