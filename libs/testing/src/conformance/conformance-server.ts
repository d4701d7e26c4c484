/**
 * The fixture for the official conformance suite, over HTTP: 2026-07-28 without state; the `initialize` revisions with a
 * session when the client begins one, and without when it does not. Pinned to legacy it is a server as there were many:
 * it keeps sessions, demands them, and has never heard of 2026-07-28.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  classifyInboundRequest,
  createMcpHandler,
  createRequestStateCodec,
  isInitializeRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  validateHostHeader,
  validateOriginHeader,
} from '@modelcontextprotocol/server';
import { listenLocally } from '../listen-locally.ts';
import type { FixtureState } from './fixture-tool.ts';
import { createLegacySessions } from './legacy-sessions.ts';
import { validateParamHeader } from './param-header.ts';
import { createProtocolServer } from './protocol-server.ts';
import { schemeOf } from './resources.ts';

/** Options of {@link startConformanceServer}. */
export interface ConformanceServerOptions {
  /** Default: a free port. */
  port?: number;
  /** In front of every tool and prompt name, and in the scheme of every URI. Default: none, as the suite wants it. */
  prefix?: string;
  /** `only` makes it a session-keeping server of 2025-11-25 and older. Default: both eras. */
  legacy?: 'both' | 'only';
}

/** A running fixture for the conformance suite. */
export interface ConformanceServer {
  /** The MCP endpoint. */
  readonly url: string;
  /** Cuts every connection and ends. */
  close(): Promise<void>;
}

const KEY_BYTES = 32;
const RPC_ERROR = { PARSE: -32_700, NO_SESSION: -32_000, HEADER_MISMATCH: -32_020, INVALID: -32_600 } as const;

/** Starts one in this process. Its own process: `node libs/testing/src/conformance/main.ts --port N`. */
export async function startConformanceServer(options: ConformanceServerOptions = {}): Promise<ConformanceServer> {
  const prefix = options.prefix ?? '';
  const codec = createRequestStateCodec<Record<string, unknown>>({ key: randomBytes(KEY_BYTES) });
  const changed = { tools: false, prompts: false };
  const state: FixtureState = {
    prefix,
    scheme: schemeOf(prefix),
    seal: (value) => codec.mint(value),
    change(list) {
      changed[list] = !changed[list];
      if (list === 'tools') mcp.notify.toolsChanged();
      else mcp.notify.promptsChanged();
      sessions.each((server) => (list === 'tools' ? server.sendToolListChanged() : server.sendPromptListChanged()));
    },
  };
  const create = () => createProtocolServer({ state, codec, isChanged: (list) => changed[list] });
  const mcp = createMcpHandler(create);
  const serveStateless = toNodeHandler(mcp);
  const sessions = createLegacySessions(create);
  const isPinned = options.legacy === 'only';

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const refusal = checkSource(request);
    if (refusal !== undefined) return sendError(response, 403, RPC_ERROR.INVALID, refusal);
    if (request.url?.split('?')[0] !== '/mcp') return sendError(response, 404, RPC_ERROR.INVALID, 'There is /mcp.');
    const sessionId = headerOf(request, 'mcp-session-id');
    if (request.method !== 'POST') {
      if (sessionId === undefined) return sendError(response, 405, RPC_ERROR.NO_SESSION, 'There is only POST.');
      if (await sessions.serve(sessionId, request, response)) return;
      return sendError(response, 404, RPC_ERROR.NO_SESSION, 'There is no such session.');
    }
    const body: unknown = await json(request).catch(() => undefined);
    if (body === undefined) return sendError(response, 400, RPC_ERROR.PARSE, 'The body is no JSON.');
    if (!isPinned && !isLegacy(request, body)) {
      const mismatch = validateParamHeader(prefix, body, request.headers);
      if (mismatch === undefined) return serveStateless(request, response, body);
      return sendError(response, 400, RPC_ERROR.HEADER_MISMATCH, mismatch, body);
    }
    if (isInitializeRequest(body)) return sessions.open(request, response, body);
    if (sessionId !== undefined) {
      if (await sessions.serve(sessionId, request, response, body)) return;
      return sendError(response, 404, RPC_ERROR.NO_SESSION, 'There is no such session.');
    }
    if (isPinned) return sendError(response, 400, RPC_ERROR.NO_SESSION, 'Bad Request: Mcp-Session-Id is required.');
    return serveStateless(request, response, body);
  };

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  const { origin, stop } = await listenLocally(server, { port: options.port });
  return {
    url: `${origin}/mcp`,
    async close() {
      await Promise.all([stop(), mcp.close(), sessions.close()]);
    },
  };
}

function isLegacy(request: IncomingMessage, body: unknown): boolean {
  const protocolVersionHeader = headerOf(request, 'mcp-protocol-version');
  const mcpMethodHeader = headerOf(request, 'mcp-method');
  return classifyInboundRequest({ httpMethod: 'POST', protocolVersionHeader, mcpMethodHeader, body }).kind === 'legacy';
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function checkSource(request: IncomingMessage): string | undefined {
  const host = validateHostHeader(request.headers.host, localhostAllowedHostnames());
  if (!host.ok) return host.message;
  const origin = validateOriginHeader(request.headers.origin, localhostAllowedOrigins());
  return origin.ok ? undefined : origin.message;
}

function sendError(response: ServerResponse, status: number, code: number, message: string, body?: unknown): void {
  const { id = null } = { ...(body as { id?: unknown } | undefined) };
  const text = JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } });
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
