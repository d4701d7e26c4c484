/**
 * What clients were asked on the streams of their calls and have not answered yet. An answer comes as a message of its
 * own; it is brought together with its question by an id that nobody can guess, and by the client's session.
 */
import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../protocol.ts';
import type { AskableClient, OpenAsk } from '../upstream/upstream.ts';
import { ASK_NOTHING, type AskKey } from './client-capabilities.ts';

/** The questions of one endpoint that are open. */
export interface OpenAsks {
  /** Those of the client with this session id. */
  of(session: string): ClientAsks;
  readonly size: number;
}

/** What one client is asked. */
export interface ClientAsks {
  /** The client of a call; undefined when it cannot be asked anything. */
  client(canDo: AskKey): AskableClient | undefined;
  /** Takes an answer. One that nobody waits for (any more), or to what another client was asked, is dropped. */
  answer(message: JsonObject, bytes: Buffer): void;
}

/** Each is a person or a model that thinks; more than this are not waiting at one process. */
const MAX_OPEN = 1_000;

/** Creates an empty set. */
export function createOpenAsks(): OpenAsks {
  const waiting = new Map<string, (answer: Buffer) => void>();
  const ask = (session: string, onAnswer: (answer: Buffer) => void): OpenAsk | undefined => {
    if (waiting.size >= MAX_OPEN) return undefined;
    const id = randomUUID();
    const key = keyOf(session, id);
    waiting.set(key, onAnswer);
    return { idText: JSON.stringify(id), forget: () => void waiting.delete(key) };
  };
  return {
    of: (session) => ({
      client: (canDo) =>
        canDo === ASK_NOTHING ? undefined : { session, canDo, ask: (onAnswer) => ask(session, onAnswer) },
      answer(message, bytes) {
        if (!isAnswer(message)) return;
        const key = keyOf(session, message['id']);
        const onAnswer = waiting.get(key);
        waiting.delete(key);
        onAnswer?.(bytes);
      },
    }),
    get size() {
      return waiting.size;
    },
  };
}

/** A session id holds no space, so no two pairs have the same key. */
function keyOf(session: string, id: unknown): string {
  return `${String(id)} ${session}`;
}

function isAnswer(message: JsonObject): boolean {
  return message['method'] === undefined && typeof message['id'] === 'string';
}
