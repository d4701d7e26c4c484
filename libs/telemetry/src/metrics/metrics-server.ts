/** `GET /metrics` on a port of its own, so that a network policy can let Prometheus in without letting it at the data. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { PROMETHEUS_CONTENT_TYPE } from './prometheus.ts';

/** A server that listens. */
export interface MetricsServer {
  /** `http://host:port/metrics`. */
  readonly url: string;
  close(): Promise<void>;
}

const PATH = '/metrics';
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 32;

/** Starts listening; `port` 0 takes a free one. Rejects with a clear message when the port is taken. */
export async function startMetricsServer(host: string, port: number, read: () => string): Promise<MetricsServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    request.resume();
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead || request.url?.split('?')[0] !== PATH) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end(`There is GET ${PATH} here.\n`);
      return;
    }
    response.writeHead(200, { 'content-type': PROMETHEUS_CONTENT_TYPE }).end(read());
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new Error(`cannot listen on ${host}:${port} for metrics (${code}); check MCP_METRICS_PORT.`, {
      cause: error,
    });
  }
  // A scrape must not keep a process from ending.
  server.unref();
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the metrics server has no TCP address');
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `http://${name}:${address.port}${PATH}`,
    close: async () => {
      server.closeAllConnections();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
