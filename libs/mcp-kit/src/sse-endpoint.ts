/**
 * The HTTP+SSE transport of 2024-11-05 (deprecated), for clients that know no other: `/sse` opens the stream on which
 * all answers arrive, messages are posted to `/messages`. Each stream has a server instance of its own; it ends with
 * the stream, and the calls in progress with it.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { JSONRPCMessage, McpServerFactory, Transport } from '@modelcontextprotocol/server';
import { JSON_RPC_ERROR, toJsonRpcError } from '@database-mcp/errors';
import { sendJson, type RawHandler } from '@database-mcp/service';
import type { Logger } from '@database-mcp/telemetry';
import { toHeaders } from './http-endpoint.ts';
import { rememberPeer } from './peer.ts';
import { readMessage } from './read-message.ts';
import { stringifyMessage } from './table-json.ts';

/** The two endpoints, and how they end. */
export interface SseEndpoint {
  /** `/sse` */
  stream: RawHandler;
  /** `/messages` */
  messages: RawHandler;
  /** Ends every stream. */
  close(): void;
}

/** Each session holds a connection, a timer and a server instance. */
const MAX_SESSIONS = 256;
/** Answers that a client does not read are kept in memory up to this much. */
const MAX_BACKLOG_BYTES = 8 * 1024 * 1024;
/** Proxies commonly end streams that are quiet for 30 to 60 s. */
const KEEP_ALIVE_MS = 15_000;

interface Session {
  transport: Transport;
  response: ServerResponse;
}

/** Creates the endpoints. */
export function createSseEndpoint(create: McpServerFactory, logger: Logger): SseEndpoint {
  const sessions = new Map<string, Session>();
  const fail = (response: ServerResponse, error: unknown): void => {
    logger.error({ err: error }, 'the HTTP+SSE endpoint failed');
    if (response.headersSent) response.destroy();
    else refuse(response, 500, 'Internal error; the log holds the cause.');
  };
  return {
    stream(request, response) {
      if (request.method !== 'GET') return refuse(response, 405, 'Only GET is served here.');
      if (sessions.size >= MAX_SESSIONS) {
        return refuse(response, 503, `There are ${MAX_SESSIONS} sessions already. Use /mcp, which has no such limit.`);
      }
      openSession(sessions, create, response).catch((error: unknown) => fail(response, error));
    },
    messages(request, response) {
      if (request.method !== 'POST') return refuse(response, 405, 'Only POST is served here.');
      const id = new URL(request.url ?? '/', 'http://localhost').searchParams.get('sessionId') ?? '';
      const session = sessions.get(id);
      if (!session) return refuse(response, 404, 'There is no such session (any more): open /sse again.');
      receive(session, request, response).catch((error: unknown) => fail(response, error));
    },
    close() {
      for (const { response } of sessions.values()) response.end();
    },
  };
}

async function openSession(
  sessions: Map<string, Session>,
  create: McpServerFactory,
  response: ServerResponse,
): Promise<void> {
  const id = randomUUID();
  const transport = createStreamTransport(response, `/messages?sessionId=${id}`);
  sessions.set(id, { transport, response });
  const keepAlive = setInterval(() => response.write(': keep-alive\n\n'), KEEP_ALIVE_MS);
  response.on('close', () => {
    clearInterval(keepAlive);
    sessions.delete(id);
    transport.onclose?.();
  });
  const server = await create({ era: 'legacy' });
  await server.connect(transport);
}

function createStreamTransport(response: ServerResponse, endpoint: string): Transport {
  // Writing to a stream that has just ended is no fault; its end is told by 'close'.
  response.on('error', () => {});
  return {
    async start() {
      response.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-cache',
        'x-accel-buffering': 'no',
      });
      response.write(`event: endpoint\ndata: ${endpoint}\n\n`);
    },
    async send(message) {
      response.write(`event: message\ndata: ${stringifyMessage(message)}\n\n`);
    },
    async close() {
      response.end();
    },
  };
}

async function receive(session: Session, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (session.response.writableLength > MAX_BACKLOG_BYTES) {
    return refuse(response, 429, 'The stream of this session holds too much that was not read; read it and try again.');
  }
  const read = await readMessage(request, response);
  if (!read) return;
  const messages = Array.isArray(read.message) ? read.message : [read.message];
  if (messages.length === 0 || !messages.every(isJsonRpc)) {
    return refuse(response, 400, 'The body is not a JSON-RPC message.');
  }
  response.writeHead(202, { 'content-length': 0 }).end();
  const webRequest = new Request('http://localhost/messages', { headers: toHeaders(request) });
  rememberPeer(webRequest, request.socket);
  for (const message of messages) session.transport.onmessage?.(message as JSONRPCMessage, { request: webRequest });
}

function isJsonRpc(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'jsonrpc' in value && value.jsonrpc === '2.0';
}

function refuse(response: ServerResponse, status: number, message: string): void {
  sendJson(response, status, toJsonRpcError(null, JSON_RPC_ERROR.INVALID_REQUEST, message));
}
