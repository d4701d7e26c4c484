/** Starts everything that a run needs, each in a process of its own. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  freePort,
  repositoryRoot,
  rpcRequest,
  spawnProcess,
  waitFor,
  type RawUpstreamStats,
  type SpawnedProcess,
} from '@database-mcp/testing';
import type { Job, JobResult } from './load-driver.ts';
import type { Pinning } from './pinning.ts';

/** What load is put on. */
export interface Target {
  /** `traced`: the gateway with tracing on, every call sampled. */
  name: 'direct' | 'pass-through' | 'gateway' | 'traced';
  url: string;
  /** The process in the middle; undefined when there is none. */
  pid: number | undefined;
}

/** Everything that runs. */
export interface Setup {
  targets: readonly Target[];
  /** Tools in a merged list. */
  toolCount: number;
  /** Names of tools with a 1 KB and a 100 KB result, one for each upstream. */
  smallTools: readonly string[];
  largeTools: readonly string[];
  drive(job: Job): Promise<JobResult>;
  /** Requests and connections that all upstreams have seen. */
  countUpstream(): Promise<RawUpstreamStats>;
  /** Spans that have arrived at the receiver, once no more come. */
  countSpans(): Promise<number>;
}

/** Names of the upstreams; their tools carry them as prefix. */
const UPSTREAMS = ['alpha', 'beta', 'gamma'] as const;
const TOOLS_PER_UPSTREAM = 12;
/** Longer than a batch of spans waits for more of them (OTEL_BSP_SCHEDULE_DELAY). */
const SPANS_SETTLE_MS = 5_500;
const run = promisify(execFile);

/** Bundles an app, which is how it ships, and gives the file: from its sources the gateway is 20 MiB larger. */
export async function bundleApp(name: 'gateway' | 'postgres-mcp'): Promise<string> {
  const app = join(repositoryRoot, 'apps', name);
  await run(process.execPath, [join(repositoryRoot, 'deploy/bundle/src/main.ts'), app]);
  return join(app, 'dist/main.js');
}

/** Starts upstreams, driver, pass-through and gateway. The processes are handed to `onStart` as they come up. */
export async function startSetup(
  folder: string,
  pinning: Pinning,
  onStart: (started: SpawnedProcess) => void,
): Promise<Setup> {
  const start = async (
    place: 'outer' | 'middle',
    args: readonly string[],
    ready: { line: RegExp } | { url: string },
    env: Readonly<Record<string, string>> = {},
  ) => {
    const { command, args: prefix } = pinning[place];
    const name = args[0] ?? command;
    const started = await spawnProcess({ name, command, args: [...prefix, ...args], ready, env });
    onStart(started);
    return { pid: started.pid, url: started.readyLine?.[1] ?? '' };
  };
  const bundle = await bundleApp('gateway');
  const upstreams = await Promise.all(
    UPSTREAMS.map(async (name) => {
      const args = [
        'libs/testing/src/fixture-main.ts',
        '--raw',
        '--prefix',
        `${name}_`,
        '--tools',
        `${TOOLS_PER_UPSTREAM}`,
      ];
      return { name, ...(await start('outer', args, { line: /"(http:[^"]*)"/ })) };
    }),
  );
  const receiver = await start('outer', ['bench/src/span-receiver.ts'], { line: /"(http:[^"]*)"/ });
  const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_METRICS_EXPORTER: 'none' };
  const [driver, passThrough, gateway, traced] = await Promise.all([
    start('outer', ['bench/src/driver-main.ts'], { line: /"(http:[^"]*)"/ }),
    start('middle', ['bench/src/pass-through.ts', ...upstreams.map(({ name, url }) => `${name}_=${url}`)], {
      line: /"(http:[^"]*)"/,
    }),
    startGateway(bundle, folder, upstreams, (args, ready) => start('middle', args, ready)),
    startGateway(bundle, folder, upstreams, (args, ready) => start('middle', args, ready, tracing)),
  ]);
  const toolCount = UPSTREAMS.length * TOOLS_PER_UPSTREAM;
  await waitForTools(gateway.url, toolCount);
  await waitForTools(traced.url, toolCount);
  return {
    targets: [
      { name: 'direct', url: upstreams[0]?.url ?? '', pid: undefined },
      { name: 'pass-through', ...passThrough },
      { name: 'gateway', ...gateway },
      { name: 'traced', ...traced },
    ],
    toolCount,
    smallTools: UPSTREAMS.map((name) => `${name}_small`),
    largeTools: UPSTREAMS.map((name) => `${name}_large`),
    async drive(job) {
      const response = await fetch(driver.url, { method: 'POST', body: JSON.stringify(job) });
      return (await response.json()) as JobResult;
    },
    async countUpstream() {
      const each = await Promise.all(upstreams.map(({ url }) => fetchStats(url)));
      const sum = (key: keyof RawUpstreamStats): number => each.reduce((total, stats) => total + stats[key], 0);
      return { requests: sum('requests'), connections: sum('connections') };
    },
    countSpans: () => countSettled(receiver.url),
  };
}

async function startGateway(
  bundle: string,
  folder: string,
  upstreams: readonly { name: string; url: string }[],
  start: (args: readonly string[], ready: { url: string }) => Promise<{ pid: number }>,
): Promise<{ pid: number; url: string }> {
  const config = join(folder, 'gateway.yaml');
  // YAML takes JSON.
  writeFileSync(config, JSON.stringify({ upstreams: upstreams.map(({ name, url }) => ({ name, url })) }));
  const port = await freePort();
  const args = [bundle, '--config', config, '--host', '127.0.0.1', '--port', String(port)];
  const { pid } = await start(args, { url: `http://127.0.0.1:${port}/ready` });
  return { pid, url: `http://127.0.0.1:${port}/mcp` };
}

async function waitForTools(url: string, count: number): Promise<void> {
  await waitFor(
    async () => {
      const tools = (await rpcRequest(url, 'tools/list')).message?.result?.['tools'];
      return Array.isArray(tools) && tools.length >= count;
    },
    { what: `the gateway to list the ${count} tools of its upstreams`, deadlineMs: 10_000 },
  );
}

/** The last spans come when their batch is old enough. */
async function countSettled(url: string): Promise<number> {
  const count = async (): Promise<number> => Number(await (await fetch(url)).text());
  let last = -1;
  for (let now = await count(); now !== last; now = await count()) {
    last = now;
    await delay(SPANS_SETTLE_MS);
  }
  return last;
}

/** Asked on a connection that is kept, so that the asking is counted once and not at every time. */
async function fetchStats(url: string): Promise<RawUpstreamStats> {
  const response = await fetch(new URL('/fixture/stats', url));
  return (await response.json()) as RawUpstreamStats;
}
