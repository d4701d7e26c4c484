/** The data folder of Postgres: made once by initdb, checked at every later start. */
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInUseError } from '../data-directory.ts';
import { createProgramEnvironment, isProcessAlive } from '../guard.ts';
import type { Guard } from '../guard.ts';
import { isLiveProcess } from '../process-lock.ts';
import type { PostgresBinaries } from './binaries.ts';
import { ADMIN_ROLE } from './roles.ts';
import type { ServiceUser } from './service-user.ts';

/** What is needed to make a cluster. */
export interface ClusterOptions {
  readonly dataDirectory: string;
  readonly isEphemeral: boolean;
  readonly adminPassword: string;
  readonly binaries: PostgresBinaries;
  readonly user: ServiceUser | undefined;
  readonly guard: Guard;
}

/** The folder that `postgres -D` gets. */
export function getClusterFolder(dataDirectory: string): string {
  return join(dataDirectory, 'pgdata');
}

/** The major version that made the cluster; undefined when there is none. */
export async function readClusterVersion(dataDirectory: string): Promise<string | undefined> {
  try {
    return (await readFile(join(getClusterFolder(dataDirectory), 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function giveTo(user: ServiceUser | undefined, path: string): Promise<void> {
  if (user !== undefined) await chown(path, user.uid, user.gid);
}

async function assertReachable(path: string, user: ServiceUser, guard: Guard): Promise<void> {
  const { code } = await guard.run({
    command: '/bin/sh',
    args: ['-c', 'test -r "$1" && test -w "$1" && test -x "$1"', 'sh', path],
    env: createProgramEnvironment(),
    user,
  });
  if (code === 0) return;
  throw new Error(
    `Postgres refuses to run as root, so it runs as user ${user.name}, who cannot enter ${dirname(path)}: ` +
      'one of the folders above is closed to other users. Give a directory that is reachable for everybody with ' +
      '--data DIR (option `dataDirectory`; TMPDIR when it is temporary), open the folder (`chmod o+x`), ' +
      'or run the command as an ordinary user.',
  );
}

async function runInitdb(options: ClusterOptions, folder: string, passwordFile: string): Promise<void> {
  const result = await options.guard.run({
    command: options.binaries.initdb,
    args: [
      `--pgdata=${folder}`,
      `--username=${ADMIN_ROLE}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      // Built into Postgres: sorts the same on every machine, whatever locales it has.
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      ...(options.isEphemeral ? ['--no-sync'] : []),
    ],
    env: createProgramEnvironment(),
    user: options.user,
  });
  if (result.code !== 0) {
    throw new Error(`initdb could not make a Postgres data folder in ${folder}. Its last words:\n${result.output}`);
  }
}

/** Makes the cluster when it is not there yet; an error when it is one that these programs cannot use. */
export async function prepareCluster(options: ClusterOptions): Promise<void> {
  const { dataDirectory, user, guard } = options;
  const folder = getClusterFolder(dataDirectory);
  const version = await readClusterVersion(dataDirectory);
  if (version === options.binaries.majorVersion) {
    await removeMisleadingPidFile(folder);
    if (user !== undefined) await assertReachable(folder, user, guard);
    return;
  }
  if (version !== undefined) {
    throw new Error(
      `The data directory ${dataDirectory} was made by Postgres ${version}, and this is ${options.binaries.majorVersion}. ` +
        'Give another directory with --data DIR (option `dataDirectory`).',
    );
  }
  // A folder of another name until it is whole: a start that was killed half-way must not be mistaken for a cluster.
  const partial = `${folder}.partial`;
  const passwordFile = join(dataDirectory, 'initdb-password');
  await rm(partial, { recursive: true, force: true });
  await rm(passwordFile, { force: true });
  await mkdir(partial, { mode: 0o700 });
  await giveTo(user, partial);
  if (user !== undefined) await assertReachable(partial, user, guard);
  try {
    await writeFile(passwordFile, options.adminPassword, { mode: 0o600, flag: 'wx' });
    await giveTo(user, passwordFile);
    await runInitdb(options, partial, passwordFile);
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(partial, folder);
}

/**
 * Postgres believes any live process with the number of its pid file to be itself; after a crash another program may
 * have got that number. A number that nobody has is left to Postgres, which then also looks for surviving backends.
 */
async function removeMisleadingPidFile(folder: string): Promise<void> {
  const file = join(folder, 'postmaster.pid');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const pid = Number(text.split('\n')[0]);
  if (!isProcessAlive(pid)) return;
  if (await isLiveProcess(pid, folder)) throw createInUseError(dirname(folder), pid);
  await rm(file, { force: true });
}
