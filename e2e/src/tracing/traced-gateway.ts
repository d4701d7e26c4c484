/** A real gateway process that exports to a receiver of this test, and requests of every kind of client to it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  buildRpcRequest,
  freePort,
  spawnProcess,
  waitFor,
  type OtlpReceiver,
  type ReceivedSpan,
  type SpawnedProcess,
} from '@database-mcp/testing';
import type { UpstreamEntry } from '../gateway-process.ts';

/** A running gateway. */
export interface TracedGateway {
  readonly process: SpawnedProcess;
  readonly url: string;
}

/** How a gateway is started. */
export interface TracedGatewayOptions {
  upstreams: readonly UpstreamEntry[];
  env?: Readonly<Record<string, string | undefined>>;
  /** Where the program is; default: its sources. */
  program?: string;
  /** Arguments of Node. */
  nodeArgs?: readonly string[];
}

/** Spans leave soon, so that tests need not wait for a batch to fill. */
export const PROMPT_EXPORT = { OTEL_BSP_SCHEDULE_DELAY: '50' };

/** Starts the gateway; it ends with the test. */
export async function startTracedGateway(
  t: Pick<TestContext, 'after'>,
  { upstreams, env = {}, program = 'apps/gateway/src/main.ts', nodeArgs = [] }: TracedGatewayOptions,
): Promise<TracedGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'database-mcp-tracing-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, 'gateway.yaml');
  await writeFile(config, JSON.stringify({ upstreams }));
  const port = await freePort();
  const started = await spawnProcess({
    t,
    name: 'gateway',
    args: [...nodeArgs, program, '--config', config, '--port', String(port)],
    env: { ...PROMPT_EXPORT, ...env },
    ready: { url: `http://127.0.0.1:${port}/ready` },
  });
  return { process: started, url: `http://127.0.0.1:${port}/mcp` };
}

/** What a client says of its trace. */
export interface ClientTrace {
  meta?: Record<string, string>;
  headers?: Record<string, string>;
}

/** A call of a tool, as a client of that era sends it. */
export function callTool(
  url: string,
  era: 'modern' | 'legacy',
  name: string,
  trace: ClientTrace = {},
  signal?: AbortSignal,
): Promise<Response> {
  const params = { name, arguments: { n: 1 }, ...(trace.meta && { _meta: trace.meta }) };
  const { headers, body } = buildRpcRequest('tools/call', { era, params, id: 7, headers: trace.headers });
  return fetch(url, { method: 'POST', headers, body, ...(signal && { signal }) });
}

/** The spans of a trace once there are so many, by their start. */
export async function waitForTrace(receiver: OtlpReceiver, traceId: string, count: number): Promise<ReceivedSpan[]> {
  const spans = (): ReceivedSpan[] => receiver.spans.filter((span) => span.traceId === traceId);
  await waitFor(() => spans().length >= count, { what: `${count} spans of the trace ${traceId}` });
  return spans().toSorted((a, b) => Number(a.startNs - b.startNs));
}
