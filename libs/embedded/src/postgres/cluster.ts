/** The data folder of Postgres: made once by initdb, checked at every later start. */
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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
  readonly onProgress?: ((line: string) => void) | undefined;
}

const CLUSTER_NAME = 'pgdata';
const PARTIAL_SUFFIX = '.partial';
// For root only, who alone can write there.
const MACHINE_DATA_FOLDER = '/var/lib/database-mcp-gateway';
const RANDOM_NAME_BYTES = 6;

/** The major version that made the cluster; undefined when there is none. */
export async function readClusterVersion(dataDirectory: string): Promise<string | undefined> {
  try {
    return (await readFile(join(dataDirectory, CLUSTER_NAME, 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function canEnter(path: string, user: ServiceUser, guard: Guard): Promise<boolean> {
  const { code } = await guard.run({
    command: '/bin/sh',
    args: ['-c', 'test -r "$1" && test -w "$1" && test -x "$1"', 'sh', path],
    env: createProgramEnvironment(),
    user,
  });
  return code === 0;
}

/** Built into Postgres from 17 on: sorts the same on every machine, whatever locales it has. */
function toLocaleArguments(majorVersion: string): string[] {
  if (Number(majorVersion) < 17) return ['--locale=C.UTF-8'];
  return ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
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
      ...toLocaleArguments(options.binaries.majorVersion),
      ...(options.isEphemeral ? ['--no-sync'] : []),
    ],
    env: createProgramEnvironment(),
    user: options.user,
  });
  if (result.code !== 0) {
    throw new Error(`initdb could not make a Postgres data folder in ${folder}. Its last words:\n${result.output}`);
  }
}

/** The folder of a cluster that is there already, checked. */
async function openCluster(options: ClusterOptions): Promise<string> {
  const { dataDirectory, user, guard } = options;
  // As root it may have been put elsewhere, with a link to it.
  const folder = await realpath(join(dataDirectory, CLUSTER_NAME));
  await removeMisleadingPidFile(folder, dataDirectory);
  if (user === undefined || (await canEnter(folder, user, guard))) return folder;
  throw new Error(
    `Postgres refuses to run as root, so it runs as user ${user.name}, who cannot enter ${folder}: one of the folders ` +
      'above is closed to other users, or it is owned by somebody else. Open it (`chmod o+x` on the folders above), ' +
      'run the command as the user that made it, or give another directory with --data DIR (option `dataDirectory`).',
  );
}

/** A new empty folder for initdb; not below the data directory when the service user cannot go there. */
async function createPartialFolder(options: ClusterOptions): Promise<string> {
  const { dataDirectory, user, guard } = options;
  const wanted = join(dataDirectory, `${CLUSTER_NAME}${PARTIAL_SUFFIX}`);
  await rm(wanted, { recursive: true, force: true });
  await mkdir(wanted, { mode: 0o700 });
  if (user === undefined) return wanted;
  await chown(wanted, user.uid, user.gid);
  if (await canEnter(wanted, user, guard)) return wanted;
  await rm(wanted, { recursive: true });
  const name = `postgres-${randomBytes(RANDOM_NAME_BYTES).toString('hex')}${PARTIAL_SUFFIX}`;
  const elsewhere = join(MACHINE_DATA_FOLDER, name);
  await mkdir(MACHINE_DATA_FOLDER, { recursive: true, mode: 0o755 });
  await mkdir(elsewhere, { mode: 0o700 });
  await guard.own(elsewhere);
  await chown(elsewhere, user.uid, user.gid);
  return elsewhere;
}

async function createCluster(options: ClusterOptions): Promise<string> {
  const { dataDirectory, user, guard } = options;
  const link = join(dataDirectory, CLUSTER_NAME);
  // A folder of another name until it is whole: a start that was killed half-way must not be mistaken for a cluster.
  const partial = await createPartialFolder(options);
  const folder = partial.slice(0, -PARTIAL_SUFFIX.length);
  const passwordFile = `${partial}.password`;
  await rm(passwordFile, { force: true });
  await guard.own(passwordFile);
  try {
    await writeFile(passwordFile, options.adminPassword, { mode: 0o600, flag: 'wx' });
    if (user !== undefined) await chown(passwordFile, user.uid, user.gid);
    await runInitdb(options, partial, passwordFile);
  } finally {
    await rm(passwordFile, { force: true });
  }
  // What is left when the folder that a link named was removed.
  await rm(link, { force: true });
  await rename(partial, folder);
  if (folder !== link) {
    await symlink(folder, link);
    if (options.isEphemeral) await guard.own(folder);
    options.onProgress?.(
      `Postgres: keeping its files in ${folder}, because it cannot run as root ` +
        `and user ${user?.name} cannot enter ${dataDirectory}`,
    );
  }
  return folder;
}

/** Makes the cluster when it is not there yet and gives its folder; an error when these programs cannot use it. */
export async function prepareCluster(options: ClusterOptions): Promise<string> {
  const { dataDirectory } = options;
  const { majorVersion } = options.binaries;
  const version = await readClusterVersion(dataDirectory);
  if (version === undefined) {
    options.onProgress?.('Postgres: creating the data folder');
    return await createCluster(options);
  }
  if (version === majorVersion) return await openCluster(options);
  throw new Error(
    `The data directory ${dataDirectory} was made by Postgres ${version}, and this is ${majorVersion}. ` +
      'Give another directory with --data DIR (option `dataDirectory`).',
  );
}

/**
 * Postgres believes any live process with the number of its pid file to be itself; after a crash another program may
 * have got that number. A number that nobody has is left to Postgres, which then also looks for surviving backends.
 */
async function removeMisleadingPidFile(folder: string, dataDirectory: string): Promise<void> {
  const file = join(folder, 'postmaster.pid');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const pid = Number(text.split('\n')[0]);
  if (!isProcessAlive(pid)) return;
  if (await isLiveProcess(pid, folder)) throw createInUseError(dataDirectory, pid);
  await rm(file, { force: true });
}
