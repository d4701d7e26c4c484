/** The whole system as `npm start` brings it up, for the tests that speak to it. */
import { loadavg } from 'node:os';
import { freePort, spawnProcess, type SpawnedProcess } from '@database-mcp/testing';

/** The processes of `npm start -- --ephemeral` and where they listen. */
export interface LocalSystem {
  process: SpawnedProcess;
  /** Milliseconds from the start to the line `ready`. */
  startMs: number;
  /** Load average of the machine over the minute before. */
  loadAtStart: number;
  port: number;
  gatewayUrl: string;
  sseUrl: string;
  /** Each database server's own endpoint. */
  serverUrls: Record<'postgres' | 'qdrant' | 'neo4j', string>;
}

/** Every published tool, in the order in which the gateway lists them. */
export const TOOLS = {
  gateway: ['health_check', 'list_services'],
  postgres: [
    'postgres_describe_table',
    'postgres_explain',
    'postgres_health',
    'postgres_list_tables',
    'postgres_query',
  ],
  qdrant: ['qdrant_collection_info', 'qdrant_list_collections', 'qdrant_search'],
  neo4j: ['neo4j_get_relationships', 'neo4j_list_nodes', 'neo4j_query'],
} as const;

/** A first start may download the Neo4j jars. */
const START_DEADLINE_MS = 180_000;

/** Starts the system on four free ports in a row. */
export async function startLocalSystem(
  extraArgs: readonly string[] = [],
  env: Record<string, string | undefined> = {},
): Promise<LocalSystem> {
  const port = await freePort(4);
  const started = performance.now();
  const [loadAtStart = 0] = loadavg();
  const process = await spawnProcess({
    name: 'npm start',
    args: [
      '--max-semi-space-size=1',
      '--v8-pool-size=0',
      'deploy/local/src/main.ts',
      '--port',
      String(port),
      '--ephemeral',
      ...extraArgs,
    ],
    env,
    ready: { line: /^\[[0-9.]+ s\] ready$/ },
    readyDeadlineMs: START_DEADLINE_MS,
  });
  const base = (offset: number): string => `http://127.0.0.1:${port + offset}`;
  return {
    process,
    startMs: performance.now() - started,
    loadAtStart,
    port,
    gatewayUrl: `${base(0)}/mcp`,
    sseUrl: `${base(0)}/sse`,
    serverUrls: { postgres: `${base(1)}/mcp`, qdrant: `${base(2)}/mcp`, neo4j: `${base(3)}/mcp` },
  };
}
