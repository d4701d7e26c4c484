/** An upstream for the tests of this package: a bare HTTP server whose answers each test decides. */
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { listenLocally } from '@database-mcp/testing';

/** A request as it arrived. */
export interface SeenRequest {
  headers: IncomingHttpHeaders;
  raw: string;
  body: { id?: unknown; method?: string; params?: { name?: string; cursor?: string } };
}

/** How a test's upstream answers. */
export interface TestUpstreamOptions {
  /** The tools array as source text, one element each. */
  tools?: readonly string[];
  /** Further members of the `tools/list` result. */
  listFields?: string;
  instructions?: string;
  port?: number;
  /** Answers `tools/call`. */
  onCall?: (request: SeenRequest, response: ServerResponse) => void;
  /** Answers everything, before anything else is looked at; true when it did. */
  onRequest?: (request: SeenRequest, response: ServerResponse) => boolean;
}

/** A running test upstream. */
export interface TestUpstream {
  readonly port: number;
  readonly url: string;
  /** Only the calls. */
  readonly calls: SeenRequest[];
  readonly requests: SeenRequest[];
  /** How many calls ended because the gateway closed the connection. */
  aborted: number;
  options: TestUpstreamOptions;
  /** How many connections are open. */
  connections(): Promise<number>;
  /** Closes the connections on which nothing is in progress. */
  closeIdle(): void;
  stop(): Promise<void>;
}

/** Source text of a plain tool. */
export function toolText(name: string, rest = ''): string {
  return `{"name":"${name}","description":"Tool ${name}.","inputSchema":{"type":"object"}${rest}}`;
}

/** Sends JSON text. */
export function answerJson(response: ServerResponse, text: string, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** The usual answer of a call: a text that names the tool. */
export function answerCall(request: SeenRequest, response: ServerResponse): void {
  const id = JSON.stringify(request.body.id);
  const text = `called ${request.body.params?.name}`;
  const result = `{"content":[{"type":"text","text":"${text}"}],"resultType":"complete"}`;
  answerJson(response, `{"jsonrpc":"2.0","id":${id},"result":${result}}`);
}

/** Starts the upstream; it ends with the test. */
export async function startTestUpstream(t: TestContext, options: TestUpstreamOptions = {}): Promise<TestUpstream> {
  const requests: SeenRequest[] = [];
  const calls: SeenRequest[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const raw = Buffer.concat(chunks).toString('utf8');
      const seen: SeenRequest = { headers: request.headers, raw, body: raw === '' ? {} : JSON.parse(raw) };
      requests.push(seen);
      if (seen.body.method === 'tools/call') {
        calls.push(seen);
        response.on('close', () => {
          if (!response.writableFinished) upstream.aborted++;
        });
      }
      answer(upstream.options, seen, response);
    });
  });
  const { port, origin, stop } = await listenLocally(server, { port: options.port, t });
  const upstream: TestUpstream = {
    port,
    url: `${origin}/mcp`,
    calls,
    requests,
    aborted: 0,
    options,
    connections: () => promisify(server.getConnections.bind(server))(),
    closeIdle: () => server.closeIdleConnections(),
    stop,
  };
  return upstream;
}

function answer(options: TestUpstreamOptions, seen: SeenRequest, response: ServerResponse): void {
  if (options.onRequest?.(seen, response)) return;
  const id = JSON.stringify(seen.body.id);
  const { method } = seen.body;
  if (method === 'tools/call') return (options.onCall ?? answerCall)(seen, response);
  if (method === 'tools/list') {
    const tools = (options.tools ?? [toolText('query')]).join(',');
    return answerJson(
      response,
      `{"jsonrpc":"2.0","id":${id},"result":{"tools":[${tools}]${options.listFields ?? ''}}}`,
    );
  }
  if (method === 'server/discover') {
    const instructions =
      options.instructions === undefined ? '' : `"instructions":${JSON.stringify(options.instructions)}`;
    return answerJson(response, `{"jsonrpc":"2.0","id":${id},"result":{${instructions}}}`);
  }
  answerJson(response, `{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"no"}}`);
}
