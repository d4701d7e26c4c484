/**
 * The HTTP shell of a process: one listening socket, `/health` and `/ready`, the Host/Origin guard, size and time
 * limits, and an orderly end. Hot paths are plain `node:http` handlers that Fastify never sees (measured: Fastify in
 * the hot path costs about a quarter of the throughput); everything else is Fastify's.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { fastify, type FastifyInstance } from 'fastify';
import type { Logger } from '@database-mcp/telemetry';
import { checkSource, type SourceRules } from './source-guard.ts';
import { sendJson } from './http-body.ts';

/** A handler of a hot path; it must answer every request and must not throw. */
export type RawHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** What `/ready` says; anything but `ready: true` is HTTP 503. */
export interface Readiness {
  ready: boolean;
  [detail: string]: unknown;
}

/** Options of {@link createService}. */
export interface ServiceOptions extends SourceRules {
  name: string;
  version: string;
  host: string;
  /** 0 takes a free port. */
  port: number;
  logger: Logger;
  /** Exact path (without query) → handler. */
  routes: Readonly<Record<string, RawHandler>>;
  /**
   * A whole request, body included, must arrive within this time (its headers within 10 s of it), and an answer that is
   * out must not wait longer for a client that does not read. Default 30 s.
   */
  requestTimeoutMs?: number;
  ready: () => Readiness | Promise<Readiness>;
}

/** A service that listens. */
export interface Service {
  readonly port: number;
  /** `http://host:port`, with the host as a client on this machine would write it. */
  readonly url: string;
  /** Aborted when the service begins to end: long streams must end themselves then. */
  readonly draining: AbortSignal;
  /** Stops accepting, lets requests in progress finish for at most `DRAIN_MS`, then ends. Idempotent. */
  close(): Promise<void>;
}

/** Orchestrators give 30 s between SIGTERM and SIGKILL; this leaves room to close databases. */
const DRAIN_MS = 25_000;
/** How often connections that became idle are closed during the drain. */
const IDLE_SWEEP_MS = 50;
/** Headers must arrive within this time, against connections that are opened and dribbled into. */
const HEADERS_TIMEOUT_MS = 10_000;
/** A query is small; who needs longer for one is dribbling too. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than the 60 s that common load balancers keep idle connections, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** How often Node looks for connections over the two limits above. */
const CONNECTION_CHECK_MS = 2_000;

/** Starts listening. Rejects with a clear message when the port is taken. */
export async function createService(options: ServiceOptions): Promise<Service> {
  const draining = new AbortController();
  const shell = fastify({ logger: false });
  addShellRoutes(shell, options, draining.signal);
  await shell.ready();
  const { requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const server = createServer(
    {
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeoutMs),
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: Math.min(CONNECTION_CHECK_MS, requestTimeoutMs),
    },
    createDispatch(options, shell, draining.signal),
  );
  await listen(server, options);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the service has no TCP address');
  let closing: Promise<void> | undefined;
  return {
    port: address.port,
    url: `http://${urlHost(options.host)}:${address.port}`,
    draining: draining.signal,
    close: () => (closing ??= drain(server, draining, shell, options.logger)),
  };
}

function createDispatch(options: ServiceOptions, shell: FastifyInstance, draining: AbortSignal): RawHandler {
  const { requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  return (request, response) => {
    // Node's own limits are for what arrives; an answer that is never read would stay in memory for ever.
    response.on('prefinish', () => {
      if (response.writableLength > 0) response.setTimeout(requestTimeoutMs);
    });
    const refusal = checkSource(request.headers, options);
    if (refusal) return sendJson(response, 403, { error: refusal });
    if (draining.aborted) response.setHeader('connection', 'close');
    const url = request.url ?? '/';
    const query = url.indexOf('?');
    const path = query === -1 ? url : url.slice(0, query);
    if (!path.startsWith('/'))
      return sendJson(response, 400, { error: 'The request target must be a path, such as /health.' });
    const route = Object.hasOwn(options.routes, path) ? options.routes[path] : undefined;
    if (route) route(request, response);
    else shell.routing(request, response);
  };
}

function addShellRoutes(shell: FastifyInstance, options: ServiceOptions, draining: AbortSignal): void {
  const { name: service, version } = options;
  shell.get('/health', () => ({ status: 'ok', service, version }));
  shell.get('/ready', async (_request, reply) => {
    const state = draining.aborted ? { ready: false, reason: 'the process is ending' } : await options.ready();
    return reply.code(state.ready ? 200 : 503).send(state);
  });
  shell.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      error: `There is nothing at ${request.method} ${request.url.split('?')[0]}. Try ${[...Object.keys(options.routes), '/health', '/ready'].join(', ')}.`,
    }),
  );
  shell.setErrorHandler((error, _request, reply) => {
    options.logger.error({ err: error }, 'the HTTP shell failed');
    return reply.code(500).send({ error: 'Internal error; the log holds the cause.' });
  });
}

async function listen(server: Server, options: ServiceOptions): Promise<void> {
  server.listen(options.port, options.host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const place = `${options.host}:${options.port}`;
    if (code === 'EADDRINUSE') {
      throw new Error(
        `${place} is taken by another process; end that one or choose another port (MCP_PORT or --port).`,
        { cause: error },
      );
    }
    throw new Error(`cannot listen on ${place} (${code || String(error)}); check MCP_HOST and MCP_PORT.`, {
      cause: error,
    });
  }
}

async function drain(server: Server, draining: AbortController, shell: FastifyInstance, logger: Logger): Promise<void> {
  draining.abort();
  const closed = once(server, 'close');
  server.close();
  // A kept-alive connection is idle only once its last answer is out, so idle ones are looked for until none is left.
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
  server.closeIdleConnections();
  const timer = setTimeout(() => {
    logger.warn({ drainMs: DRAIN_MS }, 'requests were still in progress at the end of the drain time and were cut');
    server.closeAllConnections();
  }, DRAIN_MS);
  await closed;
  clearTimeout(timer);
  clearInterval(sweep);
  await shell.close();
}

function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
