import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { until } from '../test-gateway.ts';
import { startTestUpstream, toolText, type TestUpstream } from '../test-upstream.ts';
import { callWith, HOSTILE_MESSAGES, MODERN_CALL, modernCallWith } from './test-hostile-messages.ts';
import { openSocket, sendRaw, startGatewayProcess, toRequest, type GatewayProcess } from './test-raw-http.ts';

const MIB = 1024 * 1024;
const LONGEST_PAUSE_MS = 200;

let gateway: GatewayProcess;
let upstream: TestUpstream;
const ended: (() => Promise<void> | void)[] = [];

before(async () => {
  upstream = await startTestUpstream({ after: (end: () => Promise<void>) => void ended.push(end) } as never, {
    tools: [toolText('pg_query'), toolText('admin')],
  });
  gateway = await startGatewayProcess(process.execPath, { upstreams: [{ name: 'pg', url: upstream.url }] });
});

after(async () => {
  gateway.end();
  for (const end of ended) await end();
});

/** Asks for the health again and again, in a thread of its own: what it waits is what the event loop was blocked. */
const PULSE = `
  const { workerData: { url, pulse } } = require('node:worker_threads');
  const http = require('node:http');
  const agent = new http.Agent({ keepAlive: true });
  const beat = () => {
    const started = performance.now();
    http.get(url + '/health', { agent }, (response) => {
      response.resume().on('end', () => {
        pulse[0] = Math.max(pulse[0], performance.now() - started);
        pulse[1]++;
        setImmediate(beat);
      });
    });
  };
  beat();
`;

/** A machine with other work may hold up a process by itself; what the input does, it does each time. */
const ATTEMPTS = 4;

/** The longest pause since the last reading, in milliseconds; a beat that is under way is waited for. */
async function readPulse(pulse: Float64Array): Promise<number> {
  const beats = pulse[1] ?? 0;
  await until('the pulse beats', () => (pulse[1] ?? 0) >= beats + 2);
  const longest = pulse[0] ?? 0;
  pulse[0] = 0;
  return longest;
}

test('messages that are malformed or hostile get the status and error that the protocol names, and block nobody', async (t) => {
  const pulse = new Float64Array(new SharedArrayBuffer(16));
  const worker = new Worker(PULSE, { eval: true, workerData: { url: gateway.url, pulse } });
  t.after(() => worker.terminate());
  for (const { why, body, headers, status, code, id } of HOSTILE_MESSAGES) {
    await t.test(why, async () => {
      let pause = Infinity;
      for (let attempt = 0; attempt < ATTEMPTS && pause > LONGEST_PAUSE_MS; attempt++) {
        await readPulse(pulse);
        const answer = await sendRaw(gateway.port, toRequest(body, headers));
        pause = await readPulse(pulse);
        assert.equal(answer.status, status, answer.text.slice(0, 500));
        assert.ok(answer.text.length < 16 * 1024);
        if (status === 202) return assert.equal(answer.body, '');
        const message = JSON.parse(answer.body);
        assert.equal(message.error?.code, code, answer.body.slice(0, 500));
        if (id !== undefined) assert.ok(answer.body.includes(`"id":${id}`), answer.body);
      }
      assert.ok(pause <= LONGEST_PAUSE_MS, `everybody else waited ${pause} ms`);
    });
  }
  assert.ok(gateway.isRunning());
  assert.ok(!gateway.log().includes('"level":50'), gateway.log());
});

/** The tool that a call with these bytes reaches, as the upstream reads it. */
async function toolOf(params: string): Promise<string | undefined> {
  const before = upstream.calls.length;
  await sendRaw(gateway.port, toRequest(`{"jsonrpc":"2.0","id":1,"method":"tools/call",${params}}`));
  return upstream.calls[before]?.body.params?.name;
}

test('of members of one name the gateway goes by the one that the upstream goes by', async () => {
  const table: { why: string; params: string; tool: string | undefined }[] = [
    { why: 'the last name counts', params: '"params":{"name":"no","name":"pg_query"}', tool: 'pg_query' },
    { why: 'the first does not', params: '"params":{"name":"pg_query","name":"no"}', tool: undefined },
    {
      why: 'an escaped key is the same key',
      params: String.raw`"params":{"name":"pg_query","n\u0061me":"no"}`,
      tool: undefined,
    },
    {
      why: 'and is replaced as such',
      params: String.raw`"params":{"name":"no","n\u0061me":"pg_admin"}`,
      tool: 'admin',
    },
    {
      why: 'the last name is the one that loses its prefix',
      params: '"params":{"name":"pg_query","name":"pg_admin"}',
      tool: 'admin',
    },
    { why: 'the last parameters count', params: '"params":{"name":"no"},"params":{"name":"pg_admin"}', tool: 'admin' },
    {
      why: 'a nested name is none',
      params: '"params":{"arguments":{"name":"no"},"name":"pg_admin","_meta":{}}',
      tool: 'admin',
    },
    {
      why: 'the prototype has no say',
      params: '"params":{"name":"pg_admin","__proto__":{"name":"no"}}',
      tool: 'admin',
    },
  ];
  for (const { why, params, tool } of table) assert.equal(await toolOf(params), tool, why);
});

interface Raw {
  why: string;
  bytes: string | Buffer;
  /** 0: the connection ends without a word. */
  status: number | readonly number[];
}

const RIGHT = callWith('{}');
const HEAD = 'POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n';

const REQUESTS: Raw[] = [
  { why: 'no HTTP', bytes: 'hello\r\n\r\n', status: 400 },
  { why: 'TLS', bytes: Buffer.from('16030100f8010000f40303', 'hex'), status: 400 },
  { why: 'HTTP/2 at once', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', status: [0, 400, 505] },
  {
    why: 'an upgrade to HTTP/2 is not taken',
    bytes: toRequest(RIGHT, {
      connection: 'upgrade, http2-settings, close',
      upgrade: 'h2c',
      'http2-settings': 'AAMAAABk',
    }),
    status: 200,
  },
  {
    why: 'an upgrade to a web socket is not taken',
    bytes: toRequest(
      '',
      {
        connection: 'upgrade, close',
        upgrade: 'websocket',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-version': '13',
      },
      'GET /mcp',
    ),
    status: 405,
  },
  { why: 'no Host', bytes: 'POST /mcp HTTP/1.1\r\ncontent-length: 0\r\n\r\n', status: 400 },
  { why: 'HTTP/1.0 without Host', bytes: 'POST /mcp HTTP/1.0\r\ncontent-length: 0\r\n\r\n', status: 403 },
  { why: 'a foreign Host', bytes: toRequest(RIGHT, { host: 'evil.example' }), status: 403 },
  { why: 'a foreign Origin', bytes: toRequest(RIGHT, { origin: 'https://evil.example' }), status: 403 },
  { why: 'an address of another server', bytes: toRequest(RIGHT, {}, 'POST http://evil.example/mcp'), status: 400 },
  { why: 'GET', bytes: toRequest('', {}, 'GET /mcp'), status: 405 },
  { why: 'HEAD', bytes: toRequest('', {}, 'HEAD /mcp'), status: 405 },
  { why: 'PUT', bytes: toRequest(RIGHT, {}, 'PUT /mcp'), status: 405 },
  { why: 'DELETE of no session', bytes: toRequest('', {}, 'DELETE /mcp'), status: 400 },
  {
    why: 'DELETE with a body',
    bytes: toRequest(RIGHT, { 'mcp-session-id': 'gone' }, 'DELETE /mcp'),
    status: 204,
  },
  { why: 'OPTIONS', bytes: toRequest('', {}, 'OPTIONS /mcp'), status: 405 },
  { why: 'OPTIONS of the whole server', bytes: toRequest('', {}, 'OPTIONS *'), status: 400 },
  { why: 'TRACE', bytes: toRequest('', {}, 'TRACE /mcp'), status: 405 },
  { why: 'CONNECT', bytes: 'CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n', status: 0 },
  { why: 'an unknown method', bytes: toRequest(RIGHT, {}, 'HACK /mcp'), status: 400 },
  { why: 'an unknown path', bytes: toRequest(RIGHT, {}, 'POST /nothing'), status: 404 },
  { why: 'a path out of the tree', bytes: toRequest(RIGHT, {}, 'POST /../../etc/passwd'), status: 404 },
  { why: 'a path that is no encoding', bytes: toRequest(RIGHT, {}, 'POST /%zz'), status: [400, 404] },
  { why: 'a long path', bytes: toRequest(RIGHT, {}, `POST /${'a'.repeat(32 * 1024)}`), status: 431 },
  { why: 'a long header', bytes: toRequest(RIGHT, { x: 'a'.repeat(32 * 1024) }), status: 431 },
  {
    why: 'many headers',
    bytes: toRequest(RIGHT, Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`x-${at}`, '1']))),
    status: 431,
  },
  {
    why: 'as many headers as fit',
    bytes: toRequest(RIGHT, Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`x${at}`, '1']))),
    status: 200,
  },
  { why: 'a header that is no header', bytes: `${HEAD}no header\r\n\r\n`, status: 400 },
  { why: 'a space before the colon', bytes: `${HEAD}content-length : 2\r\n\r\n{}`, status: 400 },
  { why: 'a folded header', bytes: `${HEAD}x: a\r\n b\r\ncontent-length: 0\r\n\r\n`, status: [400] },
  { why: 'a NUL in a header', bytes: `${HEAD}x: a\0b\r\ncontent-length: 0\r\n\r\n`, status: 400 },
  {
    why: 'headers named like members of objects',
    bytes: toRequest(RIGHT, { __proto__x: '1', constructor: '1', 'mcp-param-__proto__': '1' }),
    status: 200,
  },
  { why: 'no content type', bytes: toRequest(RIGHT, { 'content-type': '' }), status: 415 },
  { why: 'a form', bytes: toRequest(RIGHT, { 'content-type': 'text/plain' }), status: 415 },
  {
    why: 'a name that only begins like JSON',
    bytes: toRequest(RIGHT, { 'content-type': 'application/jsonx' }),
    status: 415,
  },
  { why: 'a compressed body', bytes: toRequest(gzipSync(RIGHT), { 'content-encoding': 'gzip' }), status: [400, 415] },
  { why: 'a length below zero', bytes: `${HEAD}content-length: -1\r\n\r\n`, status: 400 },
  { why: 'a length that is no number', bytes: `${HEAD}content-length: 1e3\r\n\r\n`, status: 400 },
  {
    why: 'a length that no number holds',
    bytes: `${HEAD}content-length: 99999999999999999999999\r\n\r\n`,
    status: 400,
  },
  { why: 'two lengths', bytes: `${HEAD}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`, status: 400 },
  {
    why: 'a length and chunks',
    bytes: `${HEAD}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    why: 'chunks that are not last',
    bytes: `${HEAD}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    status: 400,
  },
  { why: 'an unknown encoding', bytes: `${HEAD}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`, status: 400 },
  {
    why: 'a chunk whose size is no number',
    bytes: `${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    why: 'a chunk whose size no number holds',
    bytes: `${HEAD}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n`,
    status: 400,
  },
  {
    why: 'a long chunk extension',
    bytes: `${HEAD}transfer-encoding: chunked\r\n\r\n2;${'a'.repeat(32 * 1024)}\r\n{}\r\n0\r\n\r\n`,
    status: 413,
  },
  {
    why: 'many trailers',
    bytes: `${HEAD}transfer-encoding: chunked\r\n\r\n0\r\n${'x: y\r\n'.repeat(10_000)}\r\n`,
    status: [400, 413, 431],
  },
  {
    why: 'a body in very small chunks',
    bytes: `${HEAD}transfer-encoding: chunked\r\n\r\n${[...RIGHT].map((byte) => `1\r\n${byte}\r\n`).join('')}0\r\n\r\n`,
    status: 200,
  },
  { why: 'an expectation that nobody knows', bytes: toRequest(RIGHT, { expect: 'the-unexpected' }), status: 417 },
  { why: 'an expectation of a go-ahead', bytes: toRequest(RIGHT, { expect: '100-continue' }), status: 200 },
  { why: 'a body over the limit', bytes: toRequest('x'.repeat(5 * MIB)), status: 413 },
  {
    why: 'a body over the limit, in chunks',
    bytes: `${HEAD}transfer-encoding: chunked\r\n\r\n${`100000\r\n${'x'.repeat(MIB)}\r\n`.repeat(5)}0\r\n\r\n`,
    status: 413,
  },
  { why: 'a session that is none', bytes: toRequest(RIGHT, { 'mcp-session-id': 'a b' }), status: [200, 400] },
  {
    why: 'a version header of many',
    bytes: toRequest(RIGHT, { 'mcp-protocol-version': '2025-11-25, 2025-06-18' }),
    status: 400,
  },
  {
    why: 'a name that is no Base64',
    bytes: toRequest(modernCallWith('{}'), { ...MODERN_CALL, 'mcp-name': '=?base64?%%%?=' }),
    status: 400,
  },
  {
    why: 'a name of another tool',
    bytes: toRequest(modernCallWith('{}'), { ...MODERN_CALL, 'mcp-name': 'pg_admin' }),
    status: 400,
  },
  {
    why: 'the right name in capitals',
    bytes: toRequest(modernCallWith('{}'), { ...MODERN_CALL, 'mcp-name': 'PG_QUERY' }),
    status: 400,
  },
];

test('requests that are malformed or hostile as HTTP get their status, and the process goes on', async (t) => {
  for (const { why, bytes, status } of REQUESTS) {
    await t.test(why, async () => {
      const answer = await sendRaw(gateway.port, bytes);
      const allowed = typeof status === 'number' ? [status] : status;
      assert.ok(allowed.includes(answer.status), `expected ${String(status)}, got ${answer.text.slice(0, 500)}`);
      if (answer.status === 405) assert.match(answer.headers, /allow: POST, DELETE/i);
      assert.ok(!answer.text.includes('    at '), 'no stack');
    });
  }
  assert.ok(gateway.isRunning());
  assert.equal((await sendRaw(gateway.port, toRequest(RIGHT))).status, 200);
});

test('a client that closes its half of the connection counts as gone, as one that closes all of it', async () => {
  const aborted = upstream.aborted;
  const { socket, answer } = await openSocket(gateway.port);
  upstream.options.onCall = () => {};
  const arrived = upstream.calls.length;
  socket.write(toRequest(RIGHT));
  await until('the call arrives', () => upstream.calls.length > arrived);
  upstream.options.onCall = undefined;
  socket.end();
  await answer;
  await until('its call is ended', () => upstream.aborted > aborted);
});

test('pipelined requests are answered in their order', async () => {
  const { socket, answer } = await openSocket(gateway.port);
  const kept = { connection: 'keep-alive' };
  const requests = Array.from({ length: 50 }, (_, id) =>
    toRequest(RIGHT.replace('"id":1', `"id":${id}`), id === 49 ? {} : kept),
  );
  socket.write(Buffer.concat(requests));
  const ids = [...(await answer).text.matchAll(/"id":(\d+)/g)].map(([, id]) => Number(id));
  assert.deepEqual(
    ids,
    Array.from({ length: 50 }, (_, id) => id),
  );
});

test('what follows a refused body is no request', async () => {
  const smuggled = toRequest('', {}, 'GET /health').toString();
  const { socket, answer } = await openSocket(gateway.port);
  socket.write(`${HEAD}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`);
  const { text } = await answer;
  assert.equal(text.split('HTTP/1.1 ').length - 1, 1, text);
});

test('hundreds of connections that send nothing keep nobody from being served', async (t) => {
  const mute = await Promise.all(Array.from({ length: 300 }, () => openSocket(gateway.port)));
  t.after(() => mute.forEach(({ socket }) => socket.destroy()));
  for (const { socket } of mute) socket.write('POST /mcp HTTP/1.1\r\nhost: localhost\r\nx: ');
  const started = performance.now();
  assert.equal((await sendRaw(gateway.port, toRequest(RIGHT))).status, 200);
  assert.ok(performance.now() - started < 1_000);
});

test('connections that are cut anywhere in a request leave the process unharmed', async () => {
  const whole = toRequest(RIGHT);
  for (let end = 0; end < whole.length; end += 7) {
    const { socket } = await openSocket(gateway.port);
    socket.write(whole.subarray(0, end), () => (end % 2 === 0 ? socket.resetAndDestroy() : socket.destroy()));
  }
  assert.equal((await sendRaw(gateway.port, toRequest(RIGHT))).status, 200);
  assert.ok(gateway.isRunning());
});
