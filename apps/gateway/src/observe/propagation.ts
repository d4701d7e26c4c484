/**
 * Trace context in and out (SEP-414): `params._meta` is the parent of a message, the HTTP headers belong to the transport
 * and are linked; without `_meta` they are the parent. On the way to an upstream both say the gateway's own span.
 */
import { formatTraceparent, parseBaggage, parseTraceparent, type TraceContext } from '@database-mcp/telemetry';
import { isObject } from '../edge/classify.ts';
import { findValue, forEachMember, isKey, type Span } from '../json-spans.ts';
import type { UpstreamRequest } from '../upstream/upstream.ts';

/** The context that a message came with. */
export interface InboundContext {
  parent: TraceContext | undefined;
  /** The span of the HTTP request, where the message has a parent of its own. */
  link: TraceContext | undefined;
  baggage: string | undefined;
}

const TRACEPARENT = 'traceparent';
const TRACESTATE = 'tracestate';
const BAGGAGE = 'baggage';
const TRACE_KEYS = [TRACEPARENT, TRACESTATE, BAGGAGE];
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Reads the context; what is malformed counts as missing. */
export function readContext(body: unknown, headers: Readonly<Record<string, string>>): InboundContext {
  const params = isObject(body) ? body['params'] : undefined;
  const meta = isObject(params) ? params['_meta'] : undefined;
  const fromHeaders = parseTraceparent(headers[TRACEPARENT], headers[TRACESTATE]);
  const fromMeta = isObject(meta) ? parseTraceparent(meta[TRACEPARENT], meta[TRACESTATE]) : undefined;
  const metaBaggage = isObject(meta) ? parseBaggage(meta[BAGGAGE]) : undefined;
  if (!fromMeta) {
    return { parent: fromHeaders, link: undefined, baggage: metaBaggage ?? parseBaggage(headers[BAGGAGE]) };
  }
  const isSame = fromHeaders?.traceId === fromMeta.traceId && fromHeaders.spanId === fromMeta.spanId;
  return { parent: fromMeta, link: isSame ? undefined : fromHeaders, baggage: metaBaggage };
}

/** The request with this context in `params._meta` and in its headers, in place of any other; the rest keeps its bytes. */
export function injectContext(
  request: UpstreamRequest,
  context: TraceContext,
  baggage: string | undefined,
): UpstreamRequest {
  const members: [string, string][] = [[TRACEPARENT, formatTraceparent(context)]];
  if (context.state !== undefined) members.push([TRACESTATE, context.state]);
  if (baggage !== undefined) members.push([BAGGAGE, baggage]);
  const headers: Record<string, string> = { ...request.headers };
  delete headers[TRACESTATE];
  delete headers[BAGGAGE];
  for (const [name, value] of members) headers[name] = value;
  return { ...request, body: injectMeta(request.body, members), headers };
}

/** `_meta` with these members; without it, or without `params`, they are made. */
function injectMeta(body: Buffer, members: readonly (readonly [string, string])[]): Buffer {
  const text = members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',');
  const top = findValue(body);
  if (!top || body[top.start] !== OPEN_BRACE) return body;
  const params = findValue(body, 'params');
  if (!params) return insertFirst(body, top, `"params":{"_meta":{${text}}}`);
  if (body[params.start] !== OPEN_BRACE) return body;
  const meta = findValue(body, 'params', '_meta');
  if (!meta) return insertFirst(body, params, `"_meta":{${text}}`);
  if (body[meta.start] !== OPEN_BRACE) return body;
  return replaceMembers(body, meta, text);
}

function insertFirst(body: Buffer, object: Span, text: string): Buffer {
  const at = object.start + 1;
  const separator = isEmpty(body, object) ? '' : ',';
  return Buffer.concat([body.subarray(0, at), Buffer.from(`${text}${separator}`), body.subarray(at)]);
}

function isEmpty(body: Buffer, object: Span): boolean {
  let at = object.start + 1;
  while ((body[at] ?? 0) <= 0x20) at++;
  return body[at] === CLOSE_BRACE;
}

/** All other members of the object stay as they are, in their order; the new ones stand before them. */
function replaceMembers(body: Buffer, object: Span, text: string): Buffer {
  const pieces: Buffer[] = [body.subarray(0, object.start + 1), Buffer.from(text)];
  let hasTraceKey = false;
  const kept: Span[] = [];
  forEachMember(body, object.start, (keyStart, keyEnd, value) => {
    if (TRACE_KEYS.some((key) => isKey(body, keyStart, keyEnd, key))) hasTraceKey = true;
    else kept.push({ start: keyStart, end: value.end });
  });
  if (!hasTraceKey) return insertFirst(body, object, text);
  for (const { start, end } of kept) pieces.push(Buffer.from(','), body.subarray(start, end));
  pieces.push(body.subarray(object.end - 1));
  return Buffer.concat(pieces);
}
