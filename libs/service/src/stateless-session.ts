/**
 * Session ids of the `initialize` revisions that no process keeps: the client gets a random one, sends it with every
 * request, and any process takes any of them. All that a process remembers is which of its calls in progress came with
 * which id, so that `notifications/cancelled`, a request of its own, finds the call that it means.
 */
import { randomUUID } from 'node:crypto';

/** The header, in lower case. */
export const SESSION_HEADER = 'mcp-session-id';

/** Visible ASCII (MCP 2025-11-25, transports); the length is ours. */
const SESSION_ID = /^[\x21-\x7e]{1,128}$/;

/** A session id nobody can guess, for the answer to `initialize`. */
export function createSessionId(): string {
  return randomUUID();
}

/** Whether the text has the form of a session id; whose it is, nobody knows. */
export function isSessionId(text: unknown): text is string {
  return typeof text === 'string' && SESSION_ID.test(text);
}

/** The calls in progress of one process that their clients can cancel. */
export interface CancellableCalls {
  /** Remembers a call until the returned function is called. */
  add(session: string, requestId: string, cancel: () => void): () => void;
  /** Cancels the call, if it is in progress here. */
  cancel(session: string, requestId: string): void;
  readonly size: number;
}

/** Creates an empty set; request ids are given as JSON text, so that `1` and `"1"` differ. */
export function createCancellableCalls(): CancellableCalls {
  const calls = new Map<string, () => void>();
  return {
    add(session, requestId, cancel) {
      // A session id holds no space, so no two pairs have the same key.
      const key = `${session} ${requestId}`;
      calls.set(key, cancel);
      return () => {
        // A client that uses an id twice at a time has taken the place of its first call.
        if (calls.get(key) === cancel) calls.delete(key);
      };
    },
    cancel(session, requestId) {
      const key = `${session} ${requestId}`;
      const cancel = calls.get(key);
      calls.delete(key);
      cancel?.();
    },
    get size() {
      return calls.size;
    },
  };
}
