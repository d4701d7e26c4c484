/** The sessions of legacy clients of the conformance fixture: where a server can ask its client during a call. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import type { Server } from '@modelcontextprotocol/server';

/** The open sessions. */
export interface LegacySessions {
  /** Serves a request that begins a session. */
  open(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void>;
  /** Serves a request of an open session; false when there is none with this id. */
  serve(id: string, request: IncomingMessage, response: ServerResponse, body?: unknown): Promise<boolean>;
  /** Calls a function for each of them. */
  each(tell: (server: Server) => Promise<void>): void;
  close(): Promise<void>;
}

interface Session {
  server: Server;
  transport: NodeStreamableHTTPServerTransport;
}

/** The suite opens about fifty and ends none. */
const MAX_SESSIONS = 500;

/** Keeps sessions; each has a protocol server of its own. */
export function createLegacySessions(createServer: () => Server): LegacySessions {
  const sessions = new Map<string, Session>();
  const end = async (id: string): Promise<void> => {
    const session = sessions.get(id);
    sessions.delete(id);
    await session?.server.close();
  };
  return {
    async open(request, response, body) {
      const server = createServer();
      const transport = new NodeStreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (id) => void sessions.set(id, { server, transport }),
        onsessionclosed: (id) => end(id),
      });
      await server.connect(transport);
      await transport.handleRequest(request, response, body);
      const oldest = sessions.keys().next().value;
      if (sessions.size > MAX_SESSIONS && oldest !== undefined) await end(oldest);
    },
    async serve(id, request, response, body) {
      const session = sessions.get(id);
      if (!session) return false;
      await session.transport.handleRequest(request, response, body);
      return true;
    },
    each(tell) {
      // A client without an open stream hears nothing, which is its own choice.
      for (const { server } of sessions.values()) tell(server).catch(() => {});
    },
    async close() {
      await Promise.all([...sessions.keys()].map(end));
    },
  };
}
