/**
 * Cancelling over HTTP: a client that goes away, and a client of the `initialize` revisions that says so in a request of
 * its own. Each request has a server instance of its own, so the SDK cannot bring the two together.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { JSON_RPC_ERROR, toJsonRpcError } from '@database-mcp/errors';
import { createSessionId, isSessionId, sendJson, SESSION_HEADER, type CancellableCalls } from '@database-mcp/service';

/** The revision that knows no sessions and cancels by closing the stream. */
const MODERN_VERSION = '2026-07-28';

/** The session id that a request carries; `kind: 'refused'`: it was answered. */
export type SessionOutcome = { kind: 'none' } | { kind: 'session'; id: string } | { kind: 'refused' };

/** Reads the header; only its form can be wrong. */
export function readSession(request: IncomingMessage, response: ServerResponse): SessionOutcome {
  const id = request.headers[SESSION_HEADER];
  if (id === undefined || request.headers['mcp-protocol-version'] === MODERN_VERSION) return { kind: 'none' };
  if (isSessionId(id)) return { kind: 'session', id };
  const text = 'The Mcp-Session-Id header is no session id: send the one that the answer to initialize gave.';
  sendJson(response, 400, toJsonRpcError(null, JSON_RPC_ERROR.INVALID_REQUEST, text));
  return { kind: 'refused' };
}

/** Gives `initialize` its id, does what `notifications/cancelled` says, and makes any request one that can be cancelled. */
export function watchCancellation(
  calls: CancellableCalls,
  session: string | undefined,
  message: unknown,
  response: ServerResponse,
  gone: AbortController,
): void {
  for (const each of Array.isArray(message) ? message : [message]) {
    if (!isObject(each)) continue;
    if (each['method'] === 'initialize') response.setHeader(SESSION_HEADER, createSessionId());
    if (session === undefined) continue;
    const id = toIdText(each['id']);
    if (id === undefined) cancelNamed(calls, session, each);
    // The elements of a batch are answered together, so none of them can be ended alone.
    else if (!Array.isArray(message)) {
      const forget = calls.add(session, id, () => endUnanswered(response, gone));
      response.on('close', forget);
    }
  }
}

function cancelNamed(calls: CancellableCalls, session: string, message: Record<string, unknown>): void {
  if (message['method'] !== 'notifications/cancelled' || !isObject(message['params'])) return;
  const id = toIdText(message['params']['requestId']);
  if (id !== undefined) calls.cancel(session, id);
}

/** A cancelled request has no answer: its stream ends without one. */
function endUnanswered(response: ServerResponse, gone: AbortController): void {
  gone.abort();
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end();
}

function toIdText(id: unknown): string | undefined {
  if (typeof id === 'string') return JSON.stringify(id);
  return typeof id === 'number' || typeof id === 'bigint' ? String(id) : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
