/**
 * Qdrant over its REST interface: the only file that opens connections to it. Owns the connections, the bound on
 * answers and which endpoints exist for us (they all only read); what the answers mean is told by the files beside it.
 */
import { Pool, type Dispatcher } from 'undici';
import { closestName, ToolError } from '@database-mcp/errors';
import { createDatabaseTelemetry, type DatabaseTelemetry, type OperationReport } from '@database-mcp/mcp-kit';
import { NO_TELEMETRY, type Telemetry } from '@database-mcp/telemetry';
import { toCollection, type Collection } from './collection.ts';
import { describeRequest, type Operation } from './describe-statement.ts';
import {
  isStaleConnection,
  notQdrantError,
  silentError,
  statusOf,
  toAnswerError,
  toConnectionError,
} from './http-failure.ts';
import { describeAccess } from './key-access.ts';
import { field, isObject, parseExactJson, printExactJson, type Json, type JsonObject } from './values.ts';

/** Where Qdrant is. */
export interface DatabaseOptions {
  url: string;
  apiKey?: string | undefined;
  /** Default: none. */
  telemetry?: Telemetry;
}

/** One search by a dense vector. */
export interface SearchRequest {
  collection: string;
  vector: readonly number[];
  /** Name of the vector; '' is the default one. */
  using: string;
  filter: JsonObject | undefined;
  limit: number;
  offset?: number;
  withPayload: boolean;
}

/** A point that a search found. */
export interface Hit {
  id: Json;
  score: Json;
  payload: JsonObject;
}

/** What this server is connected to, for the log. */
export interface DatabaseRole {
  server: string;
  version: string;
  /** A sentence about what the key may do. */
  access: string;
}

/** The operations that tools need. Each ends its request when the signal, which is that of a call, is aborted. */
export interface Database {
  /** All names, sorted. */
  listCollections(signal: AbortSignal): Promise<string[]>;
  /** Throws NOT_FOUND with the nearest name. */
  getCollection(name: string, signal: AbortSignal): Promise<Collection>;
  search(request: SearchRequest, signal: AbortSignal): Promise<Hit[]>;
  /** Payloads of the first points, whole floats told apart from integers. */
  samplePayloads(collection: string, limit: number, signal: AbortSignal): Promise<JsonObject[]>;
  describeRole(signal: AbortSignal): Promise<DatabaseRole>;
  /** Rejects when Qdrant cannot be used now. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

const DEFAULT_PORT = 6333;
/** Two searches with large payloads on each of a few parallel calls stay far below the memory of a small container. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** More than one list call opens at once, so that searches never wait behind it. */
const MAX_CONNECTIONS = 16;
/** A host that does not answer at all is told within two seconds. */
const CONNECT_TIMEOUT_MS = 1_500;
const PING_TIMEOUT_MS = 2_000;
/** Names in the hint of an unknown collection. */
const MAX_NAMES = 20;

/** Connects lazily: creating it neither fails nor waits. */
export function createDatabase(options: DatabaseOptions): Database {
  const url = new URL(options.url);
  const base = url.pathname.replace(/\/+$/, '');
  const pool = new Pool(url.origin, {
    connections: MAX_CONNECTIONS,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    // The caller's deadline ends a request; no second clock.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const telemetry = openTelemetry(url, options, pool);
  const exchange = createSender(pool, base, options.apiKey);
  const send: Send = (call, signal) => {
    const { operation, collection } = call;
    const describe = () => describeRequest(operation, collection);
    return telemetry.observe({ signal, operation, collection, describe }, (report) => exchange(call, signal, report));
  };

  const listCollections = async (signal: AbortSignal): Promise<string[]> => {
    const result = await send(LIST, signal);
    const collections = field(result, 'collections');
    if (!Array.isArray(collections)) throw notQdrantError('no list of collections');
    return collections.map((collection) => String(field(collection, 'name'))).toSorted();
  };
  const onCollection = async (name: string, call: Call, signal: AbortSignal): Promise<Json> => {
    try {
      const path = `/collections/${toPathSegment(name)}${call.path}`;
      return await send({ ...call, path, collection: name }, signal);
    } catch (error) {
      if (!(error instanceof ToolError) || error.code !== 'NOT_FOUND') throw error;
      const names = await listCollections(signal).catch((): string[] => []);
      throw names.includes(name) ? error : toUnknownCollection(name, names);
    }
  };

  return {
    listCollections,
    getCollection: async (name, signal) =>
      toCollection(await onCollection(name, { operation: 'get_collection', method: 'GET', path: '' }, signal)),
    async search(request, signal) {
      const call: Call = {
        operation: 'query_points',
        method: 'POST',
        path: '/points/query',
        body: toSearchBody(request),
      };
      return pointsOf(await onCollection(request.collection, call, signal)).map(toHit);
    },
    async samplePayloads(collection, limit, signal) {
      const body = { limit, with_payload: true, with_vector: false };
      const call: Call = {
        operation: 'scroll_points',
        method: 'POST',
        path: '/points/scroll',
        body,
        wholeFloats: true,
      };
      return pointsOf(await onCollection(collection, call, signal)).map((point) => toHit(point).payload);
    },
    async describeRole(signal) {
      const about = await send({ operation: 'root', method: 'GET', path: '/', isBare: true }, signal);
      return {
        server: String(field(about, 'title') ?? 'unknown'),
        version: String(field(about, 'version') ?? 'unknown'),
        access: describeAccess(options.apiKey),
      };
    },
    async ping() {
      const limit = AbortSignal.timeout(PING_TIMEOUT_MS);
      // A probe is no work of anybody's, so nothing is told of it.
      await exchange(LIST, limit, {}).catch((error: unknown) => {
        throw limit.aborted ? silentError(PING_TIMEOUT_MS, error) : error;
      });
    },
    // Calls that are still wanted have ended before; what is left hangs.
    close: () => pool.destroy(),
  };
}

/** A request to Qdrant. Only endpoints that read are ever written here. */
interface Call {
  operation: Operation;
  collection?: string;
  method: 'GET' | 'POST';
  path: string;
  body?: unknown;
  wholeFloats?: boolean;
  /** The answer is not in the envelope with `result`. */
  isBare?: boolean;
}

const LIST: Call = { operation: 'get_collections', method: 'GET', path: '/collections' };

type Send = (call: Call, signal: AbortSignal) => Promise<Json>;
type Exchange = (call: Call, signal: AbortSignal, report: OperationReport) => Promise<Json>;

function openTelemetry({ hostname, port, protocol }: URL, options: DatabaseOptions, pool: Pool): DatabaseTelemetry {
  const usual = protocol === 'https:' ? 443 : 80;
  const target = {
    system: 'qdrant',
    address: hostname,
    port: port === '' ? usual : Number(port),
    defaultPort: DEFAULT_PORT,
    statusOf,
  };
  const telemetry = createDatabaseTelemetry(target, options.telemetry ?? NO_TELEMETRY);
  telemetry.observePool(() => {
    const { connected, free, queued } = pool.stats;
    return { used: connected - free, idle: free, pending: queued, max: MAX_CONNECTIONS };
  });
  return telemetry;
}

function createSender(pool: Pool, base: string, apiKey: string | undefined): Exchange {
  const headers = { accept: 'application/json', ...(apiKey === undefined ? {} : { 'api-key': apiKey }) };
  const attempt = async (call: Call, signal: AbortSignal): Promise<Json> => {
    const response = await pool.request({
      method: call.method,
      path: `${base}${call.path}`,
      headers: call.body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      body: call.body === undefined ? null : printExactJson(call.body),
      signal,
    });
    const text = await readBounded(response.body);
    if (response.statusCode !== 200) {
      const retryAfter = response.headers['retry-after'];
      throw toAnswerError({ status: response.statusCode, text, retryAfter: String(retryAfter ?? '') }, apiKey);
    }
    return readAnswer(call, text);
  };
  return async (call, signal, report) => {
    try {
      const answer = await attempt(call, signal).catch((error: unknown) => {
        // Every call only reads, so that sending it again is harmless.
        if (isStaleConnection(error) && !signal.aborted) return attempt(call, signal);
        throw error;
      });
      report.rows = countItems(answer);
      return answer;
    } catch (error) {
      if (signal.aborted || error instanceof ToolError) throw error;
      throw toConnectionError(error) ?? error;
    }
  };
}

async function readBounded(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop early closes the connection, so that nothing more is sent.
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      throw new ToolError({
        code: 'TOO_LARGE',
        message: `The answer of Qdrant is larger than ${MAX_ANSWER_BYTES} bytes.`,
        hint: 'Ask for fewer points with a smaller limit.',
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size).toString('utf8');
}

function readAnswer(call: Call, text: string): Json {
  let answer: Json;
  try {
    answer = parseExactJson(text, { wholeFloats: call.wholeFloats ?? false });
  } catch {
    throw notQdrantError('no JSON');
  }
  if (call.isBare) return answer;
  const result = field(answer, 'result');
  if (result === undefined) throw notQdrantError('JSON without a result');
  return result;
}

function toSearchBody(request: SearchRequest): object {
  return {
    query: request.vector,
    ...(request.using === '' ? {} : { using: request.using }),
    ...(request.filter ? { filter: request.filter } : {}),
    limit: request.limit,
    ...(request.offset ? { offset: request.offset } : {}),
    with_payload: request.withPayload,
  };
}

/** Points or collections of an answer; one thing counts as one. */
function countItems(answer: Json): number {
  const items = field(answer, 'points') ?? field(answer, 'collections');
  return Array.isArray(items) ? items.length : 1;
}

function pointsOf(result: Json): Json[] {
  const points = field(result, 'points');
  if (!Array.isArray(points)) throw notQdrantError('no list of points');
  return points;
}

function toHit(point: Json): Hit {
  const payload = field(point, 'payload');
  return {
    id: field(point, 'id') ?? null,
    score: field(point, 'score') ?? null,
    payload: isObject(payload) ? payload : {},
  };
}

/**
 * The name as one path segment. Names with these characters cannot exist, and a proxy on the way may decode and
 * resolve them, which would reach another endpoint.
 */
function toPathSegment(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\\\p{Cc}]/u.test(name) || !name.isWellFormed()) {
    throw new ToolError({
      code: 'INVALID_ARGUMENT',
      message: `${JSON.stringify(name)} cannot be the name of a collection.`,
      hint: 'List the collections to see their names.',
    });
  }
  return encodeURIComponent(name);
}

function toUnknownCollection(name: string, names: readonly string[]): ToolError {
  const meant = closestName(name, names);
  const known = names.length > MAX_NAMES ? [...names.slice(0, MAX_NAMES), '…'] : names;
  const next = known.length > 0 ? `Collections: ${known.join(', ')}.` : 'There are no collections that it may read.';
  return new ToolError({
    code: 'NOT_FOUND',
    message: `There is no collection ${JSON.stringify(name)}.`,
    hint: meant ? `Did you mean ${JSON.stringify(meant)}? ${next}` : next,
  });
}
