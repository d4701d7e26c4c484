/** The attributes that spans of the same method and tool have in common, made once for each. */
import { ATTRIBUTE, EXECUTE_TOOL, type Attributes, type SharedAttributes } from '@database-mcp/telemetry';
import type { Origin, Target } from '../upstream/upstream.ts';

/** Attributes that are the same for every HTTP hop. */
const HTTP_ATTRIBUTES: Attributes = {
  [ATTRIBUTE.TRANSPORT]: 'tcp',
  [ATTRIBUTE.NETWORK_PROTOCOL]: 'http',
  [ATTRIBUTE.NETWORK_PROTOCOL_VERSION]: '1.1',
};
/** Methods, revisions and listed names are few; more means that lists change all the time, and then it begins anew. */
const MAX_SETS = 4_096;
/** Names that clients made up are told, but not at any length. */
const MAX_CLIENT_CHARS = 256;

/** Gives the attributes of a message, apart from its request id and the other end. */
export type SharedAttributesOf = (
  message: Pick<Origin, 'method' | 'protocolVersion'>,
  target: Target | undefined,
) => SharedAttributes;

/** `hop`: what all spans have besides; it may take attributes of HTTP away. */
export function createSharedAttributes(hop: Attributes): SharedAttributesOf {
  const sets = new Map<string, SharedAttributes>();
  return (message, target) => {
    // What is in no list is made up by a client, and not worth keeping.
    if (target && !target.isListed) return { attributes: toAttributes(message, target, hop) };
    const key = `${message.method} ${message.protocolVersion} ${target?.kind} ${target?.name}`;
    const known = sets.get(key);
    if (known) return known;
    const created = { attributes: toAttributes(message, target, hop) };
    if (sets.size >= MAX_SETS) sets.clear();
    sets.set(key, created);
    return created;
  };
}

function toAttributes(
  { method, protocolVersion }: Pick<Origin, 'method' | 'protocolVersion'>,
  target: Target | undefined,
  hop: Attributes,
): Attributes {
  const name = target && cutClientText(target.name);
  return {
    [ATTRIBUTE.METHOD]: method,
    [ATTRIBUTE.TOOL]: target?.kind === 'tool' ? name : undefined,
    [ATTRIBUTE.PROMPT]: target?.kind === 'prompt' ? name : undefined,
    [ATTRIBUTE.RESOURCE_URI]: target?.kind === 'uri' ? name : undefined,
    [ATTRIBUTE.OPERATION]: target?.kind === 'tool' ? EXECUTE_TOOL : undefined,
    [ATTRIBUTE.PROTOCOL_VERSION]: protocolVersion,
    ...HTTP_ATTRIBUTES,
    ...hop,
  };
}

/** A client's text, cut if it is long. */
export function cutClientText(text: string): string {
  return text.length <= MAX_CLIENT_CHARS ? text : text.slice(0, MAX_CLIENT_CHARS);
}
