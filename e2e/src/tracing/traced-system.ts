/** The gateway, the three servers and real databases, where everything that can be told is told to this test. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSampleData, startNeo4j, startPostgres, startQdrant } from '@database-mcp/embedded';
import {
  buildRpcRequest,
  freePort,
  spawnProcess,
  startOtlpReceiver,
  waitFor,
  type OtlpReceiver,
  type ReceivedSpan,
  type SpawnedProcess,
} from '@database-mcp/testing';

/** One of the databases. */
export type DatabaseName = 'postgres' | 'qdrant' | 'neo4j';

/** The system, running. */
export interface TracedSystem {
  receiver: OtlpReceiver;
  /** The gateway's `/mcp`. */
  url: string;
  processes: Record<DatabaseName | 'gateway', SpawnedProcess>;
  metricsUrls: string[];
  /** Port of each database. */
  ports: Record<DatabaseName, number>;
  /** The lines of a server's audit log. */
  auditLines(database: DatabaseName): Record<string, unknown>[];
  /** The text of everything that was told so far: spans, logs, audit logs, metrics. */
  everythingTold(): Promise<string>;
  stop(): Promise<void>;
}

const DATABASES: readonly DatabaseName[] = ['postgres', 'qdrant', 'neo4j'];
/** Spans leave soon, so that tests need not wait for a batch to fill. */
const PROMPT_EXPORT = { OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_METRICS_EXPORTER: 'none', LOG_LEVEL: 'trace' };
/** A receiver that does not answer fills the queue soon, and holds up the end of a process for a short time only. */
const SHORT_QUEUE = {
  OTEL_BSP_MAX_QUEUE_SIZE: '16',
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '8',
  OTEL_EXPORTER_OTLP_TIMEOUT: '500',
};

/** Starts all of it. */
export async function startTracedSystem(): Promise<TracedSystem> {
  const cleanUps: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp();
  };
  try {
    return await start(cleanUps, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(cleanUps: (() => unknown)[], stop: () => Promise<void>): Promise<TracedSystem> {
  const folder = await mkdtemp(join(tmpdir(), 'database-mcp-traced-'));
  cleanUps.push(() => rm(folder, { recursive: true, force: true }));
  const receiver = await startOtlpReceiver();
  cleanUps.push(() => receiver.stop());
  const [postgres, neo4j, qdrant] = await Promise.all([startPostgres(), startNeo4j(), startQdrant()]);
  for (const database of [postgres, neo4j, qdrant]) cleanUps.push(() => database.stop());
  await loadSampleData({ postgresAdminUrl: postgres.adminUrl, neo4j, qdrantUrl: qdrant.url });
  const own = {
    postgres: { POSTGRES_URL: postgres.url },
    qdrant: { QDRANT_URL: qdrant.url },
    neo4j: { NEO4J_URI: neo4j.uri, NEO4J_USERNAME: neo4j.username, NEO4J_PASSWORD: neo4j.password },
  };
  const metricsUrls: string[] = [];
  const telling = async (): Promise<Record<string, string>> => {
    const port = await freePort();
    metricsUrls.push(`http://127.0.0.1:${port}/metrics`);
    return {
      ...PROMPT_EXPORT,
      ...SHORT_QUEUE,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      MCP_METRICS_PORT: String(port),
    };
  };
  const run = async (name: string, env: Record<string, string>, args: string[] = []) => {
    const port = await freePort();
    const process = await spawnProcess({
      name,
      args: [`apps/${name}/src/main.ts`, ...args, '--port', String(port)],
      env: { ...(await telling()), ...env },
      ready: { url: `http://127.0.0.1:${port}/ready` },
    });
    cleanUps.push(() => process.stop());
    return { process, url: `http://127.0.0.1:${port}/mcp` };
  };
  const auditPath = (database: DatabaseName): string => join(folder, `${database}.jsonl`);
  const serve = (name: DatabaseName) => run(`${name}-mcp`, { ...own[name], MCP_AUDIT_LOG: auditPath(name) });
  const servers = { postgres: await serve('postgres'), qdrant: await serve('qdrant'), neo4j: await serve('neo4j') };
  const config = join(folder, 'gateway.yaml');
  await writeFile(config, JSON.stringify({ upstreams: DATABASES.map((name) => ({ name, url: servers[name].url })) }));
  const gateway = await run('gateway', {}, ['--config', config]);
  const processes = {
    gateway: gateway.process,
    postgres: servers.postgres.process,
    qdrant: servers.qdrant.process,
    neo4j: servers.neo4j.process,
  };
  return {
    receiver,
    url: gateway.url,
    processes,
    metricsUrls,
    ports: { postgres: portOf(postgres.url), qdrant: qdrant.port, neo4j: portOf(neo4j.uri) },
    auditLines: (database) => {
      const text = readFileSync(auditPath(database), 'utf8').trimEnd();
      return text.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    async everythingTold() {
      const metrics = await Promise.all(metricsUrls.map(async (url) => (await fetch(url)).text()));
      const spans = JSON.stringify(receiver.spans, (_key, value: unknown) =>
        typeof value === 'bigint' ? String(value) : value,
      );
      const logs = Object.values(processes).map((process) => process.stderr() + process.stdout());
      const audits = DATABASES.map((name) => readFileSync(auditPath(name), 'utf8'));
      return [spans, ...logs, ...audits, ...metrics].join('\n');
    },
    stop,
  };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** What one call told: the answer's text, and its spans by their start. */
export interface TracedCall {
  traceId: string;
  clientSpanId: string;
  text: string;
  spans: ReceivedSpan[];
}

let traces = 0;

/** Calls a tool in a trace of its own and waits until the spans that are expected of it have arrived. */
export async function callTraced(
  { url, receiver }: TracedSystem,
  name: string,
  args: object,
  expectedSpans: number,
): Promise<TracedCall> {
  const traceId = `0af7651916cd43dd8448eb21${(++traces).toString(16).padStart(8, '0')}`;
  const clientSpanId = 'b7ad6b7169203331';
  const meta = { traceparent: `00-${traceId}-${clientSpanId}-01` };
  const { headers, body } = buildRpcRequest('tools/call', { params: { name, arguments: args, _meta: meta } });
  const answer = await fetch(url, { method: 'POST', headers, body });
  const text = await answer.text();
  const found = (): ReceivedSpan[] => receiver.spans.filter((span) => span.traceId === traceId);
  await waitFor(() => found().length >= expectedSpans, { what: `${expectedSpans} spans of ${name}: ${text}` });
  return { traceId, clientSpanId, text, spans: found().toSorted((a, b) => Number(a.startNs - b.startNs)) };
}
