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
import { MODERN_VERSION, type Era, type JsonObject } from '../edge/classify.ts';
import { findValue, listMembers, type Span } from '../json-spans.ts';

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

/** A client's request as a legacy server understands it, under the gateway's own id and progress token. */
export function toLegacyRequest(body: Buffer, id: number): Buffer {
  const params = findValue(body, 'params');
  const meta = findValue(body, 'params', '_meta');
  if (!params || !meta) return editMessage(body, { id: String(id) });
  const hasToken = findValue(body, 'params', '_meta', 'progressToken') !== undefined;
  const kept = editObject(body, meta, hasToken ? { ...REMOVED_ENVELOPE, progressToken: String(id) } : REMOVED_ENVELOPE);
  const newMeta = kept.toString('latin1') === EMPTY_OBJECT ? undefined : kept;
  return editMessage(body, { id: String(id), params: editObject(body, params, { _meta: newMeta }) });
}

/** A legacy client's request as a server of the modern revision alone understands it. */
export function toModernRequest(body: Buffer, clientInfo: JsonObject): Buffer {
  const envelope: MemberEdits = {
    [PROTOCOL_VERSION_META_KEY]: JSON.stringify(MODERN_VERSION),
    [CLIENT_INFO_META_KEY]: JSON.stringify(clientInfo),
    // What a modern server asks its client within a call cannot reach one that has no stream for it.
    [CLIENT_CAPABILITIES_META_KEY]: EMPTY_OBJECT,
  };
  return withMeta(body, envelope);
}

/** A legacy server's answer with the client's id, and with what a modern client expects besides. */
export function fromLegacyResult(
  message: Buffer,
  to: { era: Era; idText: string; method: string; serverInfo: string },
): Buffer {
  const result = findValue(message, 'result');
  if (!result || to.era === 'legacy') return editMessage(message, { id: to.idText });
  const meta = findValue(message, 'result', '_meta');
  const stamp = { [SERVER_INFO_META_KEY]: to.serverInfo };
  const newMeta = meta ? editObject(message, meta, stamp) : editMessage(Buffer.from(EMPTY_OBJECT), stamp);
  // A legacy server gives no hints; without them a modern client must not keep what it has read.
  const hints = to.method === 'resources/read' ? { ttlMs: '0', cacheScope: '"private"' } : {};
  const edited = editObject(message, result, { ...hints, resultType: '"complete"', _meta: newMeta });
  return editMessage(message, { id: to.idText, result: edited });
}

/** A modern server's result without the members that a legacy client does not know. */
export function fromModernResult(message: Buffer): Buffer {
  const result = findValue(message, 'result');
  if (!result) return message;
  const meta = findValue(message, 'result', '_meta');
  const kept = meta && editObject(message, meta, { [SERVER_INFO_META_KEY]: undefined });
  const removed = { resultType: undefined, ttlMs: undefined, cacheScope: undefined };
  const edits = kept ? { ...removed, _meta: kept.toString('latin1') === EMPTY_OBJECT ? undefined : kept } : removed;
  return editMessage(message, { result: editObject(message, result, edits) });
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

/** The event of a stream that holds the message. Line breaks stand only between tokens, where a space does as well. */
export function toEvent(message: Buffer): Buffer {
  const line = message.includes('\n') || message.includes('\r') ? unbroken(message) : message;
  return Buffer.concat([Buffer.from('event: message\ndata: '), line, Buffer.from('\n\n')]);
}

/** The message on one line. */
export function unbroken(message: Buffer): Buffer {
  return Buffer.from(message.toString('utf8').replace(/[\r\n]/g, ' '));
}
