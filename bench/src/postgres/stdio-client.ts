/** An MCP client over standard input and output, as cheap as it can be: one connection, any number of calls in flight. */
import { LEGACY_VERSIONS } from '@database-mcp/testing';
import { startLineProcess } from './line-process.ts';

/** A server that answers. */
export interface StdioClient {
  readonly pid: number;
  /** Sends a request and gives its answer's bytes. */
  request(method: string, params: object): Promise<Buffer>;
  stop(): Promise<void>;
}

/** Enough of an answer to find its id in, at either end: JSON has no order. */
const EDGE_BYTES = 64;

/** Starts the server and shakes hands. */
export async function startStdioClient(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<StdioClient> {
  const waiting = new Map<number, PromiseWithResolvers<Buffer>>();
  let lastId = 0;
  let failure: Error | undefined;
  const server = startLineProcess({
    args,
    env,
    onLine(line) {
      const id = readId(line);
      const call = id === undefined ? undefined : waiting.get(id);
      if (id === undefined || call === undefined) return;
      waiting.delete(id);
      call.resolve(line);
    },
    onFailure(reason) {
      failure = new Error(`${args[0]}: ${reason}`);
      for (const call of waiting.values()) call.reject(failure);
    },
  });
  const request = (method: string, params: object): Promise<Buffer> => {
    if (failure) return Promise.reject(failure);
    const call = Promise.withResolvers<Buffer>();
    const id = ++lastId;
    waiting.set(id, call);
    server.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    return call.promise;
  };
  await request('initialize', {
    protocolVersion: LEGACY_VERSIONS[0],
    capabilities: {},
    clientInfo: { name: 'bench', version: '1.0.0' },
  });
  server.send(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }));
  return { pid: server.pid, request, stop: () => server.stop() };
}

/** The id of an answer, at its beginning or at its end; undefined for a notification. */
function readId(line: Buffer): number | undefined {
  const start = line.toString('latin1', 0, EDGE_BYTES);
  const end = line.toString('latin1', Math.max(0, line.length - EDGE_BYTES));
  const found = /^\{"jsonrpc":"2\.0","id":(\d+)[,}]/.exec(start) ?? /"id":(\d+)(?:,"jsonrpc":"2\.0")?\}$/.exec(end);
  return found ? Number(found[1]) : undefined;
}
