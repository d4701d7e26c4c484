/**
 * The reference: the least that a Node process in the middle can do. node:http in front, undici behind, the body parsed
 * once to find the upstream; no checks, no limits, no errors worth the name. Lists are static bytes.
 * `node bench/src/pass-through.ts alpha_=http://127.0.0.1:9001/mcp …`
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool, type Dispatcher } from 'undici';

interface Upstream {
  pool: Pool;
  path: string;
}

/** As many as the gateway opens to one upstream by default. */
const CONNECTIONS = 64;
const LIST_REQUEST = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';

const upstreamByTool = new Map<string, Upstream>();
const tools: unknown[] = [];
for (const argument of process.argv.slice(2)) {
  const url = new URL(argument.slice(argument.indexOf('=') + 1));
  const upstream = { pool: new Pool(url.origin, { connections: CONNECTIONS }), path: url.pathname };
  const { body } = await upstream.pool.request({ path: url.pathname, method: 'POST', body: LIST_REQUEST });
  const listed = (await body.json()) as { result: { tools: { name: string }[] } };
  for (const tool of listed.result.tools) upstreamByTool.set(tool.name, upstream);
  tools.push(...listed.result.tools);
}
const staticList = JSON.stringify({ resultType: 'complete', ttlMs: 60_000, cacheScope: 'public', tools });

interface Message {
  id: unknown;
  method: string;
  params?: { name?: string };
}

function serve(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const message = JSON.parse(body.toString('utf8')) as Message;
  if (message.method === 'tools/list') {
    const text = `{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},"result":${staticList}}`;
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    response.end(text);
    return;
  }
  const upstream = upstreamByTool.get(message.params?.name ?? '');
  if (!upstream) {
    response.writeHead(404).end();
    return;
  }
  const { host: _host, connection: _connection, ...headers } = request.headers;
  upstream.pool.dispatch({ path: upstream.path, method: 'POST', headers, body }, new Relay(response));
}

/** Hands an upstream's answer on as it comes, and stops reading it while the client does not keep up. */
class Relay implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const response = this.#response;
    response.on('drain', () => controller.resume());
    response.on('close', () => {
      if (!response.writableFinished) controller.abort(new Error('the client went away'));
    });
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[]>,
  ): void {
    const { connection: _connection, 'keep-alive': _keepAlive, 'transfer-encoding': _encoding, ...passed } = headers;
    this.#response.writeHead(status, passed);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#response.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    this.#response.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#response.destroy(error);
  }
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const [first] = chunks;
    serve(request, response, chunks.length === 1 && first ? first : Buffer.concat(chunks));
  });
});
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ passThrough: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp` }));
});
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
  for (const { pool } of new Set(upstreamByTool.values())) void pool.destroy();
});
