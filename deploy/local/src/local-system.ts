/** Starts everything in the right order, and ends it in the reverse one. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createBanner, type BannerRow } from './banner.ts';
import { startDatabases, type Databases, type RunningDatabase } from './databases.ts';
import { startManagedProcess, type ManagedProcess } from './managed-process.ts';
import type { LocalOptions } from './options.ts';

/** A system that runs. */
export interface LocalSystem {
  banner: string;
  stop: () => Promise<void>;
}

/** Offsets from the gateway's port, in the order of the fixed local ports 8001 to 8003. */
const SERVERS = [
  { kind: 'postgres', offset: 1 },
  { kind: 'qdrant', offset: 2 },
  { kind: 'neo4j', offset: 3 },
] as const;

const run = promisify(execFile);

type Say = (line: string) => void;

/** Starts databases, servers and gateway; rejects with one clear message and nothing left running. */
export async function startLocalSystem(options: LocalOptions, env: NodeJS.ProcessEnv, say: Say): Promise<LocalSystem> {
  await checkPorts(options.port);
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (let next = stops.pop(); next; next = stops.pop()) await next();
  };
  try {
    const [databases] = await Promise.all([startDatabases(options, env, say), bundleApps()]);
    stops.push(async () => void (await Promise.allSettled(databases.running.map((database) => database.stop()))));
    const servers = await startServers(databases.running, options.port, env, say, stops);
    const { folder, isTemporary } = await createConfigFolder(options, stops);
    const gatewayUrl = `http://127.0.0.1:${options.port}`;
    const config = join(folder, 'gateway.yaml');
    await writeFile(config, gatewayConfig(servers));
    const temporary: Record<string, string> = isTemporary ? { REMOVE_WITH_PARENT: folder } : {};
    stops.push(await startGateway(options.port, config, { ...ownSettings(options.port, env), ...temporary }, say));
    const rows = [{ name: 'gateway', url: `${gatewayUrl}/mcp`, description: 'all tools at one URL' }, ...servers];
    return { banner: createBanner(rows, `${gatewayUrl}/mcp`, databases.missing), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startServers(
  running: Databases['running'],
  gatewayPort: number,
  env: NodeJS.ProcessEnv,
  say: Say,
  stops: (() => Promise<void>)[],
): Promise<BannerRow[]> {
  const wanted = SERVERS.flatMap(({ kind, offset }) => {
    const database = running.find((candidate) => candidate.kind === kind);
    return database ? [{ database, port: gatewayPort + offset, own: shiftMetricsPort(env, offset) }] : [];
  });
  const results = await Promise.allSettled(
    wanted.map(({ database, port, own }) => startServer(database, port, own, say)),
  );
  const started = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  stops.push(async () => void (await Promise.all(started.map((server) => server.stop()))));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure) throw failure.reason;
  return wanted.map(({ database, port }) => ({
    name: `${database.kind}-mcp`,
    url: `http://127.0.0.1:${port}/mcp`,
    description: database.description,
  }));
}

function startServer(
  database: RunningDatabase,
  port: number,
  env: NodeJS.ProcessEnv,
  say: Say,
): Promise<ManagedProcess> {
  return startManagedProcess({
    name: `${database.kind}-mcp`,
    script: `apps/${database.kind}-mcp/dist/main.js`,
    env: { ...database.env, ...ownSettings(port, env) },
    healthUrl: `http://127.0.0.1:${port}/health`,
    onNotice: say,
  });
}

async function startGateway(
  port: number,
  config: string,
  env: Readonly<Record<string, string>>,
  say: Say,
): Promise<() => Promise<void>> {
  const gateway = await startManagedProcess({
    name: 'gateway',
    script: 'apps/gateway/dist/main.js',
    args: ['--config', config],
    env,
    healthUrl: `http://127.0.0.1:${port}/ready`,
    onNotice: say,
  });
  return () => gateway.stop();
}

/** What the caller's environment must not decide for a single process of several; the log is quiet unless asked for. */
function ownSettings(port: number, env: NodeJS.ProcessEnv): Record<string, string> {
  return {
    MCP_TRANSPORT: 'streamable-http',
    MCP_HOST: '127.0.0.1',
    MCP_PORT: String(port),
    MCP_INSTANCE: '',
    LOG_LEVEL: env['LOG_LEVEL'] ?? 'error',
    MCP_METRICS_PORT: env['MCP_METRICS_PORT'] ?? '',
    // Each process has a name of its own in traces and metrics.
    OTEL_SERVICE_NAME: '',
  };
}

/** The gateway takes the port that is named, the servers the next three, as with the ports of MCP. */
function shiftMetricsPort(env: NodeJS.ProcessEnv, offset: number): NodeJS.ProcessEnv {
  const port = Number(env['MCP_METRICS_PORT']);
  return port > 0 ? { ...env, MCP_METRICS_PORT: String(port + offset) } : env;
}

/** JSON is YAML too, and quotes names and URLs safely. */
function gatewayConfig(servers: readonly BannerRow[]): string {
  const upstreams = servers.map(({ name, url }) => ({ name: name.replace(/-mcp$/, ''), url }));
  return `# Written by npm start at every start.\n${JSON.stringify({ upstreams }, null, 2)}\n`;
}

async function createConfigFolder(
  options: LocalOptions,
  stops: (() => Promise<void>)[],
): Promise<{ folder: string; isTemporary: boolean }> {
  if (options.dataDirectory !== undefined) {
    const folder = resolve(options.dataDirectory);
    await mkdir(folder, { recursive: true });
    return { folder, isTemporary: false };
  }
  const folder = await mkdtemp(join(tmpdir(), 'database-mcp-'));
  stops.push(() => rm(folder, { recursive: true, force: true }));
  return { folder, isTemporary: true };
}

/**
 * The processes run as bundles: a process that strips types and reads hundreds of files is 20 to 40 MiB larger
 * (measured: 108 MiB instead of 129 to 168). Made anew at every start, in half a second beside the databases' start.
 */
async function bundleApps(): Promise<void> {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const apps = ['gateway', ...SERVERS.map(({ kind }) => `${kind}-mcp`)].map((app) => join(root, 'apps', app));
  await run(process.execPath, [join(root, 'deploy/bundle/src/main.ts'), ...apps]);
}

/** Checked before anything starts, so that a taken port costs no waiting. */
async function checkPorts(gatewayPort: number): Promise<void> {
  const ports = [gatewayPort, ...SERVERS.map(({ offset }) => gatewayPort + offset)];
  const taken = (await Promise.all(ports.map(async (port) => ((await isTaken(port)) ? [port] : [])))).flat();
  if (taken.length === 0) return;
  const what = taken.length === 1 ? `Port ${taken[0]} is` : `Ports ${taken.join(', ')} are`;
  throw new Error(
    `${what} taken by another process. End that one (is another npm start running?) or choose other ports: npm start -- --port ${gatewayPort + 100}`,
  );
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
    socket.once('connect', () => socket.destroy());
  });
}
