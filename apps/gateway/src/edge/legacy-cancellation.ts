/**
 * `notifications/cancelled` of the `initialize` revisions over stateless HTTP: it comes as a request of its own, and
 * finds the call that it means by the session id that `initialize` gave and that no process stores.
 */
import type { ServerResponse } from 'node:http';
import type { StatelessSessions } from '@database-mcp/service';
import type { ClientAsks } from '../asks/open-asks.ts';
import type { Verdict } from './classify.ts';
import type { JsonObject } from '../protocol.ts';

/** Says that a reply was cancelled by its client. */
export interface Cancellation {
  isCancelled: boolean;
  onCancel?: () => void;
}

/** The calls in progress of one client, and what it is asked during them; ids are JSON text. */
export interface ClientCalls {
  /** Makes a call one that can be cancelled, until the returned function is called. */
  add(idText: string, cancel: () => void): () => void;
  cancel(idText: string): void;
  /** Takes what may be an answer to something that it was asked. */
  answer(message: JsonObject, bytes: Buffer): void;
}

/** The calls that come with this session id. */
export function callsOf(sessions: StatelessSessions, session: string, asks: ClientAsks): ClientCalls {
  return {
    answer: asks.answer,
    add: (idText, cancel) => sessions.add(session, idText, cancel),
    cancel: (idText) => sessions.cancel(session, idText),
  };
}

/** Makes one call cancellable until its response is out. */
export function watchCancellation(calls: ClientCalls, idText: string, response: ServerResponse): Cancellation {
  const cancellation: Cancellation = { isCancelled: false };
  const forget = calls.add(idText, () => {
    cancellation.isCancelled = true;
    cancellation.onCancel?.();
  });
  response.on('close', forget);
  return cancellation;
}

/** The request that a notification cancels, as JSON text; undefined if it cancels none. */
export function cancelledId(verdict: Verdict): string | undefined {
  if (verdict.kind !== 'no-reply' || verdict.method !== 'notifications/cancelled') return undefined;
  const { requestId } = verdict.params;
  return typeof requestId === 'string' || typeof requestId === 'number' ? JSON.stringify(requestId) : undefined;
}
