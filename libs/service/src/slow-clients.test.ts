/** Connections that are held open by sending or reading slowly, or not at all. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createLogger } from '@database-mcp/telemetry';
import { createService, readBody, sendJson, type RawHandler, type Service } from './index.ts';

const REQUEST_TIMEOUT_MS = 400;
/** Node looks at its connections once in the timeout, so it may see one late by as much; the rest is a busy machine. */
const ENDED_WITHIN_MS = 10 * REQUEST_TIMEOUT_MS;
const DRIBBLE_MS = 50;
/** More than the buffers of a loopback connection hold. */
const LARGE = 'x'.repeat(64 * 1024 * 1024);

const echo: RawHandler = (request, response) => {
  void readBody(request, 1_024).then((outcome) => {
    if (outcome.kind === 'body') sendJson(response, 200, { bytes: outcome.bytes.length });
  });
};

/** A service, and the end of the connection that the large answer went out on. */
async function start(t: TestContext): Promise<Service & { ended: Promise<boolean> }> {
  const ended = Promise.withResolvers<boolean>();
  const large: RawHandler = (_request, response) => {
    response.on('close', () => ended.resolve(response.writableFinished));
    sendJson(response, 200, LARGE);
  };
  const service = await createService({
    name: 'test',
    version: '1',
    host: '127.0.0.1',
    port: 0,
    logger: await createLogger({ service: 'test', level: 'silent', pretty: false }),
    routes: { '/mcp': echo, '/large': large },
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    ready: () => ({ ready: true }),
  });
  t.after(() => service.close());
  return { ...service, ended: ended.promise };
}

async function open(t: TestContext, service: Service): Promise<Socket> {
  const socket = connect(service.port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Sends a byte at a time until the connection ends; tells what came back and how long that took. */
async function dribble(
  t: TestContext,
  socket: Socket,
  head: string,
  drop: string,
): Promise<{ answer: string; tookMs: number }> {
  const startedAt = performance.now();
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
  socket.write(head);
  const timer = setInterval(() => drop !== '' && socket.write(drop), DRIBBLE_MS);
  t.after(() => clearInterval(timer));
  // What is sent after the server has closed resets the connection: that is an end like any other.
  await new Promise((resolve) => {
    socket.once('close', resolve);
  });
  clearInterval(timer);
  return { answer, tookMs: performance.now() - startedAt };
}

const SLOW = [
  { why: 'a connection that says nothing', head: '', drop: '', status: 408 },
  { why: 'headers that never end', head: 'POST /mcp HTTP/1.1\r\nhost: localhost\r\nx-a: ', drop: 'a', status: 408 },
  {
    why: 'a body that never ends',
    head: 'POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n',
    drop: 'a',
    status: 408,
  },
  {
    why: 'a chunked body that never ends',
    head: 'POST /mcp HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n',
    drop: '1\r\na\r\n',
    status: 408,
  },
];

for (const { why, head, drop, status } of SLOW) {
  test(`a slow client is ended, and others are served meanwhile (${why})`, async (t) => {
    const service = await start(t);
    const slow = dribble(t, await open(t, service), head, drop);
    const answer = await fetch(`${service.url}/mcp`, { method: 'POST', body: 'abc' });
    assert.deepEqual(await answer.json(), { bytes: 3 });
    const { answer: text, tookMs } = await slow;
    assert.match(text, new RegExp(`^HTTP/1.1 ${status} `));
    assert.ok(tookMs >= REQUEST_TIMEOUT_MS * 0.9 && tookMs < ENDED_WITHIN_MS, `${tookMs} ms`);
  });
}

test('a request that takes its time, but less than the limit, is served', async (t) => {
  const service = await start(t);
  const socket = await open(t, service);
  socket.setEncoding('utf8');
  socket.write('POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\n');
  for (const letter of 'abc') {
    await new Promise((resolve) => {
      setTimeout(resolve, DRIBBLE_MS);
    });
    socket.write(letter);
  }
  const [text] = (await once(socket, 'data')) as [string];
  assert.match(text, /^HTTP\/1.1 200 /);
});

test('an answer that nobody reads is given up, and its connection with it', async (t) => {
  const service = await start(t);
  const socket = await open(t, service);
  socket.pause();
  const startedAt = performance.now();
  socket.write('GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n');
  assert.equal(await service.ended, false);
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs >= REQUEST_TIMEOUT_MS * 0.9 && tookMs < ENDED_WITHIN_MS, `${tookMs} ms`);
});

test('an answer that is read slowly, for longer than the limit, arrives whole', async (t) => {
  const service = await start(t);
  const socket = await open(t, service);
  socket.write('GET /large HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
  const startedAt = performance.now();
  let size = 0;
  let pauses = 0;
  socket.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size < (pauses + 1) * (LARGE.length / 8)) return;
    pauses++;
    socket.pause();
    setTimeout(() => socket.resume(), REQUEST_TIMEOUT_MS / 2);
  });
  await once(socket, 'close');
  assert.ok(size > LARGE.length && pauses >= 7);
  assert.ok(performance.now() - startedAt > 2 * REQUEST_TIMEOUT_MS);
});
