/** Builds the SDK's low-level server for one request (HTTP) or one connection (stdio) from definitions made once. */
import { ProtocolError, ProtocolErrorCode, Server, type McpServerFactory } from '@modelcontextprotocol/server';
import { closestName } from '@database-mcp/errors';
import type { Logger } from '@database-mcp/telemetry';
import { callTool, type ToolCallResult } from './call-tool.ts';
import type { Tool } from './define-tool.ts';
import { TABLE_RESULT_SCHEMA } from './table-result.ts';

/** How long clients and the gateway may keep the tool list: it changes only when the process is restarted. */
const TOOL_LIST_TTL_MS = 60_000;

/** What a server publishes. */
export interface ServerDefinition {
  /** Server name, `postgres-mcp`. */
  name: string;
  version: string;
  instructions: string;
  /** Prefix of every published tool name, without the underscore. */
  instance: string;
  tools: readonly Tool[];
  timeoutMs: number;
  logger: Logger;
}

/** A factory for the SDK's entry points, and the means to wait for calls in progress. */
export interface ServerFactory {
  create: McpServerFactory;
  /** Resolves when no call is in progress. */
  idle(): Promise<void>;
}

/** Creates the factory. Definitions are built here; a request only looks them up. */
export function createServerFactory(definition: ServerDefinition): ServerFactory {
  const tools = new Map(definition.tools.map((tool) => [`${definition.instance}_${tool.name}`, tool]));
  const published = [...tools].map(([name, tool]) => ({
    name,
    description: tool.description,
    inputSchema: tool.inputSchema,
    outputSchema: TABLE_RESULT_SCHEMA,
    annotations: tool.annotations,
  }));
  const inProgress = new Set<Promise<ToolCallResult>>();
  const hint = { ttlMs: TOOL_LIST_TTL_MS, cacheScope: 'public' as const };
  const create: McpServerFactory = () => {
    const server = new Server(
      { name: definition.name, version: definition.version },
      {
        capabilities: { tools: {} },
        instructions: definition.instructions,
        cacheHints: { 'tools/list': hint, 'server/discover': hint },
      },
    );
    server.setRequestHandler('tools/list', () => ({ tools: published }));
    server.setRequestHandler('tools/call', async (request, context) => {
      const { name, arguments: args } = request.params;
      const tool = tools.get(name);
      if (!tool) throw unknownTool(name, tools.keys());
      const call = callTool(tool, args, {
        publishedName: name,
        signal: context.mcpReq.signal,
        timeoutMs: definition.timeoutMs,
        logger: definition.logger,
      });
      inProgress.add(call);
      try {
        return await call;
      } finally {
        inProgress.delete(call);
      }
    });
    return server;
  };
  return {
    create,
    async idle() {
      while (inProgress.size > 0) await Promise.allSettled(inProgress);
    },
  };
}

function unknownTool(name: string, known: Iterable<string>): ProtocolError {
  const names = [...known];
  const meant = closestName(name, names);
  const next = meant ? `Did you mean ${JSON.stringify(meant)}?` : `Known tools: ${names.join(', ')}.`;
  return new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool ${JSON.stringify(name)}. ${next}`);
}
