/** Foreign servers for the tests of the bridge, on the SDK's first generation, and a client at the upstream interface. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { createLogger, type Logger } from '@database-mcp/telemetry';
import { listenLocally } from '@database-mcp/testing';
import { Server as LegacyServer } from '@modelcontextprotocol/sdk/server/index.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { gatewayFileSchema, type UpstreamConfig } from '../config.ts';
import { ENVELOPE } from '../test-gateway.ts';
import type { CallFailure, CallHandle, ReplyHead, Upstream } from '../upstream/upstream.ts';
import { createUpstream } from './create-upstream.ts';

/** What a foreign server has seen. */
export interface ForeignStats {
  sessions: number;
  ended: number;
  initialized: number;
  calls: { name: string; meta: unknown }[];
  cancelled: number;
  /** Outcomes of what the server asked its client. */
  asked: string[];
}

const WORK_MS = 30;

function tool(name: string): { name: string; description: string; inputSchema: { type: 'object' } } {
  return { name, description: `Tool ${name}.`, inputSchema: { type: 'object' } };
}

function text(value: string): { content: [{ type: 'text'; text: string }] } {
  return { content: [{ type: 'text', text: value }] };
}

/** A server as people write them: tools that echo, report progress, wait, or ask the client. */
export function createForeignServer(stats: ForeignStats): LegacyServer {
  const server = new LegacyServer(
    { name: 'foreign', version: '9.9.9' },
    { capabilities: { tools: { listChanged: true }, logging: {} }, instructions: 'Foreign instructions.' },
  );
  server.oninitialized = () => {
    stats.initialized++;
  };
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: ['echo', 'progress', 'wait', 'ask', 'grow', 'link'].map(tool),
  }));
  server.setRequestHandler(CallToolRequestSchema, async (request, extra) => {
    const { name, arguments: args = {} } = request.params;
    stats.calls.push({ name, meta: request.params._meta });
    switch (name) {
      case 'echo':
        return { ...text(String(args['text'])), structuredContent: args, _meta: { 'example.com/seen': true } };
      case 'progress': {
        const progressToken = request.params._meta?.progressToken;
        for (const progress of [1, 2, 3]) {
          if (progressToken === undefined) break;
          await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress } });
        }
        await extra.sendNotification({
          method: 'notifications/message',
          params: { level: 'info', data: 'a log line' },
        });
        // SDK clients lose progress that arrives in one piece with the answer; real work takes longer than that.
        await setTimeout(WORK_MS);
        return text('done');
      }
      case 'wait':
        await new Promise<void>((resolve) => {
          extra.signal.addEventListener('abort', () => {
            stats.cancelled++;
            resolve();
          });
        });
        return text('never read');
      case 'ask':
        try {
          await extra.sendRequest({ method: 'roots/list' }, (await import('zod')).z.any());
          stats.asked.push('answered');
        } catch (error) {
          stats.asked.push(error instanceof Error ? error.message : String(error));
        }
        return text('asked');
      case 'grow':
        await server.sendToolListChanged();
        return text('grown');
      default:
        return { content: [{ type: 'resource_link', uri: 'test://a', name: 'a' }] };
    }
  });
  return server;
}

/** A foreign server over HTTP. */
export interface ForeignHttp {
  url: string;
  port: number;
  stats: ForeignStats;
  /** Every session is forgotten, as after a restart. */
  forget(): void;
  stop(): Promise<void>;
}

/** Which transport a foreign server keeps. */
export type ForeignKind = 'sessions' | 'stateless' | 'sse';

/** Starts it on a free port; it ends with the test. */
export async function startForeign(
  t: TestContext,
  kind: ForeignKind,
  port = 0,
  create: (stats: ForeignStats) => LegacyServer = createForeignServer,
): Promise<ForeignHttp> {
  const stats: ForeignStats = { sessions: 0, ended: 0, initialized: 0, calls: [], cancelled: 0, asked: [] };
  const streamable = new Map<string, StreamableHTTPServerTransport>();
  const sse = new Map<string, SSEServerTransport>();
  const created: LegacyServer[] = [];
  const state: ForeignState = {
    stats,
    streamable,
    sse,
    create: () => {
      const instance = create(stats);
      created.push(instance);
      return instance;
    },
  };
  const serve = { sessions: serveSessions, stateless: serveStateless, sse: serveSse }[kind];
  const server: Server = createServer((request, response) => {
    serve(request, response, state).catch(() => response.destroy());
  });
  const listening = await listenLocally(server, { port, t });
  // One that waits for an answer to what it asked would keep the process for a minute.
  t.after(() => Promise.all(created.map((instance) => instance.close())));
  return {
    url: `${listening.origin}${kind === 'sse' ? '/sse' : '/mcp'}`,
    port: listening.port,
    stats,
    forget: () => streamable.clear(),
    stop: listening.stop,
  };
}

interface ForeignState {
  stats: ForeignStats;
  streamable: Map<string, StreamableHTTPServerTransport>;
  sse: Map<string, SSEServerTransport>;
  create: () => LegacyServer;
}

async function serveSessions(request: IncomingMessage, response: ServerResponse, state: ForeignState): Promise<void> {
  const id = request.headers['mcp-session-id'];
  const known = typeof id === 'string' ? state.streamable.get(id) : undefined;
  if (known) return known.handleRequest(request, response);
  if (id !== undefined) {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}');
    return;
  }
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    onsessioninitialized: (created) => {
      state.stats.sessions++;
      state.streamable.set(created, transport);
    },
    onsessionclosed: () => {
      state.stats.ended++;
    },
  });
  await state.create().connect(transport);
  await transport.handleRequest(request, response);
}

async function serveStateless(request: IncomingMessage, response: ServerResponse, state: ForeignState): Promise<void> {
  if (request.method !== 'POST') {
    response.writeHead(405).end();
    return;
  }
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
  await state.create().connect(transport);
  await transport.handleRequest(request, response);
}

async function serveSse(request: IncomingMessage, response: ServerResponse, state: ForeignState): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (request.method === 'GET' && url.pathname === '/sse') {
    const transport = new SSEServerTransport('/messages', response);
    state.stats.sessions++;
    state.sse.set(transport.sessionId, transport);
    return state.create().connect(transport);
  }
  const transport = state.sse.get(url.searchParams.get('sessionId') ?? '');
  if (request.method === 'POST' && transport) return transport.handlePostMessage(request, response);
  response.writeHead(404).end('Not found');
}

/** The whole of an answer, as a client gets it. */
export interface BridgedAnswer {
  head?: ReplyHead;
  text: string;
  failure?: CallFailure;
}

/** Makes an upstream of this entry; it ends with the test. */
export async function openUpstream(t: TestContext, entry: object, logger?: Logger): Promise<Upstream> {
  const { upstreams } = gatewayFileSchema.parse({ upstreams: [{ name: 'db', ...entry }] });
  const [config] = upstreams;
  const silent = await createLogger({ service: 'test', level: 'silent', pretty: false });
  const upstream = createUpstream(config as UpstreamConfig, '0.0.0', logger ?? silent);
  t.after(() => upstream.close());
  return upstream;
}

/** A request in the form of an era. */
export interface BridgeRequest {
  method: string;
  params?: string;
  id?: string;
  era?: 'modern' | 'legacy';
  /** Revision of a legacy client. */
  version?: string;
  meta?: object;
}

/** Sends it; the call's handle and its answer. */
export function send(
  upstream: Upstream,
  request: BridgeRequest,
): { handle: CallHandle; answer: Promise<BridgedAnswer>; seen: BridgedAnswer } {
  const { method, params = '{}', id = '1', era = 'modern', version, meta = {} } = request;
  const envelope = era === 'modern' ? { ...ENVELOPE, ...meta } : meta;
  const inner = params.slice(1, -1);
  const body = `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":{${inner}${inner ? ',' : ''}"_meta":${JSON.stringify(envelope)}}}`;
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  if (era === 'modern') {
    headers['mcp-protocol-version'] = '2026-07-28';
    headers['mcp-method'] = method;
    const { name } = JSON.parse(params);
    if (typeof name === 'string') headers['mcp-name'] = name;
  } else if (version !== undefined) headers['mcp-protocol-version'] = version;
  const seen: BridgedAnswer = { text: '' };
  const { promise, resolve } = Promise.withResolvers<BridgedAnswer>();
  const handle = upstream.call(
    { body: Buffer.from(body), headers },
    {
      start: (head) => {
        seen.head = head;
      },
      data: (chunk) => {
        seen.text += chunk.toString('utf8');
        return true;
      },
      end: () => resolve(seen),
      failed: (failure) => {
        seen.failure = failure;
        resolve(seen);
      },
    },
  );
  return { handle, answer: promise, seen };
}

/** Sends it as the catalogue does, past the limits. */
export function probe(upstream: Upstream, request: BridgeRequest): ReturnType<typeof send> {
  const asProbe: Upstream = Object.create(upstream, {
    call: { value: (...[message, receiver]: Parameters<Upstream['call']>) => upstream.probe(message, receiver, 5_000) },
  });
  return send(asProbe, request);
}

/** A message as it arrived, with the members that the tests look at. */
export interface WireMessage {
  id?: unknown;
  method?: string;
  params: { progressToken?: unknown; progress?: number; _meta?: object; notifications?: object };
  result: {
    resultType?: string;
    isError?: boolean;
    content: { type: string; text?: string }[];
    structuredContent?: unknown;
    tools: { name: string }[];
    supportedVersions?: string[];
    instructions?: string;
    capabilities: { tools?: object };
    _meta?: Record<string, unknown>;
  };
  error?: { code: number; message: string };
}

/** The messages of an answer, whatever its form. */
export function messagesOf(answer: BridgedAnswer): WireMessage[] {
  if (answer.head?.kind !== 'events') return answer.text === '' ? [] : [JSON.parse(answer.text)];
  return answer.text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice('data: '.length)));
}

/** A logger whose lines a test can read. */
export async function collectLog(): Promise<{ logger: Logger; lines: string[] }> {
  const lines: string[] = [];
  const note = (...parts: unknown[]): void => {
    lines.push(JSON.stringify(parts));
  };
  const base = await createLogger({ service: 'test', level: 'silent', pretty: false });
  const logger: Logger = Object.assign(Object.create(base), {
    info: note,
    warn: note,
    error: note,
    child: () => logger,
  });
  return { logger, lines };
}
