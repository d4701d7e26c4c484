/**
 * Cancelling over HTTP: a client that goes away, and a client of the `initialize` revisions that says so in a request of
 * its own, for one call or for its session. Each request has a server instance of its own, so the SDK cannot bring the
 * two together.
 */
import type { ServerResponse } from 'node:http';
import { createSessionId, SESSION_HEADER, type StatelessSessions } from '@database-mcp/service';

/** Gives `initialize` its id, does what `notifications/cancelled` says, and makes any request one that can be cancelled. */
export function watchCancellation(
  sessions: StatelessSessions,
  session: string | undefined,
  message: unknown,
  response: ServerResponse,
  gone: AbortController,
): void {
  const ids: string[] = [];
  for (const each of Array.isArray(message) ? message : [message]) {
    if (!isObject(each)) continue;
    if (each['method'] === 'initialize') response.setHeader(SESSION_HEADER, createSessionId());
    if (session === undefined) continue;
    const id = toIdText(each['id']);
    if (id === undefined) cancelNamed(sessions, session, each);
    else ids.push(id);
  }
  const [first] = ids;
  if (session === undefined || first === undefined) return;
  // The elements of a batch are answered together: none can be cancelled by its own id, but all end with their session.
  const key = Array.isArray(message) ? `[${ids.join(',')}]` : first;
  const forget = sessions.add(session, key, () => endUnanswered(response, gone));
  response.on('close', forget);
}

function cancelNamed(sessions: StatelessSessions, session: string, message: Record<string, unknown>): void {
  if (message['method'] !== 'notifications/cancelled' || !isObject(message['params'])) return;
  const id = toIdText(message['params']['requestId']);
  if (id !== undefined) sessions.cancel(session, id);
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
