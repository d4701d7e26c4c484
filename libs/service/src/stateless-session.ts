/**
 * Session ids of the `initialize` revisions that no process keeps: the client gets a random one, sends it with every
 * request, and any process takes any of them. A process remembers two things of them: which of its calls in progress
 * came with which id, so that `notifications/cancelled`, a request of its own, finds the call that it means; and which
 * ids were ended here, so that they are refused from then on.
 */
import { randomUUID } from 'node:crypto';

/** The header, in lower case. */
export const SESSION_HEADER = 'mcp-session-id';

/** Visible ASCII (MCP 2025-11-25, transports); the length is ours. */
const SESSION_ID = /^[\x21-\x7e]{1,128}$/;

/** About 2 MB at most; the ids of clients that end their sessions properly last for hours in it. */
const MAX_ENDED = 10_000;

/** A session id nobody can guess, for the answer to `initialize`. */
export function createSessionId(): string {
  return randomUUID();
}

/** Whether the text has the form of a session id; whose it is, nobody knows. */
export function isSessionId(text: unknown): text is string {
  return typeof text === 'string' && SESSION_ID.test(text);
}

/** What one process knows of sessions; request ids are given as JSON text, so that `1` and `"1"` differ. */
export interface StatelessSessions {
  /** Remembers a call until the returned function is called. */
  add(session: string, requestId: string, cancel: () => void): () => void;
  /** Cancels the call, if it is in progress here. */
  cancel(session: string, requestId: string): void;
  /**
   * Cancels all calls of a session that are in progress here, and remembers that it has ended. The latest 10,000 are
   * remembered, by this process alone: another replica, and this one after a restart or so many ends later, take the id
   * again. So does whoever floods it with ids of his own make the oldest be forgotten. It harms nobody: an id opens
   * nothing that a new one does not.
   */
  end(session: string): void;
  /** Whether its client has ended it here. */
  isEnded(session: string): boolean;
  /** The calls in progress. */
  readonly size: number;
}

/** Creates what knows of no call and no end yet. */
export function createStatelessSessions(): StatelessSessions {
  const calls = new Map<string, () => void>();
  const ended = new Set<string>();
  return {
    add(session, requestId, cancel) {
      const key = keyOf(session, requestId);
      calls.set(key, cancel);
      return () => {
        // A client that uses an id twice at a time has taken the place of its first call.
        if (calls.get(key) === cancel) calls.delete(key);
      };
    },
    cancel(session, requestId) {
      const key = keyOf(session, requestId);
      const cancel = calls.get(key);
      calls.delete(key);
      cancel?.();
    },
    end(session) {
      ended.add(session);
      const [oldest] = ended;
      if (ended.size > MAX_ENDED && oldest !== undefined) ended.delete(oldest);
      const prefix = keyOf(session, '');
      for (const [key, cancel] of calls) {
        if (!key.startsWith(prefix)) continue;
        calls.delete(key);
        cancel();
      }
    },
    isEnded: (session) => ended.has(session),
    get size() {
      return calls.size;
    },
  };
}

/** A session id holds no space, so no two pairs have the same key. */
function keyOf(session: string, requestId: string): string {
  return `${session} ${requestId}`;
}
