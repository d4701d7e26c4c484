/** An upstream whose every tool fails in its own way; its lists are right. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** How a call can go wrong; the tool `faulty_<fault>` does it. `none` answers. */
export const FAULTS = [
  'none',
  'hang',
  'reset',
  'close',
  'short_json',
  'half_json',
  'half_events',
  'silent_events',
  'html',
  'bytes',
  'no_json',
  'status_500',
  'status_503',
  'redirect',
  'trickle',
  'large_headers',
  'flood',
] as const;

/** One of {@link FAULTS}. */
export type Fault = (typeof FAULTS)[number];

/** A running fault upstream. */
export interface FaultUpstream {
  readonly url: string;
  readonly port: number;
  /** Sockets that are open now. */
  countSockets(): number;
  /** Closes those on which nothing is in progress. */
  closeIdle(): void;
  stop(): Promise<void>;
}

/** Size of the result of `flood`. */
export const FLOOD_BYTES = 100 * 1024 * 1024;
const FLOOD_PIECE = Buffer.alloc(256 * 1024, 'x');
const TRICKLE_MS = 100;
/** Above the 16 KiB that Node's parser admits. */
const LARGE_HEADER_BYTES = 200_000;

/** Starts it in this process; it ends with the test. */
export async function startFaultUpstream(t: Pick<TestContext, 'after'>, port = 0): Promise<FaultUpstream> {
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
        id: unknown;
        method: string;
        params?: { name?: string };
      };
      const idText = JSON.stringify(id ?? null);
      if (method !== 'tools/call') return answerOther(response, idText, method);
      const fault = FAULTS.find((each) => params?.name === `faulty_${each}`) ?? 'none';
      // A socket that the gateway has given up is no matter for this side.
      response.on('error', () => {});
      fail(fault, idText, response);
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.keepAliveTimeout = 60_000;
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the upstream has no TCP address');
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    await closed;
  };
  t.after(stop);
  return {
    url: `http://127.0.0.1:${address.port}/mcp`,
    port: address.port,
    countSockets: () => sockets.size,
    closeIdle: () => server.closeIdleConnections(),
    stop,
  };
}

function answerOther(response: ServerResponse, idText: string, method: string): void {
  const tools = FAULTS.map((fault) => `{"name":"faulty_${fault}","inputSchema":{"type":"object"}}`).join(',');
  const fields = '"resultType":"complete","ttlMs":600000,"cacheScope":"public"';
  const results = new Map([
    ['tools/list', `{"tools":[${tools}],${fields}}`],
    ['server/discover', `{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},${fields}}`],
  ]);
  const result = results.get(method);
  const outcome = result === undefined ? '"error":{"code":-32601,"message":"no"}' : `"result":${result}`;
  sendJson(response, `{"jsonrpc":"2.0","id":${idText},${outcome}}`);
}

function fail(fault: Fault, idText: string, response: ServerResponse): void {
  const start = `{"jsonrpc":"2.0","id":${idText},"result":{"resultType":"complete","content":[{"type":"text","text":"`;
  const end = '"}]}}';
  switch (fault) {
    case 'none':
      return sendJson(response, `${start}fine${end}`);
    case 'hang':
      return;
    case 'reset':
      return void response.socket?.resetAndDestroy();
    case 'close':
      return void response.socket?.destroy();
    case 'short_json':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100000' });
      response.write(start, () => response.socket?.destroy());
      return;
    case 'half_json':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000000' });
      response.write(`${start}${'x'.repeat(800_000)}`, () => response.socket?.destroy());
      return;
    case 'half_events':
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`event: message\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n`);
      response.write(`event: message\ndata: ${start}cut`, () => response.socket?.destroy());
      return;
    case 'silent_events':
      return void response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    case 'html':
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>secret-of-the-upstream</h1>');
    case 'bytes':
      return void response.socket?.end(
        Buffer.from('\u0000\u0007garbage that is no HTTP, secret-of-the-upstream\r\n\r\n'),
      );
    case 'no_json':
      return sendJson(response, 'secret-of-the-upstream, no JSON');
    case 'status_500':
      return void response
        .writeHead(500, { 'content-type': 'text/plain' })
        .end('Error: secret-of-the-upstream\n    at x');
    case 'status_503':
      return void response.writeHead(503, { 'content-type': 'application/json' }).end('{"secret-of-the-upstream":1}');
    case 'redirect':
      return void response.writeHead(307, { location: 'http://127.0.0.1:1/secret-of-the-upstream' }).end();
    case 'trickle':
      return trickle(response, start);
    case 'large_headers':
      response.socket?.end(
        `HTTP/1.1 200 OK\r\nx-large: ${'secret-of-the-upstream'.repeat(LARGE_HEADER_BYTES / 20)}\r\n\r\n`,
      );
      return;
    case 'flood':
      return flood(response, start, end);
  }
}

function sendJson(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
}

/** A few bytes now and then, for ever: there is always progress and never an answer. */
function trickle(response: ServerResponse, start: string): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write(start);
  const timer = setInterval(() => response.write('x'), TRICKLE_MS);
  response.on('close', () => clearInterval(timer));
}

/** A right answer of 100 MiB, as fast as it is read. */
function flood(response: ServerResponse, start: string, end: string): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write(start);
  let left = FLOOD_BYTES;
  const fill = (): void => {
    while (left > 0 && !response.destroyed) {
      left -= FLOOD_PIECE.length;
      if (!response.write(FLOOD_PIECE)) return void response.once('drain', fill);
    }
    response.end(end);
  };
  fill();
}
