/** Starts one embedded Postgres and gives its two connection strings. */
import { join } from 'node:path';
import type { Client } from 'pg';
import { loadPasswords, openDataDirectory } from '../data-directory.ts';
import type { DataDirectory } from '../data-directory.ts';
import { createProgramEnvironment } from '../guard.ts';
import type { Guard, StopStep } from '../guard.ts';
import { PredecessorEndingError, startGuarded } from '../guarded-start.ts';
import { LOCAL_HOST, choosePort, createPortTakenError, waitUntil } from '../ports.ts';
import { createStartFailure } from '../start-failure.ts';
import type { EmbeddedServer, StartOptions } from '../start-options.ts';
import { preparePostgresBinaries } from './binaries.ts';
import type { PostgresBinaries } from './binaries.ts';
import { prepareCluster, readClusterVersion } from './cluster.ts';
import { ADMIN_ROLE, READER_ROLE, createReaderRole } from './roles.ts';
import { findServiceUser } from './service-user.ts';
import type { ServiceUser } from './service-user.ts';

/** A running embedded Postgres. */
export interface EmbeddedPostgres extends EmbeddedServer {
  readonly kind: 'postgres';
  /** Connects as a role that can only read the schema public. */
  readonly url: string;
  /** Connects as the superuser. */
  readonly adminUrl: string;
}

/** How to start a Postgres. */
export interface PostgresStartOptions extends StartOptions {
  /** Server settings besides or instead of our own, for tests: `wal_level`, `shared_preload_libraries`. */
  settings?: Readonly<Record<string, string>>;
}

// Fast shutdown, then immediate (recovers at the next start), then none at all.
const STOP_STEPS: readonly StopStep[] = [
  { signal: 'SIGINT', waitMs: 10_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];
// Recovery after a crash is part of the start, on a loaded machine.
const READY_TIMEOUT_MS = 60_000;
// SQLSTATE invalid_password.
const WRONG_PASSWORD = '28P01';

interface ServerPlan {
  readonly binaries: PostgresBinaries;
  readonly user: ServiceUser | undefined;
  readonly data: DataDirectory;
  readonly guard: Guard;
  readonly clusterFolder: string;
  readonly logFile: string;
  readonly settings: Readonly<Record<string, string>>;
}

function createServerArguments(plan: ServerPlan, port: number): string[] {
  const settings: Record<string, string> = {
    listen_addresses: LOCAL_HOST,
    port: String(port),
    unix_socket_directories: '',
    max_connections: '50',
    shared_buffers: '32MB',
    jit: 'off',
    wal_level: 'minimal',
    max_wal_senders: '0',
    max_logical_replication_workers: '0',
    max_wal_size: '256MB',
    min_wal_size: '32MB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // A failed statement may hold what a user typed; the log keeps the error alone.
    log_min_error_statement: 'panic',
  };
  // Workers for asynchronous reads (new in 18) cost about 10 MB each and win nothing at this size.
  if (Number(plan.binaries.majorVersion) >= 18) settings['io_method'] = 'sync';
  if (plan.data.isEphemeral)
    Object.assign(settings, { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' });
  Object.assign(settings, plan.settings);
  return ['-D', plan.clusterFolder, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

function createUrl(role: string, password: string, port: number): string {
  return `postgresql://${role}:${password}@${LOCAL_HOST}:${port}/postgres`;
}

async function connectAndPrepare(client: Client, readerPassword: string): Promise<boolean> {
  // Losing the server is seen by its exit.
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    if ((error as { code?: string }).code !== WRONG_PASSWORD) return false;
    throw new Error(
      'Postgres refuses the password of credentials.json in its data directory. Put the file back that belongs to the ' +
        'data, or give another directory with --data DIR (option `dataDirectory`).',
      { cause: error },
    );
  }
  try {
    await createReaderRole(client, readerPassword);
  } finally {
    await client.end();
  }
  return true;
}

/** Connects as soon as the server lets us, creates the reading role, and leaves. */
async function waitForPostgres(adminUrl: string, readerPassword: string, hasEnded: () => boolean): Promise<boolean> {
  const { default: pg } = await import('pg');
  return await waitUntil(
    async () => hasEnded() || (await connectAndPrepare(new pg.Client({ connectionString: adminUrl }), readerPassword)),
    READY_TIMEOUT_MS,
  );
}

async function launch(plan: ServerPlan, port: number): Promise<number> {
  const pid = await plan.guard.serve({
    command: plan.binaries.postgres,
    args: createServerArguments(plan, port),
    env: createProgramEnvironment(),
    user: plan.user,
    logFile: plan.logFile,
    stopSteps: STOP_STEPS,
  });
  await plan.data.recordServer(pid);
  return pid;
}

async function startWithGuard(options: PostgresStartOptions, guard: Guard): Promise<EmbeddedPostgres> {
  const port = await choosePort(options.port, 'Postgres');
  const user = await findServiceUser();
  const binaries = await preparePostgresBinaries(user, guard);
  const data = await openDataDirectory('postgres', options.dataDirectory, guard);
  const hasCluster = (await readClusterVersion(data.path)) !== undefined;
  const passwords = await loadPasswords(data.path, ['admin', 'reader'], hasCluster);
  const clusterFolder = await prepareCluster({
    dataDirectory: data.path,
    isEphemeral: data.isEphemeral,
    adminPassword: passwords.admin,
    binaries,
    user,
    guard,
    onProgress: options.onProgress,
  });
  const logFile = join(data.path, 'postgres.log');
  const adminUrl = createUrl(ADMIN_ROLE, passwords.admin, port);
  const pid = await launch(
    { binaries, user, data, guard, clusterFolder, logFile, settings: options.settings ?? {} },
    port,
  );
  let hasEnded = false;
  void guard.exited.then(() => (hasEnded = true));
  const isReady = await waitForPostgres(adminUrl, passwords.reader, () => hasEnded);
  if (!isReady || hasEnded) {
    const what = hasEnded ? 'Postgres ended while it was starting' : 'Postgres did not answer in time';
    await guard.stop();
    const exit = await guard.exited;
    if (exit.output.includes('Address already in use')) throw createPortTakenError(port, 'Postgres');
    const failure = createStartFailure(what, exit);
    if (exit.output.includes('pre-existing shared memory block')) throw new PredecessorEndingError(failure.message);
    throw failure;
  }
  return {
    kind: 'postgres',
    port,
    pid,
    url: createUrl(READER_ROLE, passwords.reader, port),
    adminUrl,
    exited: guard.exited,
    stop: () => guard.stop(),
  };
}

/** Starts Postgres on 127.0.0.1 and resolves when it answers. */
export function startPostgres(options: PostgresStartOptions = {}): Promise<EmbeddedPostgres> {
  return startGuarded('postgres', options, (guard) => startWithGuard(options, guard));
}
