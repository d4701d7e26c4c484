/**
 * Session ids of legacy clients: a random part, and what the client declared that it can be asked. So any replica knows
 * it and none stores it; whoever changes the id lies about nobody but itself.
 */
import { createSessionId } from '@database-mcp/service';
import { ASK_NOTHING, isAskKey, toAskKey, type AskKey } from './client-capabilities.ts';

const SEPARATOR = '.';

/** The id for the answer to `initialize`, whose params are given. */
export function createAskableSessionId(params: { capabilities?: unknown }): string {
  const key = toAskKey(params.capabilities);
  return key === ASK_NOTHING ? createSessionId() : `${createSessionId()}${SEPARATOR}${key}`;
}

/** What the client with this id can be asked; ids that the gateway did not make say nothing. */
export function askKeyOf(sessionId: string): AskKey {
  const at = sessionId.lastIndexOf(SEPARATOR);
  if (at === -1) return ASK_NOTHING;
  const key = sessionId.slice(at + 1);
  return isAskKey(key) ? key : ASK_NOTHING;
}
