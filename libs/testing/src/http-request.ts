/** Plain HTTP for tests: unlike `fetch` it can send any Host header, and it uses no connection twice. */
import { request as startRequest, type IncomingHttpHeaders } from 'node:http';

/** Options of {@link httpRequest}. */
export interface HttpRequestOptions {
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | Buffer;
  timeoutMs?: number;
}

/** An answer, read whole. */
export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** An answer that should hold a JSON-RPC message, which is undefined when it does not. */
export interface RpcAnswer extends HttpAnswer {
  message: RpcMessage | undefined;
  /** The JSON text that the message was read from, for byte-exact comparisons. */
  messageText: string;
}

/** A JSON-RPC response, loosely typed for assertions. */
export interface RpcMessage {
  jsonrpc?: unknown;
  id?: unknown;
  result?: Record<string, unknown>;
  error?: { code?: unknown; message?: unknown; data?: unknown };
}

/** Options of {@link rpcRequest}. */
export interface RpcRequestOptions {
  /** `modern` adds the envelope and the headers of 2026-07-28. Default: modern. */
  era?: 'modern' | 'legacy';
  params?: Record<string, unknown>;
  /** Default 1; null sends a notification. */
  id?: string | number | null;
  /** Added last, so that they can contradict the body. */
  headers?: Readonly<Record<string, string>>;
  timeoutMs?: number;
}

/** The stateless revision. */
export const MODERN_VERSION = '2026-07-28';
/** The revisions that begin with `initialize`, newest first. */
export const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;

const TIMEOUT_MS = 30_000;

/** Sends one request on a connection of its own and reads the whole answer. */
export function httpRequest(url: string | URL, options: HttpRequestOptions = {}): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const body = options.body === undefined ? undefined : Buffer.from(options.body);
  const outgoing = startRequest(url, {
    method: options.method ?? 'GET',
    agent: false,
    signal: AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS),
    headers: { ...(body ? { 'content-length': String(body.length) } : {}), ...options.headers },
  });
  outgoing.on('response', (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
    });
  });
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}

/** The body and headers of one JSON-RPC request, right in every respect. */
export function buildRpcRequest(
  method: string,
  options: RpcRequestOptions = {},
): { headers: Record<string, string>; body: string } {
  const isModern = (options.era ?? 'modern') === 'modern';
  const envelope = {
    'io.modelcontextprotocol/protocolVersion': MODERN_VERSION,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'test-client', version: '1.0.0' },
  };
  const given = options.params;
  const params = isModern ? { ...given, _meta: { ...envelope, ...(given?.['_meta'] as object | undefined) } } : given;
  const id = options.id === undefined ? 1 : options.id;
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  if (isModern) {
    headers['mcp-protocol-version'] = MODERN_VERSION;
    headers['mcp-method'] = method;
    const name = given?.['name'] ?? given?.['uri'];
    if (typeof name === 'string') headers['mcp-name'] = name;
  }
  return {
    headers: { ...headers, ...options.headers },
    body: JSON.stringify({ jsonrpc: '2.0', ...(id === null ? {} : { id }), method, ...(params ? { params } : {}) }),
  };
}

/** Sends one JSON-RPC request or notification and reads the answer, which may be JSON or an event stream. */
export async function rpcRequest(
  url: string | URL,
  method: string,
  options: RpcRequestOptions = {},
): Promise<RpcAnswer> {
  const { headers, body } = buildRpcRequest(method, options);
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  return toRpcAnswer(await httpRequest(url, { method: 'POST', headers, body, timeoutMs }));
}

/** Finds the JSON-RPC response in an answer: the body itself, or the last message of an event stream. */
export function toRpcAnswer(answer: HttpAnswer): RpcAnswer {
  const isStream = answer.headers['content-type']?.startsWith('text/event-stream') ?? false;
  const messageText = isStream ? (readEvents(answer.text).at(-1) ?? '') : answer.text;
  let message: RpcMessage | undefined;
  try {
    const parsed: unknown = JSON.parse(messageText);
    if (typeof parsed === 'object' && parsed !== null && 'jsonrpc' in parsed) message = parsed;
  } catch {
    message = undefined;
  }
  return { ...answer, message, messageText };
}

/** The data of every event in a text/event-stream body. */
export function readEvents(text: string): string[] {
  return text.split(/\r?\n\r?\n/).flatMap((block) => {
    const data = block.split(/\r?\n/).filter((line) => line.startsWith('data:'));
    return data.length > 0 ? data.map((line) => line.slice(5).replace(/^ /, '')).join('\n') : [];
  });
}
