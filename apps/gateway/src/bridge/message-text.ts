/**
 * Rewrites JSON-RPC messages between the eras as source text: only the members that belong to an era change, so that
 * numbers beyond 2^53, unknown members and the order of keys survive. Every text here has passed `JSON.parse` before.
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  LOG_LEVEL_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  SERVER_INFO_META_KEY,
  SUBSCRIPTION_ID_META_KEY,
} from '@modelcontextprotocol/server';
import { MODERN_VERSION, type Era, type JsonObject } from '../protocol.ts';
import { findValue, listMembers, type Span } from '../json-spans.ts';
import { JsonSplicer, type SpliceRules } from '../json-splicer.ts';

/** What becomes of members: new source text (in place, or added at the end), or undefined to remove them. */
export type MemberEdits = Readonly<Record<string, string | Buffer | undefined>>;

/** The object at `span` with its members edited; all others keep their bytes. */
export function editObject(text: Buffer, span: Span, edits: MemberEdits): Buffer {
  const parts: (string | Buffer)[] = [];
  const placed = new Set<string>();
  for (const { key, start, value } of listMembers(text, span.start)) {
    if (!Object.hasOwn(edits, key)) parts.push(text.subarray(start, value.end));
    else if (edits[key] !== undefined && !placed.has(key)) parts.push(member(key, edits[key]));
    placed.add(key);
  }
  for (const [key, value] of Object.entries(edits)) {
    if (value !== undefined && !placed.has(key)) parts.push(member(key, value));
  }
  const joined = parts.flatMap((part, index) => [index === 0 ? '{' : ',', part]);
  return Buffer.concat([...(parts.length === 0 ? ['{'] : joined), '}'].map((part) => Buffer.from(part)));
}

function member(key: string, value: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(key)}:`), Buffer.from(value)]);
}

/** The whole message with its top members edited. */
export function editMessage(message: Buffer, edits: MemberEdits): Buffer {
  const whole = findValue(message);
  return whole ? editObject(message, whole, edits) : message;
}

/** The source text of the value at `path`, or undefined. */
export function sourceOf(text: Buffer, ...path: readonly string[]): string | undefined {
  const span = findValue(text, ...path);
  return span && text.toString('utf8', span.start, span.end);
}

const EMPTY_OBJECT = '{}';
const REMOVED_ENVELOPE: MemberEdits = {
  [PROTOCOL_VERSION_META_KEY]: undefined,
  [CLIENT_INFO_META_KEY]: undefined,
  [CLIENT_CAPABILITIES_META_KEY]: undefined,
  [LOG_LEVEL_META_KEY]: undefined,
  [SUBSCRIPTION_ID_META_KEY]: undefined,
};

/** What a modern client sends with its retry; the gateway takes it out of what legacy servers get. */
const REMOVED_RETRY: MemberEdits = { inputResponses: undefined, requestState: undefined };

/** A client's request as a legacy server understands it, under the gateway's own id and progress token. */
export function toLegacyRequest(body: Buffer, id: number): Buffer {
  const params = findValue(body, 'params');
  const meta = findValue(body, 'params', '_meta');
  if (!params || !meta) return editMessage(body, { id: String(id) });
  const hasToken = findValue(body, 'params', '_meta', 'progressToken') !== undefined;
  const kept = editObject(body, meta, hasToken ? { ...REMOVED_ENVELOPE, progressToken: String(id) } : REMOVED_ENVELOPE);
  const newMeta = kept.toString('latin1') === EMPTY_OBJECT ? undefined : kept;
  const isModern = findValue(body, 'params', '_meta', PROTOCOL_VERSION_META_KEY) !== undefined;
  const edits = { ...(isModern ? REMOVED_RETRY : {}), _meta: newMeta };
  return editMessage(body, { id: String(id), params: editObject(body, params, edits) });
}

/** A legacy client's request as a server of the modern revision alone understands it. */
export function toModernRequest(body: Buffer, clientInfo: JsonObject, capabilities: JsonObject): Buffer {
  const envelope: MemberEdits = {
    [PROTOCOL_VERSION_META_KEY]: JSON.stringify(MODERN_VERSION),
    [CLIENT_INFO_META_KEY]: JSON.stringify(clientInfo),
    [CLIENT_CAPABILITIES_META_KEY]: JSON.stringify(capabilities),
  };
  return withMeta(body, envelope);
}

/** What becomes of a legacy server's result: it gets the client's id, and what a modern client expects besides. */
export function legacyResultRules(to: { era: Era; idText: string; method: string; serverInfo: string }): SpliceRules {
  const edits = { id: to.idText };
  if (to.era === 'legacy') return { edits };
  // A legacy server gives no hints; without them a modern client must not keep what it has read.
  const hints = to.method === 'resources/read' ? { ttlMs: '0', cacheScope: '"private"' } : {};
  const stamp = { edits: { [SERVER_INFO_META_KEY]: to.serverInfo } };
  return { edits, within: { result: { edits: { ...hints, resultType: '"complete"' }, within: { _meta: stamp } } } };
}

/** What becomes of a modern server's result: it loses the members that a legacy client does not know. */
export const MODERN_RESULT_RULES: SpliceRules = {
  within: {
    result: {
      edits: { resultType: undefined, ttlMs: undefined, cacheScope: undefined },
      within: { _meta: { edits: { [SERVER_INFO_META_KEY]: undefined }, isOmittedEmpty: true } },
    },
  },
};

/** The message with a result, edited by these rules. */
export function spliceResult(message: Buffer, rules: SpliceRules): Buffer {
  return findValue(message, 'result') ? new JsonSplicer(rules).push(message) : message;
}

/** The request or notification with members of its `params._meta` edited. */
export function withMeta(message: Buffer, edits: MemberEdits): Buffer {
  const params = findValue(message, 'params');
  const meta = findValue(message, 'params', '_meta');
  const newMeta = meta ? editObject(message, meta, edits) : editMessage(Buffer.from(EMPTY_OBJECT), edits);
  const newParams = params
    ? editObject(message, params, { _meta: newMeta })
    : editMessage(Buffer.from(EMPTY_OBJECT), { _meta: newMeta });
  return editMessage(message, { params: newParams });
}

/** The params of a request without the token under which its sender wants to hear of progress. */
export function withoutProgressToken(params: Buffer): Buffer {
  const meta = findValue(params, '_meta');
  if (!meta || !findValue(params, '_meta', 'progressToken')) return params;
  const kept = editObject(params, meta, { progressToken: undefined });
  return editMessage(params, { _meta: kept.toString('latin1') === EMPTY_OBJECT ? undefined : kept });
}
