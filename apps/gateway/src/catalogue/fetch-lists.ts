/**
 * Asks one upstream what it offers: every page of the lists that it declares, and its instructions.
 * Decides nothing about names or other upstreams.
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
} from '@modelcontextprotocol/server';
import { JSON_RPC_ERROR } from '@database-mcp/errors';
import { isObject, MODERN_VERSION, type JsonObject } from '../protocol.ts';
import { collectReply } from '../upstream/collect-reply.ts';
import type { CallFailure, Upstream, UpstreamRequest } from '../upstream/upstream.ts';
import { LISTING_CAPABILITIES } from './capabilities.ts';
import { forEachKind, LIST_KINDS, type KindSpec, type ListKind } from './kinds.ts';
import { readItems, type ListItem, type ReadItems } from './list-items.ts';

/** For how long a result may be kept, and with whom it may be shared. */
export interface Freshness {
  /** Undefined when the upstream gave none. */
  ttlMs?: number;
  cacheScope: 'public' | 'private';
}

/** Everything one upstream offers. */
export interface UpstreamLists {
  /** What it declared in `server/discover`; undefined when it declared nothing. */
  capabilities?: JsonObject;
  items: Record<ListKind, readonly ListItem[]>;
  freshness: Record<ListKind | 'discover', Freshness>;
  instructions?: string;
  /** What was wrong with items that were left out. */
  problems: string[];
}

/** The outcome of one request to an upstream: its result, or why there is none. */
export type FetchOutcome<T> =
  { kind: 'value'; value: T } | { kind: 'failed'; reason: string; failure?: CallFailure; code?: unknown };

/** A list of more than this is not kept: a thousand tools with long schemas are about 4 MiB. */
const MAX_LIST_BYTES = 16 * 1024 * 1024;
const MAX_PAGES = 1_000;
/** One request for a list or for `server/discover`; a server that needs longer counts as down. */
const REQUEST_TIMEOUT_MS = 5_000;

/**
 * Fetches all lists that the upstream declares. What it fails to tell this time (while its tools can be had) is taken
 * from what it told before, so that nothing flaps.
 */
export async function fetchLists(
  upstream: Upstream,
  version: string,
  before?: UpstreamLists,
): Promise<FetchOutcome<UpstreamLists>> {
  const discovered = await discover(upstream, version, before);
  if (discovered.kind === 'failed') return discovered;
  const lists = discovered.value;
  for (const spec of LIST_KINDS) {
    if (!isDeclared(lists.capabilities, spec)) continue;
    const fetched = await fetchKindAgain(upstream, version, spec);
    if (fetched.kind === 'value') {
      lists.items[spec.kind] = fetched.value.items;
      lists.freshness[spec.kind] = fetched.value.freshness;
      lists.problems.push(...fetched.value.problems);
      continue;
    }
    // An error answer to a further list is a fault of that list alone; without an answer the upstream is down.
    if (spec.kind === 'tools' || fetched.failure !== undefined) return fetched;
    lists.items[spec.kind] = before?.items[spec.kind] ?? [];
    lists.problems.push(`its ${spec.method}: ${fetched.reason}`);
  }
  return { kind: 'value', value: lists };
}

/** Tools are what servers are for: one that declares nothing at all is asked for them. */
function isDeclared(capabilities: JsonObject | undefined, spec: KindSpec): boolean {
  return capabilities === undefined ? spec.kind === 'tools' : isObject(capabilities[spec.capability]);
}

async function discover(
  upstream: Upstream,
  version: string,
  before?: UpstreamLists,
): Promise<FetchOutcome<UpstreamLists>> {
  const answer = await ask(upstream, 'server/discover', {}, version);
  const lists: UpstreamLists = {
    items: forEachKind(() => []),
    freshness: { ...forEachKind(() => PUBLIC), discover: PUBLIC },
    problems: [],
  };
  if (answer.kind === 'failed') {
    // Any answer is good enough to go on with; none means that the server is down, and is asked again soon.
    const { failure } = answer;
    if (failure && failure.kind !== 'protocol-fault' && failure.kind !== 'not-mcp') return answer;
    if (before) Object.assign(lists, { capabilities: before.capabilities, instructions: before.instructions });
    return { kind: 'value', value: lists };
  }
  const { capabilities, instructions } = answer.value.result;
  lists.freshness.discover = addFreshness(undefined, answer.value.result);
  if (isObject(capabilities)) lists.capabilities = capabilities;
  if (typeof instructions === 'string' && instructions.trim() !== '') lists.instructions = instructions.trim();
  return { kind: 'value', value: lists };
}

const PUBLIC: Freshness = { cacheScope: 'public' };

type KindOutcome = FetchOutcome<ReadItems & { freshness: Freshness }>;

/** A list that changes while it is walked makes its cursors invalid: then it is walked from the start once more (S28). */
async function fetchKindAgain(upstream: Upstream, version: string, spec: KindSpec): Promise<KindOutcome> {
  const walked = { pages: 0 };
  const fetched = await fetchKind(upstream, version, spec, walked);
  const isStale = fetched.kind === 'failed' && fetched.code === JSON_RPC_ERROR.INVALID_PARAMS && walked.pages > 0;
  return isStale ? fetchKind(upstream, version, spec, { pages: 0 }) : fetched;
}

async function fetchKind(
  upstream: Upstream,
  version: string,
  spec: KindSpec,
  walked: { pages: number },
): Promise<KindOutcome> {
  const all: ReadItems = { items: [], problems: [] };
  let freshness: Freshness | undefined;
  let cursor: unknown;
  let bytes = 0;
  for (; walked.pages < MAX_PAGES; walked.pages++) {
    const params = cursor === undefined ? {} : { cursor };
    const fetched = await ask(upstream, spec.method, params, version);
    if (fetched.kind === 'failed') return fetched;
    const { result, text } = fetched.value;
    const values = result[spec.member];
    if (!Array.isArray(values)) {
      return { kind: 'failed', reason: `its ${spec.method} result has no ${spec.member} array` };
    }
    bytes += text.length;
    if (bytes > MAX_LIST_BYTES) {
      return { kind: 'failed', reason: `its ${spec.method} is larger than ${MAX_LIST_BYTES} bytes` };
    }
    const read = readItems(spec, values, text, 'result', spec.member);
    all.items.push(...read.items);
    all.problems.push(...read.problems);
    freshness = addFreshness(freshness, result);
    const { nextCursor } = result;
    if (typeof nextCursor !== 'string') return { kind: 'value', value: { ...all, freshness } };
    if (nextCursor === cursor) {
      return { kind: 'failed', reason: `its ${spec.method} names the same page again and again` };
    }
    cursor = nextCursor;
  }
  return { kind: 'failed', reason: `its ${spec.method} has more than ${MAX_PAGES} pages` };
}

/** Of several pages the shortest time counts, and one private page makes all private (S26, S27, G10). */
function addFreshness(before: Freshness | undefined, { ttlMs, cacheScope }: JsonObject): Freshness {
  const given = typeof ttlMs === 'number' && Number.isInteger(ttlMs) && ttlMs >= 0 ? ttlMs : undefined;
  const known = before?.ttlMs;
  return {
    ttlMs: given === undefined || known === undefined ? (given ?? known) : Math.min(given, known),
    cacheScope: before?.cacheScope === 'private' || cacheScope === 'private' ? 'private' : 'public',
  };
}

/** Whether the upstream answers at all. */
export async function probeUpstream(upstream: Upstream, version: string): Promise<boolean> {
  const answer = await ask(upstream, 'server/discover', {}, version);
  // A JSON-RPC error or an odd result is an answer too; only lists decide whether it is one that can be used.
  return answer.kind === 'value' || answer.failure === undefined || answer.failure.kind === 'protocol-fault';
}

async function ask(
  upstream: Upstream,
  method: string,
  params: JsonObject,
  version: string,
): Promise<FetchOutcome<{ result: JsonObject; text: Buffer }>> {
  const reply = await collectReply(
    (receiver) => upstream.probe(createRequest(method, params, version), receiver, REQUEST_TIMEOUT_MS),
    MAX_LIST_BYTES,
  );
  if (reply.kind === 'failed') return { kind: 'failed', reason: reply.failure.kind, failure: reply.failure };
  if (reply.kind === 'too-large')
    return { kind: 'failed', reason: `its answer is larger than ${MAX_LIST_BYTES} bytes` };
  let message: unknown;
  try {
    message = JSON.parse(reply.message.toString('utf8'));
  } catch {
    return { kind: 'failed', reason: `its answer to ${method} is not valid JSON` };
  }
  if (isObject(message) && isObject(message['result'])) {
    return { kind: 'value', value: { result: message['result'], text: reply.message } };
  }
  const code = isObject(message) && isObject(message['error']) ? message['error']['code'] : undefined;
  return {
    kind: 'failed',
    reason: code === undefined ? `its answer to ${method} is no result` : `error ${String(code)}`,
    code,
  };
}

function createRequest(method: string, params: JsonObject, version: string): UpstreamRequest {
  const meta = {
    [PROTOCOL_VERSION_META_KEY]: MODERN_VERSION,
    [CLIENT_INFO_META_KEY]: { name: 'database-mcp-gateway', version },
    [CLIENT_CAPABILITIES_META_KEY]: LISTING_CAPABILITIES,
  };
  return {
    body: Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } })),
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': MODERN_VERSION,
      'mcp-method': method,
    },
  };
}
