/**
 * An upstream that keeps what it was sent, for tests of what a trace says: its tools answer well, badly, late or never.
 * `/mcp` speaks 2026-07-28 and takes legacy requests without a session, `/legacy` begins with `initialize`.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { listenLocally } from '@database-mcp/testing';

/** A request as it arrived. */
export interface SeenRequest {
  headers: IncomingHttpHeaders;
  text: string;
  message: { id?: unknown; method: string; params?: { name?: string; _meta?: Record<string, unknown> } };
}

/** A running upstream. */
export interface TracedUpstream {
  readonly port: number;
  readonly seen: SeenRequest[];
  /** The last call of the tool. */
  callOf(tool: string): SeenRequest;
}

/** What each tool does; names without prefix. */
const TOOLS = ['ok', 'events', 'fail', 'refuse', 'break', 'hang', 'large'] as const;
const LIST_TTL_MS = 600_000;
const LARGE_BYTES = 300_000;

/** Starts the upstream in this process; it ends with the test. */
export async function startTracedUpstream(t: Pick<TestContext, 'after'>, prefix: string): Promise<TracedUpstream> {
  const seen: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      if (request.method !== 'POST') return void response.writeHead(405).end();
      const entry: SeenRequest = { headers: request.headers, text, message: JSON.parse(text) };
      seen.push(entry);
      answer(entry, response, prefix, request.url === '/legacy');
    });
  });
  const { port } = await listenLocally(server, { t });
  return {
    port,
    seen,
    callOf: (tool) => {
      const found = seen.findLast(({ message }) => message.params?.name === `${prefix}${tool}`);
      if (!found) throw new Error(`the upstream has seen no call of ${prefix}${tool}`);
      return found;
    },
  };
}

function answer({ message }: SeenRequest, response: ServerResponse, prefix: string, isLegacy: boolean): void {
  const { id, method, params } = message;
  if (id === undefined) return void response.writeHead(202).end();
  const send = (body: object, headers: Record<string, string> = {}): void => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...body }));
  };
  const refuse = (code: number, text: string): void => send({ error: { code, message: text } });
  const serverInfo = { name: 'traced', version: '1' };
  switch (method) {
    case 'initialize':
      if (!isLegacy) return refuse(-32_601, 'no');
      return send(
        { result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo } },
        { 'mcp-session-id': 'one' },
      );
    case 'server/discover':
      if (isLegacy) return refuse(-32_601, 'no');
      return send({ result: { supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, serverInfo } });
    case 'tools/list': {
      const tools = TOOLS.map((tool) => ({ name: `${prefix}${tool}`, inputSchema: { type: 'object' } }));
      return send({ result: { tools, resultType: 'complete', ttlMs: LIST_TTL_MS, cacheScope: 'public' } });
    }
    case 'tools/call':
      return call(String(params?.name).slice(prefix.length), response, send, id);
    default:
      return refuse(-32_601, 'no');
  }
}

function call(tool: string, response: ServerResponse, send: (body: object) => void, id: unknown): void {
  const content = [{ type: 'text', text: 'says "isError":true, and means nothing by it' }];
  const result = { content, resultType: 'complete' };
  switch (tool) {
    case 'ok':
      return send({ result });
    case 'events': {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(
        ': first a comment\n\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/message"}\n\n',
      );
      const text = JSON.stringify({ jsonrpc: '2.0', id, result: { ...result, isError: true } });
      return void response.end(`event: message\ndata: ${text}\n\n`);
    }
    case 'fail':
      return send({ result: { ...result, isError: true } });
    case 'large':
      return send({ result: { content: [{ type: 'text', text: 'x'.repeat(LARGE_BYTES) }], isError: true } });
    case 'refuse':
      return send({ error: { code: -32_602, message: 'The arguments are wrong.' } });
    case 'break':
      return send({ error: { code: -32_603, message: 'It broke.' } });
    // `hang` never answers.
  }
}
