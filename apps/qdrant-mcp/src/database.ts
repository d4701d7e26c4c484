/**
 * Qdrant over its REST interface: the only file that opens connections to it. Owns the connections, the bound on
 * answers and which endpoints exist for us (they all only read); what the answers mean is told by the files beside it.
 */
import { Pool, type Dispatcher } from 'undici';
import { closestName, ToolError } from '@database-mcp/errors';
import { toCollection, type Collection } from './collection.ts';
import { isStaleConnection, notQdrantError, silentError, toAnswerError, toConnectionError } from './http-failure.ts';
import { describeAccess } from './key-access.ts';
import { field, isObject, parseExactJson, printExactJson, type Json, type JsonObject } from './values.ts';

/** Where Qdrant is. */
export interface DatabaseOptions {
  url: string;
  apiKey?: string | undefined;
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

/** The operations that tools need. Each ends its request when the signal is aborted. */
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
  const send = createSender(pool, base, options.apiKey);

  const listCollections = async (signal: AbortSignal): Promise<string[]> => {
    const result = await send({ method: 'GET', path: '/collections' }, signal);
    const collections = field(result, 'collections');
    if (!Array.isArray(collections)) throw notQdrantError('no list of collections');
    return collections.map((collection) => String(field(collection, 'name'))).toSorted();
  };
  const onCollection = async (name: string, call: Call, signal: AbortSignal): Promise<Json> => {
    try {
      return await send({ ...call, path: `/collections/${toPathSegment(name)}${call.path}` }, signal);
    } catch (error) {
      if (!(error instanceof ToolError) || error.code !== 'NOT_FOUND') throw error;
      const names = await listCollections(signal).catch((): string[] => []);
      throw names.includes(name) ? error : toUnknownCollection(name, names);
    }
  };

  return {
    listCollections,
    getCollection: async (name, signal) => toCollection(await onCollection(name, { method: 'GET', path: '' }, signal)),
    async search(request, signal) {
      const body = {
        query: request.vector,
        ...(request.using === '' ? {} : { using: request.using }),
        ...(request.filter ? { filter: request.filter } : {}),
        limit: request.limit,
        ...(request.offset ? { offset: request.offset } : {}),
        with_payload: request.withPayload,
      };
      const call: Call = { method: 'POST', path: '/points/query', body };
      return pointsOf(await onCollection(request.collection, call, signal)).map(toHit);
    },
    async samplePayloads(collection, limit, signal) {
      const body = { limit, with_payload: true, with_vector: false };
      const call: Call = { method: 'POST', path: '/points/scroll', body, wholeFloats: true };
      return pointsOf(await onCollection(collection, call, signal)).map((point) => toHit(point).payload);
    },
    async describeRole(signal) {
      const about = await send({ method: 'GET', path: '/', isBare: true }, signal);
      return {
        server: String(field(about, 'title') ?? 'unknown'),
        version: String(field(about, 'version') ?? 'unknown'),
        access: describeAccess(options.apiKey),
      };
    },
    async ping() {
      const limit = AbortSignal.timeout(PING_TIMEOUT_MS);
      await send({ method: 'GET', path: '/collections' }, limit).catch((error: unknown) => {
        throw limit.aborted ? silentError(PING_TIMEOUT_MS, error) : error;
      });
    },
    // Calls that are still wanted have ended before; what is left hangs.
    close: () => pool.destroy(),
  };
}

/** A request to Qdrant. Only endpoints that read are ever written here. */
interface Call {
  method: 'GET' | 'POST';
  path: string;
  body?: unknown;
  wholeFloats?: boolean;
  /** The answer is not in the envelope with `result`. */
  isBare?: boolean;
}

type Send = (call: Call, signal: AbortSignal) => Promise<Json>;

function createSender(pool: Pool, base: string, apiKey: string | undefined): Send {
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
  return async (call, signal) => {
    try {
      return await attempt(call, signal).catch((error: unknown) => {
        // Every call only reads, so that sending it again is harmless.
        if (isStaleConnection(error) && !signal.aborted) return attempt(call, signal);
        throw error;
      });
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
