/**
 * Gives a Qdrant to talk to: one that runs already, else the machine's own `qdrant` program, else the stand-in.
 * Each process is started under a guard, so that it is gone when its parent is gone.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDataDirectory } from '../data-directory.ts';
import type { DataDirectory } from '../data-directory.ts';
import { createProgramEnvironment } from '../guard.ts';
import type { CommandOptions, Guard, ProcessExit, StopStep } from '../guard.ts';
import { startGuarded } from '../guarded-start.ts';
import { LOCAL_HOST, PortTakenError, choosePort, waitUntil } from '../ports.ts';
import { createStartFailure } from '../start-failure.ts';
import type { StartOptions } from '../start-options.ts';
import { findQdrantBinary } from './binary.ts';
import { probeQdrant } from './probe.ts';

/** How to get a Qdrant. */
export interface QdrantStartOptions extends StartOptions {
  /** A server that runs already (QDRANT_URL); nothing is started then. */
  url?: string | undefined;
}

/** A Qdrant to talk to. */
export interface EmbeddedQdrant {
  readonly kind: 'qdrant';
  /** Whose it is: somebody else's server, the real program started here, or the stand-in. */
  readonly flavour: 'existing' | 'binary' | 'stand-in';
  readonly url: string;
  readonly port: number;
  /** The server's process, when it was started here. */
  readonly pid?: number;
  readonly version: string;
  /** Settles when a server that was started here has ended; never for an existing one. */
  readonly exited: Promise<ProcessExit>;
  /** Ends a server that was started here; an existing one is left alone. */
  stop(): Promise<void>;
}

interface ServerPlan {
  readonly flavour: 'binary' | 'stand-in';
  readonly name: string;
  command(data: DataDirectory, port: number): Promise<CommandOptions>;
}

const PROBE_TIMEOUT_MS = 5_000;
// A real Qdrant replays its write log first, on a loaded machine.
const READY_TIMEOUT_MS = 60_000;
const STOP_STEPS: readonly StopStep[] = [
  { signal: 'SIGTERM', waitMs: 10_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];
const STAND_IN_MAIN = fileURLToPath(new URL('stand-in/main.ts', import.meta.url));

const STAND_IN_NOTICE =
  'Qdrant: neither QDRANT_URL nor a qdrant program was found, so this is a small stand-in for Qdrant, ' +
  'for trying things out; set QDRANT_URL, or install the qdrant binary (or set QDRANT_BINARY), to use the real one';

function withoutSecrets(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/$/, '')}`;
}

async function useExisting(text: string): Promise<EmbeddedQdrant> {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new Error('QDRANT_URL (option `url`) is not an http or https URL. Write it like http://127.0.0.1:6333.');
  }
  const probe = await probeQdrant(text, PROBE_TIMEOUT_MS);
  if (probe.kind === 'other') {
    throw new Error(
      `No Qdrant can be used at ${withoutSecrets(url)}: ${probe.problem}. ` +
        'Start that server or correct QDRANT_URL (option `url`), or leave it out to have one started.',
    );
  }
  const defaultPort = url.protocol === 'https:' ? 443 : 80;
  return {
    kind: 'qdrant',
    flavour: 'existing',
    url: text.replace(/\/+$/, ''),
    port: url.port === '' ? defaultPort : Number(url.port),
    version: probe.version,
    exited: new Promise(() => {}),
    stop: async () => {},
  };
}

function planBinary(command: string): ServerPlan {
  return {
    flavour: 'binary',
    name: 'Qdrant',
    async command(data, port) {
      const grpcPort = await choosePort(undefined, 'Qdrant');
      const settings = {
        QDRANT__SERVICE__HOST: LOCAL_HOST,
        QDRANT__SERVICE__HTTP_PORT: String(port),
        QDRANT__SERVICE__GRPC_PORT: String(grpcPort),
        QDRANT__STORAGE__STORAGE_PATH: join(data.path, 'storage'),
        QDRANT__STORAGE__SNAPSHOTS_PATH: join(data.path, 'snapshots'),
        QDRANT__TELEMETRY_DISABLED: 'true',
        QDRANT__CLUSTER__ENABLED: 'false',
        QDRANT__LOG_LEVEL: 'WARN',
      };
      // It looks for a folder `config` and leaves marker files where it is started.
      return { command, args: [], env: createProgramEnvironment(settings), cwd: data.path };
    },
  };
}

const STAND_IN: ServerPlan = {
  flavour: 'stand-in',
  name: 'The Qdrant stand-in',
  command: async (data, port) => ({
    command: process.execPath,
    args: [
      STAND_IN_MAIN,
      '--port',
      String(port),
      ...(data.isEphemeral ? [] : ['--data', join(data.path, 'stand-in.jsonl')]),
    ],
    env: createProgramEnvironment(),
    cwd: data.path,
  }),
};

async function startWithGuard(plan: ServerPlan, options: StartOptions, guard: Guard): Promise<EmbeddedQdrant> {
  const port = await choosePort(options.port, 'Qdrant');
  const data = await openDataDirectory('qdrant', options.dataDirectory, guard);
  const pid = await guard.serve({
    ...(await plan.command(data, port)),
    logFile: join(data.path, 'qdrant.log'),
    stopSteps: STOP_STEPS,
  });
  // A server that ends at once takes its temporary folder along; that it ended is the problem to report then.
  let recordProblem: unknown;
  await data.recordServer(pid).catch((error: unknown) => (recordProblem = error));
  let hasEnded = false;
  void guard.exited.then(() => (hasEnded = true));
  const url = `http://${LOCAL_HOST}:${port}`;
  let version: string | undefined;
  await waitUntil(async () => {
    if (hasEnded) return true;
    const probe = await probeQdrant(url, PROBE_TIMEOUT_MS);
    if (probe.kind === 'qdrant') version = probe.version;
    return version !== undefined;
  }, READY_TIMEOUT_MS);
  if (version === undefined || hasEnded) {
    const what = hasEnded ? 'ended while it was starting' : 'did not answer in time';
    await guard.stop();
    const exit = await guard.exited;
    if (/address already in use|EADDRINUSE/i.test(exit.output)) throw new PortTakenError(port, plan.name);
    throw createStartFailure(`${plan.name} ${what}`, exit);
  }
  if (recordProblem !== undefined) throw recordProblem;
  return {
    kind: 'qdrant',
    flavour: plan.flavour,
    url,
    port,
    pid,
    version,
    exited: guard.exited,
    stop: () => guard.stop(),
  };
}

function startServer(plan: ServerPlan, options: StartOptions): Promise<EmbeddedQdrant> {
  return startGuarded('qdrant', options, (guard) => startWithGuard(plan, options, guard));
}

/** Gives a Qdrant that answers: an existing one by URL, else the real program, else the stand-in. */
export async function startQdrant(options: QdrantStartOptions = {}): Promise<EmbeddedQdrant> {
  if (options.url !== undefined && options.url !== '') return await useExisting(options.url);
  const binary = findQdrantBinary({ named: process.env['QDRANT_BINARY'], searchPath: process.env['PATH'] });
  if (binary === undefined) {
    options.onProgress?.(STAND_IN_NOTICE);
    return await startServer(STAND_IN, options);
  }
  options.onProgress?.(`Qdrant: starting ${binary}`);
  return await startServer(planBinary(binary), options);
}
