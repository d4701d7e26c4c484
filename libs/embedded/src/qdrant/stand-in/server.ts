/** HTTP around the endpoints: paths, bodies with a bound, and the envelope of every answer. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { ApiError } from './api-error.ts';
import { parseJson, printJson } from './json.ts';
import { findRoute } from './routes.ts';
import type { Store } from './store.ts';

/** What `GET /` says about this server. */
export const STAND_IN_TITLE = 'qdrant stand-in (small, for trying things out; not the real Qdrant)';

/** The version of Qdrant whose answers are imitated. */
export const IMITATED_VERSION = '1.19.0';

// The real server's default, `service.max_request_size_mb`.
const MAX_BODY_BYTES = 32 * 1024 * 1024;

const PLAIN_TEXTS: { readonly [path: string]: string } = {
  '/healthz': 'healthz check passed',
  '/livez': 'healthz check passed',
  '/readyz': 'all shards are ready',
};

/** Settings of the server. */
export interface StandInServerOptions {
  readonly store: Store;
  readonly maxBodyBytes?: number;
}

async function readText(request: IncomingMessage, maxBytes: number): Promise<string> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > maxBytes) {
    request.resume();
    const problem = `JSON payload (${announced} bytes) is larger than allowed (limit: ${maxBytes} bytes).`;
    throw new ApiError(400, problem);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new ApiError(400, `JSON payload has exceeded limit (${maxBytes} bytes).`);
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw ApiError.format('invalid unicode code point');
  }
}

function decodeSegment(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function send(response: ServerResponse, status: number, type: string | undefined, body: string): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = status;
  if (type !== undefined) response.setHeader('content-type', type);
  response.setHeader('content-length', Buffer.byteLength(body));
  response.end(body);
}

function sendJson(response: ServerResponse, status: number, value: object, startedMs: number): void {
  const seconds = (performance.now() - startedMs) / 1000;
  send(response, status, 'application/json', printJson({ ...value, time: seconds }));
}

async function answer(
  options: StandInServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const startedMs = performance.now();
  const method = request.method ?? '';
  const [rawPath = '', ...rest] = (request.url ?? '/').split('?');
  const path = rawPath.replaceAll(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '');
  if (method === 'GET' && path === '/') {
    const about = printJson({ title: STAND_IN_TITLE, version: IMITATED_VERSION });
    return send(response, 200, 'application/json', about);
  }
  const plain = PLAIN_TEXTS[path];
  if (method === 'GET' && plain !== undefined) return send(response, 200, 'text/plain; charset=utf-8', plain);
  const found = findRoute(method, path);
  if (found === undefined) {
    request.resume();
    return send(response, method === 'OPTIONS' ? 200 : 404, undefined, '');
  }
  try {
    const text = await readText(request, options.maxBodyBytes ?? MAX_BODY_BYTES);
    const result = found.handle({
      store: options.store,
      path: found.path.map(decodeSegment),
      query: new URLSearchParams(rest.join('?')),
      body: () => parseJson(text),
    });
    sendJson(response, 200, { result, status: 'ok' }, startedMs);
  } catch (error) {
    const problem =
      error instanceof ApiError
        ? error
        : new ApiError(500, `Service internal error: ${error instanceof Error ? error.message : String(error)}`);
    sendJson(response, problem.status, { status: { error: problem.message } }, startedMs);
  }
}

/** Creates the server; the caller listens and closes. */
export function createStandInServer(options: StandInServerOptions): Server {
  return createServer((request, response) => {
    answer(options, request, response).catch(() => response.destroy());
  });
}
