/**
 * Connects a `node:http` request to the SDK's web-standard handler. Our own rather than the SDK's adapter, because the
 * body is parsed here (bounded, large integers exact) and the adapter would serialise it again.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { McpHttpHandler } from '@modelcontextprotocol/server';
import { JSON_RPC_ERROR, toJsonRpcError } from '@database-mcp/errors';
import {
  createStatelessSessions,
  ENDED_SESSION,
  MALFORMED_SESSION,
  readSessionId,
  refuseSession,
  sendJson,
  sendJsonText,
  serveOtherMethod,
  type RawHandler,
  type StatelessSessions,
} from '@database-mcp/service';
import type { Logger } from '@database-mcp/telemetry';
import { watchCancellation } from './cancellation.ts';
import { rememberPeer } from './peer.ts';
import { readMessage } from './read-message.ts';

/** Creates the handler of `/mcp`. */
export function createHttpEndpoint(handler: McpHttpHandler, logger: Logger): RawHandler {
  const sessions = createStatelessSessions();
  return (request, response) => {
    serve(handler, sessions, request, response).catch((error: unknown) => {
      logger.error({ err: error }, 'the MCP endpoint failed');
      if (response.headersSent) response.destroy();
      else
        sendJson(
          response,
          500,
          toJsonRpcError(null, JSON_RPC_ERROR.INTERNAL_ERROR, 'Internal error; the log holds the cause.'),
        );
    });
  };
}

async function serve(
  handler: McpHttpHandler,
  sessions: StatelessSessions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'POST') return serveOtherMethod(sessions, request, response);
  const session = readSessionId(request.headers);
  if (session === false) return refuseSession(response, MALFORMED_SESSION);
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  const read = await readMessage(request, response);
  if (!read) return;
  if (session !== undefined && sessions.isEnded(session)) return refuseSession(response, ENDED_SESSION);
  watchCancellation(sessions, session, read.message, response, gone);
  const webRequest = new Request('http://localhost/mcp', {
    method: 'POST',
    headers: toHeaders(request),
    signal: gone.signal,
  });
  rememberPeer(webRequest, request.socket);
  const answer = await handler.fetch(webRequest, { parsedBody: read.message });
  await send(answer, response, gone.signal);
}

/** The headers of a request, for the SDK. */
export function toHeaders(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value === 'string') headers.set(name, value);
    else for (const item of value ?? []) headers.append(name, item);
  }
  return headers;
}

async function send(answer: Response, response: ServerResponse, gone: AbortSignal): Promise<void> {
  if (gone.aborted) return;
  if (!answer.body) {
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end();
    return;
  }
  if (answer.headers.get('content-type')?.startsWith('application/json')) {
    const json = Buffer.from(await answer.arrayBuffer());
    if (!gone.aborted) sendJsonText(response, answer.status, json);
    return;
  }
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  for await (const chunk of answer.body) {
    if (gone.aborted) break;
    if (!response.write(chunk)) await drained(response, gone);
  }
  response.end();
}

function drained(response: ServerResponse, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      gone.removeEventListener('abort', done);
      resolve();
    };
    response.on('drain', done);
    gone.addEventListener('abort', done);
  });
}
