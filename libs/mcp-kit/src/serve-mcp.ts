/** Serves a set of tools as an MCP server, over Streamable HTTP (all revisions, stateless) or stdio. */
import type { Readable, Writable } from 'node:stream';
import { createMcpHandler } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { createService, type Readiness } from '@database-mcp/service';
import { openAuditLog } from './audit-log.ts';
import { createHttpEndpoint } from './http-endpoint.ts';
import { createServerFactory, type ServerDefinition, type ServerFactory } from './server-factory.ts';
import { createSseEndpoint } from './sse-endpoint.ts';
import { createStdioTransport } from './stdio-transport.ts';

/** Options of {@link serveMcp}. */
export interface ServeOptions extends Omit<ServerDefinition, 'audit'> {
  host: string;
  port: number;
  allowedHosts: readonly string[];
  allowedOrigins: readonly string[];
  /** Path of the audit log; undefined for none. */
  auditLog?: string | undefined;
  /** Whether the database can be used now; `/ready` answers with it. */
  ready: () => Promise<Readiness>;
  /** The process's own streams, used by the stdio transport. */
  stdio: { input: Readable; output: Writable };
}

/** A server that serves. */
export interface ServingMcp {
  /** The endpoint's URL; undefined for stdio. */
  readonly url: string | undefined;
  /** Resolves when the client closed its side (stdio); never for HTTP. */
  readonly ended: Promise<void>;
  /** Lets calls in progress finish, then ends. */
  close(): Promise<void>;
}

/** Starts serving. Rejects with a clear message when the port is taken or the audit log cannot be opened. */
export async function serveMcp(options: ServeOptions): Promise<ServingMcp> {
  const audit = options.auditLog === undefined ? undefined : openAuditLog(options.auditLog, options.instance);
  const factory = createServerFactory({ ...options, audit });
  const serving = await (options.transport === 'stdio'
    ? serveOverStdio(options, factory)
    : serveOverHttp(options, factory));
  return { ...serving, close: () => serving.close().finally(() => audit?.close()) };
}

async function serveOverHttp(options: ServeOptions, factory: ServerFactory): Promise<ServingMcp> {
  const onerror = (error: Error): void => options.logger.debug({ err: error }, 'a request was refused');
  const handler = createMcpHandler(factory.create, { legacy: 'stateless', onerror });
  const sse = createSseEndpoint(factory.create, options.logger);
  const service = await createService({
    name: options.name,
    version: options.version,
    host: options.host,
    port: options.port,
    allowedHosts: options.allowedHosts,
    allowedOrigins: options.allowedOrigins,
    logger: options.logger,
    routes: {
      '/mcp': createHttpEndpoint(handler, options.logger),
      '/sse': sse.stream,
      '/messages': sse.messages,
    },
    ready: options.ready,
  });
  return {
    url: `${service.url}/mcp`,
    ended: new Promise(() => {}),
    async close() {
      const closed = service.close();
      await factory.idle();
      sse.close();
      await closed;
      await handler.close();
    },
  };
}

async function serveOverStdio(options: ServeOptions, factory: ServerFactory): Promise<ServingMcp> {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const transport = createStdioTransport(options.stdio.input, options.stdio.output, resolve);
  const handle = serveStdio(factory.create, {
    transport,
    onerror: (error) => options.logger.warn({ err: error }, 'the stdio connection has a problem'),
  });
  return {
    url: undefined,
    ended,
    async close() {
      await factory.idle();
      await handle.close();
    },
  };
}
