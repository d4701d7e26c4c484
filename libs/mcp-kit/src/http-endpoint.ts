/**
 * Connects a `node:http` request to the SDK's web-standard handler. Our own rather than the SDK's adapter, because the
 * body is parsed here (bounded, large integers exact) and the adapter would serialise it again.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { McpHttpHandler } from '@modelcontextprotocol/server';
import { JSON_RPC_ERROR, toJsonRpcError } from '@database-mcp/errors';
import { sendJson, sendJsonText, type RawHandler } from '@database-mcp/service';
import type { Logger } from '@database-mcp/telemetry';
import { readMessage } from './read-message.ts';

/** Creates the handler of `/mcp`. */
export function createHttpEndpoint(handler: McpHttpHandler, logger: Logger): RawHandler {
  return (request, response) => {
    serve(handler, request, response).catch((error: unknown) => {
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

async function serve(handler: McpHttpHandler, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  const method = request.method ?? 'GET';
  let parsedBody: unknown;
  if (method === 'POST') {
    const read = await readMessage(request, response);
    if (!read) return;
    parsedBody = read.message;
  }
  const webRequest = new Request('http://localhost/mcp', { method, headers: toHeaders(request), signal: gone.signal });
  const answer = await handler.fetch(webRequest, parsedBody === undefined ? {} : { parsedBody });
  await send(answer, response, gone.signal);
}

function toHeaders(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value === 'string') headers.set(name, value);
    else for (const item of value ?? []) headers.append(name, item);
  }
  return headers;
}

async function send(answer: Response, response: ServerResponse, gone: AbortSignal): Promise<void> {
  if (!answer.body) {
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end();
    return;
  }
  if (answer.headers.get('content-type')?.startsWith('application/json')) {
    sendJsonText(response, answer.status, Buffer.from(await answer.arrayBuffer()));
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
