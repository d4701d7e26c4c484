/**
 * Asks one upstream what it offers: every page of its tools, kept as source text, and its instructions.
 * Decides nothing about names or other upstreams.
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
} from '@modelcontextprotocol/server';
import { isObject, MODERN_VERSION, type JsonObject } from '../edge/classify.ts';
import { findMember, findValue, listElements, type Span } from '../json-spans.ts';
import { collectReply } from '../upstream/collect-reply.ts';
import type { CallFailure, Upstream, UpstreamRequest } from '../upstream/upstream.ts';

/** One tool as the upstream described it. */
export interface ToolSource {
  name: string;
  /** The tool object, byte for byte. */
  text: Buffer;
  /** Where in `text` the value of `name` stands. */
  nameSpan: Span;
}

/** Everything one upstream offers. */
export interface UpstreamLists {
  tools: ToolSource[];
  /** Undefined when the upstream gave none. */
  ttlMs?: number;
  cacheScope: 'public' | 'private';
  instructions?: string;
  /** What was wrong with tools that were left out. */
  problems: string[];
}

/** The outcome of one request to an upstream: its result, or why there is none. */
export type FetchOutcome<T> = { kind: 'value'; value: T } | { kind: 'failed'; reason: string; failure?: CallFailure };

/** A list of more than this is not kept: a thousand tools with long schemas are about 4 MiB. */
const MAX_LIST_BYTES = 16 * 1024 * 1024;
const MAX_PAGES = 1_000;
/** One request for a list or for `server/discover`; a server that needs longer counts as down. */
const REQUEST_TIMEOUT_MS = 5_000;

/** Fetches the whole list and the instructions. */
export async function fetchLists(upstream: Upstream, version: string): Promise<FetchOutcome<UpstreamLists>> {
  const lists: UpstreamLists = { tools: [], cacheScope: 'public', problems: [] };
  let cursor: unknown;
  for (let page = 0; page < MAX_PAGES; page++) {
    const params = cursor === undefined ? {} : { cursor };
    const fetched = await ask(upstream, 'tools/list', params, version);
    if (fetched.kind === 'failed') return fetched;
    const { result, text } = fetched.value;
    if (!Array.isArray(result['tools'])) return { kind: 'failed', reason: 'its tools/list result has no tools array' };
    addTools(lists, result['tools'], text);
    if (page === 0 && typeof result['ttlMs'] === 'number') lists.ttlMs = result['ttlMs'];
    if (result['cacheScope'] === 'private') lists.cacheScope = 'private';
    cursor = result['nextCursor'];
    if (typeof cursor !== 'string') {
      const discovered = await fetchInstructions(upstream, version);
      return { kind: 'value', value: { ...lists, instructions: discovered } };
    }
  }
  return { kind: 'failed', reason: `its tools/list has more than ${MAX_PAGES} pages` };
}

/** Whether the upstream answers at all. */
export async function probeUpstream(upstream: Upstream, version: string): Promise<boolean> {
  const answer = await ask(upstream, 'server/discover', {}, version);
  // A JSON-RPC error or an odd result is an answer too; only lists decide whether it is one that can be used.
  return answer.kind === 'value' || answer.failure === undefined || answer.failure.kind === 'protocol-fault';
}

async function fetchInstructions(upstream: Upstream, version: string): Promise<string | undefined> {
  const discovered = await ask(upstream, 'server/discover', {}, version);
  const instructions = discovered.kind === 'value' ? discovered.value.result['instructions'] : undefined;
  return typeof instructions === 'string' && instructions.trim() !== '' ? instructions.trim() : undefined;
}

function addTools(lists: UpstreamLists, tools: readonly unknown[], text: Buffer): void {
  const array = findValue(text, 'result', 'tools');
  if (!array) return;
  for (const [index, span] of listElements(text, array.start).entries()) {
    const problem = findToolProblem(tools[index]);
    const nameSpan = problem === undefined ? findMember(text, span.start, 'name') : undefined;
    if (!nameSpan) {
      lists.problems.push(`tool ${index + 1} of the list: ${problem ?? 'its name was not found'}`);
      continue;
    }
    lists.tools.push({
      name: JSON.parse(text.toString('utf8', nameSpan.start, nameSpan.end)),
      // A copy, so that the kept tool does not hold the whole page in memory.
      text: Buffer.from(text.subarray(span.start, span.end)),
      nameSpan: { start: nameSpan.start - span.start, end: nameSpan.end - span.start },
    });
  }
}

/** Why clients could not use the tool, or undefined (MCP 2026-07-28 server/tools, S31). */
function findToolProblem(tool: unknown): string | undefined {
  if (!isObject(tool)) return 'it is no object';
  const { name, description, inputSchema, outputSchema, annotations } = tool;
  if (typeof name !== 'string' || name === '') return 'it has no name';
  const label = JSON.stringify(name);
  if (!isObject(inputSchema) || inputSchema['type'] !== 'object') return `${label} has no inputSchema of type object`;
  if (description !== undefined && typeof description !== 'string') return `${label} has a description that is no text`;
  if (outputSchema !== undefined && !isObject(outputSchema)) return `${label} has an outputSchema that is no object`;
  if (annotations !== undefined && !isObject(annotations)) return `${label} has annotations that are no object`;
  return undefined;
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
  };
}

function createRequest(method: string, params: JsonObject, version: string): UpstreamRequest {
  const meta = {
    [PROTOCOL_VERSION_META_KEY]: MODERN_VERSION,
    [CLIENT_INFO_META_KEY]: { name: 'database-mcp-gateway', version },
    [CLIENT_CAPABILITIES_META_KEY]: {},
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
