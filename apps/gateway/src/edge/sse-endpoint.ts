/** The endpoints of the HTTP+SSE transport (2024-11-05, deprecated), for clients that know no other: `/sse`, `/messages`. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { JSON_RPC_ERROR } from '@database-mcp/errors';
import { sendJsonText, type RawHandler } from '@database-mcp/service';
import { createOpenAsks, type OpenAsks } from '../asks/open-asks.ts';
import { agreedVersion, errorAnswer, idTextOf } from './answers.ts';
import { serveBatch } from './batch.ts';
import { isObject } from '../protocol.ts';
import { pickForwardHeaders } from './forward-headers.ts';
import { failInternally, logInternal, readMessage, type EndpointOptions } from './mcp-endpoint.ts';
import { EVENT_STREAM_HEADERS } from './http-reply.ts';
import { cancelledId } from './legacy-cancellation.ts';
import { serveMessage } from './serve-message.ts';
import { SseSession } from './sse-session.ts';
import { toListChanged, type ChangingList } from './subscriptions.ts';

/** The two endpoints and what ends them. */
export interface SseEndpoint {
  /** `/sse` */
  stream: RawHandler;
  /** `/messages` */
  messages: RawHandler;
  /** Tells every session that is initialised: these lists are other ones. */
  listsChanged(lists: ReadonlySet<ChangingList>): void;
  /** Ends every session as soon as its answers are out. */
  drain(): void;
}

/** Each session holds a connection and a timer; clients that share this gateway are people, not crowds. */
const MAX_SESSIONS = 256;
/** Requests of one session that are not answered yet. */
const MAX_PENDING = 64;
/** Answers that a client does not read are kept in memory up to this much. */
const MAX_BACKLOG_BYTES = 8 * 1024 * 1024;

const HTTP_OK = 200;
const HTTP_ACCEPTED = 202;
const HTTP_NOT_FOUND = 404;
const HTTP_METHOD_NOT_ALLOWED = 405;
const HTTP_TOO_MANY = 429;
const HTTP_UNAVAILABLE = 503;

/** Creates the endpoints. */
export function createSseEndpoint(options: EndpointOptions): SseEndpoint {
  const sessions = new Map<string, SseSession>();
  const asks = createOpenAsks();
  let isDraining = false;
  return {
    stream: (request, response) => {
      if (request.method !== 'GET') return refuseMethod(response, 'GET');
      if (isDraining) return refuse(response, HTTP_UNAVAILABLE, 'The gateway is ending; connect again.');
      if (sessions.size >= MAX_SESSIONS) {
        const text = `There are ${MAX_SESSIONS} sessions already. Close one, or use /mcp, which has no such limit.`;
        return refuse(response, HTTP_UNAVAILABLE, text);
      }
      openSession(sessions, asks, response, options.keepAliveMs);
    },
    messages: (request, response) => {
      if (request.method !== 'POST') return refuseMethod(response, 'POST');
      const session = sessions.get(sessionIdOf(request));
      if (!session) return refuse(response, HTTP_NOT_FOUND, 'There is no such session (any more): open /sse again.');
      serve(options, session, request, response).catch((error: unknown) =>
        failInternally(options.logger, response, error),
      );
    },
    listsChanged: (lists) => {
      for (const session of sessions.values()) {
        for (const list of lists) session.notify(toListChanged(list));
      }
    },
    drain: () => {
      isDraining = true;
      sessions.forEach((session) => session.drain());
    },
  };
}

function openSession(
  sessions: Map<string, SseSession>,
  asks: OpenAsks,
  response: ServerResponse,
  keepAliveMs: number,
): void {
  const id = randomUUID();
  response.writeHead(HTTP_OK, EVENT_STREAM_HEADERS);
  response.write(`event: endpoint\ndata: /messages?sessionId=${id}\n\n`);
  sessions.set(id, new SseSession(response, keepAliveMs, asks.of(id), () => sessions.delete(id)));
}

function sessionIdOf(request: IncomingMessage): string {
  return new URL(request.url ?? '/', 'http://localhost').searchParams.get('sessionId') ?? '';
}

async function serve(
  options: EndpointOptions,
  session: SseSession,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const message = await readMessage(request, response, options.maxBodyBytes);
  if (!message) return;
  const verdict = options.classifier.classify({}, message.body);
  // Answers to what the client was asked, and cancellations, are what makes room.
  const isRequest = verdict.kind !== 'no-reply';
  if (isRequest && (session.pending >= MAX_PENDING || session.backlog > MAX_BACKLOG_BYTES)) {
    const text = `This session has ${session.pending} requests in progress and ${session.backlog} bytes unread; read the stream and try again.`;
    return refuse(response, HTTP_TOO_MANY, text);
  }
  if (verdict.kind === 'reject' && verdict.status !== HTTP_OK) {
    const idText = idTextOf(message.bytes, message.body);
    return sendJsonText(response, verdict.status, errorAnswer(idText, verdict.code, verdict.message, verdict.data));
  }
  if (verdict.kind === 'request' && verdict.method === 'initialize') {
    session.version = agreedVersion(verdict.params['protocolVersion']);
    session.declare(verdict.params['capabilities']);
  }
  const headers = pickForwardHeaders(pickHeaders(request, session.version));
  const forwarded = { ...message, headers, peer: request.socket, client: session.client };
  response.writeHead(HTTP_ACCEPTED, { 'content-length': 0 });
  response.end();
  if (verdict.kind === 'no-reply') {
    if (verdict.method === 'notifications/initialized') session.isInitialized = true;
    const cancelled = cancelledId(verdict);
    if (cancelled !== undefined) session.cancel(cancelled);
    if (isObject(message.body)) session.answer(message.body, message.bytes);
    return;
  }
  const outlet = session.createOutlet(isObject(message.body) ? message.body['id'] : undefined);
  try {
    if (verdict.kind === 'batch') await serveBatch(options, { ...forwarded, verdict }, outlet, session.closed, session);
    else await serveMessage(options.core, { ...forwarded, verdict }, outlet);
  } catch (error) {
    const text = logInternal(options.logger, error);
    outlet.send(HTTP_OK, errorAnswer(idTextOf(message.bytes, message.body), JSON_RPC_ERROR.INTERNAL_ERROR, text));
  }
}

/** The session's messages go on in the revision of its handshake, whatever the client's POST says of its transport. */
function pickHeaders({ headers }: IncomingMessage, version: string | undefined): IncomingMessage['headers'] {
  const { traceparent, tracestate, baggage } = headers;
  const trace = { traceparent, tracestate, baggage };
  return version === undefined ? trace : { ...trace, 'mcp-protocol-version': version };
}

function refuseMethod(response: ServerResponse, allowed: string): void {
  response.setHeader('allow', allowed);
  refuse(response, HTTP_METHOD_NOT_ALLOWED, `Only ${allowed} is served here.`);
}

function refuse(response: ServerResponse, status: number, message: string): void {
  sendJsonText(response, status, errorAnswer('null', JSON_RPC_ERROR.INVALID_REQUEST, message));
}
