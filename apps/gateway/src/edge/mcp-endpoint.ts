/** The `/mcp` endpoint (Streamable HTTP, every era): reads and parses a body once, has it classified, has it served. */
import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isJsonContentType } from '@modelcontextprotocol/server';
import { JSON_RPC_ERROR } from '@database-mcp/errors';
import {
  createStatelessSessions,
  ENDED_SESSION,
  MALFORMED_SESSION,
  readBody,
  readSessionId,
  refuseBody,
  refuseSession,
  sendJsonText,
  serveOtherMethod,
  SESSION_HEADER,
  type RawHandler,
  type SessionRefusal,
  type StatelessSessions,
} from '@database-mcp/service';
import { LOG_FIELD, type Logger } from '@database-mcp/telemetry';
import { createOpenAsks, type OpenAsks } from '../asks/open-asks.ts';
import { askKeyOf, createAskableSessionId } from '../asks/session-id.ts';
import { prefersEventStream } from './accept.ts';
import { errorAnswer, idTextOf } from './answers.ts';
import { serveBatch } from './batch.ts';
import type { Classifier, Verdict } from './classify.ts';
import { isObject } from '../protocol.ts';
import { pickForwardHeaders } from './forward-headers.ts';
import { isCostly } from '../json-spans.ts';
import { createHttpOutlet, openChannel } from './http-reply.ts';
import { callsOf, cancelledId, watchCancellation, type Cancellation, type ClientCalls } from './legacy-cancellation.ts';
import { serveMessage } from './serve-message.ts';
import type { GatewayCore } from './gateway-core.ts';

/** What the endpoint needs. */
export interface EndpointOptions {
  core: GatewayCore;
  classifier: Classifier;
  maxBodyBytes: number;
  /** Proxies commonly end streams that are quiet for 30 to 60 s. */
  keepAliveMs: number;
  logger: Logger;
}

/**
 * Parsing costs about half a microsecond for each array or object, and for each member of a very large object, however
 * short they are: a largest body full of empty arrays would stop everything else for a second. One in so many bytes at
 * most makes that less than a tenth of it.
 */
const BYTES_PER_CONTAINER = 32;
const BYTES_PER_MEMBER = 128;
/** So many cost nothing worth a refusal, whatever the limit is. */
const ALWAYS_ALLOWED = 10_000;
/** No request has this id, which is not JSON. */
const OWN_STREAM = 'stream';
const HTTP_BAD_REQUEST = 400;
const HTTP_TOO_LARGE = 413;
const HTTP_WRONG_TYPE = 415;
const HTTP_INTERNAL = 500;
const TOO_MANY_STREAMS: SessionRefusal = {
  status: 503,
  code: JSON_RPC_ERROR.INTERNAL_ERROR,
  message:
    'There are too many open streams already. Calls are served without one; poll tools/list, or try again later.',
};

/** Creates the handler of `/mcp`. */
export function createMcpEndpoint(options: EndpointOptions): RawHandler {
  const clients = { sessions: createStatelessSessions(), asks: createOpenAsks() };
  return (request, response) => {
    serve(options, clients, request, response).catch((error: unknown) =>
      failInternally(options.logger, response, error),
    );
  };
}

/** Answers a fault of our own: logged with its cause, told without it; `idText` is that of the request, if it is known. */
export function failInternally(logger: Logger, response: ServerResponse, error: unknown, idText = 'null'): void {
  const text = logInternal(logger, error);
  if (response.headersSent) response.destroy();
  else sendJsonText(response, HTTP_INTERNAL, errorAnswer(idText, JSON_RPC_ERROR.INTERNAL_ERROR, text));
}

/** Logs a fault of our own; gives the text that a client may see. */
export function logInternal(logger: Logger, error: unknown): string {
  const reference = randomUUID();
  logger.error({ err: error, [LOG_FIELD.REFERENCE]: reference }, 'serving a message failed');
  return `Internal error. The gateway's log holds the cause under the reference ${reference}.`;
}

/** A body that was read and parsed; anything else has been answered already. */
export interface ReadMessage {
  bytes: Buffer;
  body: unknown;
}

/** Reads and parses the body of a POST, or answers why that cannot be. */
export async function readMessage(
  request: IncomingMessage,
  response: ServerResponse,
  maxBodyBytes: number,
): Promise<ReadMessage | undefined> {
  if (!isJsonContentType(request.headers['content-type'])) {
    refuse(response, HTTP_WRONG_TYPE, JSON_RPC_ERROR.INVALID_REQUEST, 'The Content-Type must be application/json.');
    return undefined;
  }
  const read = await readBody(request, maxBodyBytes);
  if (read.kind === 'aborted') return undefined;
  if (read.kind === 'too-large') {
    const text = `The request body is larger than ${maxBodyBytes} bytes. Send less in one call (limit: maxBodyBytes in gateway.yaml).`;
    refuseBody(
      request,
      response,
      HTTP_TOO_LARGE,
      JSON.parse(errorAnswer('null', JSON_RPC_ERROR.INVALID_REQUEST, text)),
    );
    return undefined;
  }
  const { bytes } = read;
  if (!isUtf8(bytes)) {
    refuse(response, HTTP_BAD_REQUEST, JSON_RPC_ERROR.PARSE_ERROR, 'Parse error: the body is not valid UTF-8.');
    return undefined;
  }
  if (isTooCostly(bytes, maxBodyBytes)) {
    const text =
      'The request body holds too many arrays, objects or members for its length. Send less in one call (limit: maxBodyBytes in gateway.yaml).';
    refuse(response, HTTP_TOO_LARGE, JSON_RPC_ERROR.INVALID_REQUEST, text);
    return undefined;
  }
  try {
    return { bytes, body: JSON.parse(bytes.toString('utf8')) };
  } catch {
    refuse(response, HTTP_BAD_REQUEST, JSON_RPC_ERROR.PARSE_ERROR, 'Parse error: the body is not valid JSON.');
    return undefined;
  }
}

/** Bodies of common size are not looked at: they cannot hold so much. */
function isTooCostly(bytes: Buffer, maxBodyBytes: number): boolean {
  const containers = Math.max(ALWAYS_ALLOWED, Math.floor(maxBodyBytes / BYTES_PER_CONTAINER));
  const members = Math.max(ALWAYS_ALLOWED, Math.floor(maxBodyBytes / BYTES_PER_MEMBER));
  return bytes.length > containers && isCostly(bytes, { containers, members });
}

/** What is remembered of legacy clients: their calls in progress, what they are asked during these, and which have left. */
interface LegacyClients {
  sessions: StatelessSessions;
  asks: OpenAsks;
}

/** The stream of a legacy client for what belongs to no request; here that is which lists have changed. */
function openStream(
  { subscriptions }: GatewayCore,
  sessions: StatelessSessions,
  session: string | undefined,
  response: ServerResponse,
): void {
  // A client that opens another one has lost the first; nothing may be told it twice.
  if (session !== undefined) sessions.cancel(session, OWN_STREAM);
  if (!subscriptions.openLegacy(() => openChannel(response))) return refuseSession(response, TOO_MANY_STREAMS);
  response.flushHeaders();
  if (session === undefined) return;
  const forget = sessions.add(session, OWN_STREAM, () => response.end());
  response.on('close', forget);
}

async function serve(
  options: EndpointOptions,
  { sessions, asks: openAsks }: LegacyClients,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'POST') {
    return serveOtherMethod(sessions, request, response, (id) => openStream(options.core, sessions, id, response));
  }
  const session = readSessionId(request.headers);
  if (session === false) return refuseSession(response, MALFORMED_SESSION);
  const message = await readMessage(request, response, options.maxBodyBytes);
  if (!message) return;
  // Not before the body is there: from here to its entry among the calls in progress a call waits for nothing.
  if (session !== undefined && sessions.isEnded(session)) return refuseSession(response, ENDED_SESSION);
  const { headers } = request;
  const verdict = options.classifier.classify(
    {
      version: text(headers['mcp-protocol-version']),
      method: text(headers['mcp-method']),
      name: text(headers['mcp-name']),
    },
    message.body,
  );
  const forwarded = pickForwardHeaders(headers);
  if (verdict.kind === 'request' && verdict.era === 'legacy' && verdict.method === 'initialize') {
    response.setHeader(SESSION_HEADER, createAskableSessionId(verdict.params));
  }
  const asks = session === undefined ? undefined : openAsks.of(session);
  const calls = session === undefined || !asks ? undefined : callsOf(sessions, session, asks);
  const cancellation = calls && followCalls(calls, message, verdict, response);
  const prefersEvents = isLegacyRequest(verdict) && prefersEventStream(headers.accept);
  const outlet = createHttpOutlet(response, { keepAliveMs: options.keepAliveMs, cancellation, prefersEvents });
  if (verdict.kind === 'batch') {
    const closed = new AbortController();
    response.on('close', () => closed.abort());
    const batch = { ...message, verdict, headers: forwarded, peer: request.socket };
    return serveBatch(options, batch, outlet, closed.signal, calls);
  }
  const client = session === undefined ? undefined : asks?.client(askKeyOf(session));
  try {
    const { socket: peer } = request;
    return await serveMessage(options.core, { ...message, verdict, headers: forwarded, peer, client }, outlet);
  } catch (error) {
    return failInternally(options.logger, response, error, idTextOf(message.bytes, message.body));
  }
}

/** Does what a cancellation says, takes an answer, or makes a call one that can be cancelled. */
function followCalls(
  calls: ClientCalls,
  { body, bytes }: ReadMessage,
  verdict: Verdict,
  response: ServerResponse,
): Cancellation | undefined {
  if (verdict.kind === 'no-reply' && isObject(body)) calls.answer(body, bytes);
  const cancelled = cancelledId(verdict);
  if (cancelled !== undefined) calls.cancel(cancelled);
  if (verdict.kind !== 'call' && verdict.kind !== 'request') return undefined;
  return isObject(body) ? watchCancellation(calls, JSON.stringify(body['id']), response) : undefined;
}

/** Batches are left out: their answer is one array, which clients read from JSON only. */
function isLegacyRequest(verdict: Verdict): boolean {
  return (verdict.kind === 'call' || verdict.kind === 'request') && verdict.era === 'legacy';
}

function text(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}

function refuse(response: ServerResponse, status: number, code: number, message: string): void {
  sendJsonText(response, status, errorAnswer('null', code, message));
}
