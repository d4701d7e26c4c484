/** What an MCP endpoint does with the session of a request, and with requests that are no POST. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { JSON_RPC_ERROR, toJsonRpcError } from '@database-mcp/errors';
import { sendJson } from './http-body.ts';
import { isSessionId, SESSION_HEADER, type StatelessSessions } from './stateless-session.ts';

/** Why a request is refused: the HTTP status, and what its JSON-RPC error says. */
export interface SessionRefusal {
  status: number;
  code: number;
  message: string;
}

/** The revision that knows no sessions. */
const MODERN_VERSION = '2026-07-28';
const HTTP_NO_CONTENT = 204;
const HTTP_BAD_REQUEST = 400;
const HTTP_NOT_FOUND = 404;
const HTTP_METHOD_NOT_ALLOWED = 405;

/** The header holds something else. */
export const MALFORMED_SESSION: SessionRefusal = {
  status: HTTP_BAD_REQUEST,
  code: JSON_RPC_ERROR.INVALID_REQUEST,
  message: 'The Mcp-Session-Id header is no session id: send the one that the answer to initialize gave.',
};

/** With this status clients begin anew (MCP 2025-11-25, session management). */
export const ENDED_SESSION: SessionRefusal = {
  status: HTTP_NOT_FOUND,
  code: JSON_RPC_ERROR.SESSION_NOT_FOUND,
  message: 'This session was ended by its client: send initialize again, without an Mcp-Session-Id header.',
};

const NO_SESSION: SessionRefusal = {
  status: HTTP_BAD_REQUEST,
  code: JSON_RPC_ERROR.INVALID_REQUEST,
  message:
    'DELETE ends a session of the revisions that begin with initialize: send the Mcp-Session-Id header that names it.',
};

const STREAM_CONDITIONS =
  ' GET opens a stream of notifications for clients of the revisions with initialize: it needs Accept: text/event-stream, and no Last-Event-ID.';

/** The session id of a request; `undefined` without one, false if it is malformed. */
export function readSessionId(headers: IncomingHttpHeaders): string | undefined | false {
  const id = headers[SESSION_HEADER];
  // Modern requests have no session; the header of one is to be ignored (S20).
  if (id === undefined || headers['mcp-protocol-version'] === MODERN_VERSION) return undefined;
  return isSessionId(id) && id;
}

/** Answers why a request is not served. */
export function refuseSession(response: ServerResponse, { status, code, message }: SessionRefusal): void {
  sendJson(response, status, toJsonRpcError(null, code, message));
}

/**
 * Answers what is no POST: DELETE ends a session; GET opens a stream of its client's where `openStream` is given, which
 * gets the session id, if there is one.
 */
export function serveOtherMethod(
  sessions: StatelessSessions,
  { method, headers }: IncomingMessage,
  response: ServerResponse,
  openStream?: (session: string | undefined) => void,
): void {
  const stream = method === 'GET' && wantsStream(headers) ? openStream : undefined;
  if (method !== 'DELETE' && !stream) {
    response.setHeader('allow', openStream ? 'POST, DELETE, GET' : 'POST, DELETE');
    const get = openStream ? STREAM_CONDITIONS : '';
    const message = `${method} is not served here: this endpoint answers POST, and DELETE to end a session.${get}`;
    return refuseSession(response, { status: HTTP_METHOD_NOT_ALLOWED, code: JSON_RPC_ERROR.INVALID_REQUEST, message });
  }
  const session = readSessionId(headers);
  if (session === undefined && !stream) return refuseSession(response, NO_SESSION);
  if (session === false) return refuseSession(response, MALFORMED_SESSION);
  if (session !== undefined && sessions.isEnded(session)) return refuseSession(response, ENDED_SESSION);
  if (stream) return stream(session);
  if (session !== undefined) sessions.end(session);
  response.writeHead(HTTP_NO_CONTENT).end();
}

/** Of the revisions with `initialize`, and not the rest of an earlier stream, of which nothing is kept. */
function wantsStream(headers: IncomingHttpHeaders): boolean {
  const { accept = '' } = headers;
  if (headers['mcp-protocol-version'] === MODERN_VERSION || headers['last-event-id'] !== undefined) return false;
  return accept.toLowerCase().includes('text/event-stream');
}
