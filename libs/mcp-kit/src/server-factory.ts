/** Builds the SDK's low-level server for one request (HTTP) or one connection (stdio) from definitions made once. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ProtocolError, ProtocolErrorCode, Server, type McpServerFactory } from '@modelcontextprotocol/server';
import { closestName } from '@database-mcp/errors';
import { NO_TELEMETRY, type Logger, type Telemetry } from '@database-mcp/telemetry';
import type { AuditLog } from './audit-log.ts';
import { createCallScope, type RequestContext } from './call-scope.ts';
import { callTool } from './call-tool.ts';
import type { ResourceTemplate } from './define-resource.ts';
import type { Tool } from './define-tool.ts';
import { createRequestSpans, type RequestSpans } from './request-spans.ts';
import { createResourceHandlers, type ResourceHandlers, type ResourceRequestOptions } from './resource-handlers.ts';
import { DATA_NOTE, TABLE_RESULT_SCHEMA } from './table-result.ts';

/** How long clients and the gateway may keep the lists: they change only when the process is restarted. */
const LIST_TTL_MS = 60_000;

/** What a server publishes. */
export interface ServerDefinition {
  /** Server name, `postgres-mcp`. */
  name: string;
  version: string;
  instructions: string;
  /** Prefix of every published tool name, without the underscore, and the scheme of every resource URI. */
  instance: string;
  tools: readonly Tool[];
  resourceTemplates?: readonly ResourceTemplate[];
  timeoutMs: number;
  logger: Logger;
  transport: 'streamable-http' | 'stdio';
  /** Default: none. */
  telemetry?: Telemetry;
  /** Whether spans hold arguments and results. Default: no. */
  traceContent?: boolean;
  /** Default: none. */
  audit?: AuditLog | undefined;
}

/** A factory for the SDK's entry points, and the means to wait for calls in progress. */
export interface ServerFactory {
  create: McpServerFactory;
  /** Resolves when no call is in progress and every answer was handed to its transport. */
  idle(): Promise<void>;
}

/** Creates the factory. Definitions are built here; a request only looks them up. */
export function createServerFactory(definition: ServerDefinition): ServerFactory {
  const tools = new Map(definition.tools.map((tool) => [`${definition.instance}_${tool.name}`, tool]));
  const published = [...tools].map(([name, tool]) => ({
    name,
    description: `${tool.description} ${DATA_NOTE}`,
    inputSchema: tool.inputSchema,
    outputSchema: TABLE_RESULT_SCHEMA,
    annotations: tool.annotations,
  }));
  const inProgress = new Set<Promise<unknown>>();
  const track = async <T>(call: Promise<T>): Promise<T> => {
    inProgress.add(call);
    try {
      return await call;
    } finally {
      inProgress.delete(call);
    }
  };
  const { instance, resourceTemplates = [], telemetry = NO_TELEMETRY, traceContent = false } = definition;
  const toScope = createCallScope({ ...definition, telemetry });
  const observe = createRequestSpans({
    telemetry,
    transport: definition.transport,
    toolNames: new Set(tools.keys()),
    recordsContent: traceContent,
  });
  const resources = resourceTemplates.length > 0 ? createResourceHandlers(instance, resourceTemplates) : undefined;
  const hint = { ttlMs: LIST_TTL_MS, cacheScope: 'public' as const };
  const cacheHints = {
    'tools/list': hint,
    'resources/list': hint,
    'resources/templates/list': hint,
    'server/discover': hint,
  };
  const create: McpServerFactory = () => {
    const server = new Server(
      { name: definition.name, version: definition.version },
      {
        capabilities: { tools: {}, ...(resources && { resources: {}, completions: {} }) },
        instructions: definition.instructions,
        cacheHints,
      },
    );
    const spans = observe && observeConnection(server, observe);
    server.setRequestHandler('tools/list', () => ({ tools: published }));
    server.setRequestHandler('tools/call', async (request, context) => {
      const { name, arguments: args } = request.params;
      const tool = tools.get(name);
      if (!tool) throw unknownTool(name, tools.keys());
      return await track(callTool(tool, args, { name, ...toScope(context, server, spans?.()) }));
    });
    if (resources) {
      serveResources(server, resources, (context) => toScope(context, server, spans?.()), track);
    }
    return server;
  };
  return {
    create,
    async idle() {
      do {
        await Promise.allSettled(inProgress);
        // The answer of a call that has just ended is still on its way through the SDK to the transport.
        await nextTurn();
      } while (inProgress.size > 0);
    },
  };
}

/** A server is connected once; what its requests are observed by is known from then on. */
function observeConnection(
  server: Server,
  observe: NonNullable<ReturnType<typeof createRequestSpans>>,
): () => RequestSpans | undefined {
  const connect = server.connect.bind(server);
  let spans: RequestSpans | undefined;
  server.connect = (transport) => {
    spans = observe(transport);
    return connect(transport);
  };
  return () => spans;
}

/** Which tables there are is the database's to say and changes at any time, so the list is empty and templates lead to all. */
function serveResources(
  server: Server,
  resources: ResourceHandlers,
  toOptions: (context: RequestContext) => ResourceRequestOptions,
  track: <T>(call: Promise<T>) => Promise<T>,
): void {
  server.setRequestHandler('resources/list', () => ({ resources: [] }));
  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: resources.templates }));
  server.setRequestHandler('resources/read', ({ params }, context) =>
    track(resources.read(params.uri, toOptions(context))),
  );
  server.setRequestHandler('completion/complete', ({ params }, context) =>
    track(resources.complete(params, toOptions(context))),
  );
}

function unknownTool(name: string, known: Iterable<string>): ProtocolError {
  const names = [...known];
  const meant = closestName(name, names);
  const next = meant ? `Did you mean ${JSON.stringify(meant)}?` : `Known tools: ${names.join(', ')}.`;
  return new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool ${JSON.stringify(name)}. ${next}`);
}
