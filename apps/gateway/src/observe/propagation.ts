/**
 * Trace context in and out (SEP-414): `params._meta` is the parent of a message, the HTTP headers belong to the transport
 * and are linked; without `_meta` they are the parent. On the way to an upstream both say the gateway's own span.
 */
import { formatTraceparent, parseBaggage, parseTraceparent, type TraceContext } from '@database-mcp/telemetry';
import { isObject } from '../protocol.ts';
import { findMember, forEachMember, isKey, type Span } from '../json-spans.ts';
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
const CARRIED = [TRACESTATE, BAGGAGE];
const TRACE_HEADERS: ReadonlySet<string> = new Set([TRACEPARENT, TRACESTATE, BAGGAGE]);
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
  // A `delete` of what is not there would make every further look at the object slow.
  for (const name of CARRIED) if (headers[name] !== undefined) delete headers[name];
  for (const [name, value] of members) headers[name] = value;
  return { ...request, body: injectMeta(request.body, members), headers };
}

/** The headers that {@link injectContext} has set. */
export function pickTraceHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => TRACE_HEADERS.has(name)));
}

/** `_meta` with these members; without it, or without `params`, they are made. */
function injectMeta(body: Buffer, members: readonly (readonly [string, string])[]): Buffer {
  const text = members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',');
  const top = body.indexOf(OPEN_BRACE);
  const params = findMember(body, top, 'params');
  if (!params) return insertFirst(body, top, `"params":{"_meta":{${text}}}`);
  if (body[params.start] !== OPEN_BRACE) return body;
  const meta = findMember(body, params.start, '_meta');
  if (!meta) return insertFirst(body, params.start, `"_meta":{${text}}`);
  if (body[meta.start] !== OPEN_BRACE) return body;
  return replaceMembers(body, meta, text);
}

/** The object that starts there, with this text before its members. */
function insertFirst(body: Buffer, start: number, text: string): Buffer {
  const added = isEmpty(body, start) ? text : `${text},`;
  // The text is visible ASCII: parsed as a header may hold it, and written by JSON.stringify.
  const result = Buffer.allocUnsafe(body.length + added.length);
  body.copy(result, 0, 0, start + 1);
  result.write(added, start + 1, 'latin1');
  body.copy(result, start + 1 + added.length, start + 1);
  return result;
}

function isEmpty(body: Buffer, start: number): boolean {
  let at = start + 1;
  while ((body[at] ?? 0) <= 0x20) at++;
  return body[at] === CLOSE_BRACE;
}

/** All other members of the object stay as they are, in their order; the new ones stand before them. */
function replaceMembers(body: Buffer, object: Span, text: string): Buffer {
  const pieces: Buffer[] = [body.subarray(0, object.start + 1), Buffer.from(text)];
  let hasTraceKey = false;
  const kept: Span[] = [];
  forEachMember(body, object.start, (keyStart, keyEnd, value) => {
    if (isTraceKey(body, keyStart, keyEnd)) hasTraceKey = true;
    else kept.push({ start: keyStart, end: value.end });
  });
  if (!hasTraceKey) return insertFirst(body, object.start, text);
  for (const { start, end } of kept) pieces.push(Buffer.from(','), body.subarray(start, end));
  pieces.push(body.subarray(object.end - 1));
  return Buffer.concat(pieces);
}

function isTraceKey(body: Buffer, start: number, end: number): boolean {
  return (
    isKey(body, start, end, TRACEPARENT) || isKey(body, start, end, TRACESTATE) || isKey(body, start, end, BAGGAGE)
  );
}
