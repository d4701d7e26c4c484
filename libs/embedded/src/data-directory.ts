/**
 * The folder of one embedded server: created, locked against a second server, with its secrets.
 * What lies in it besides is the database's own business.
 */
import { randomBytes } from 'node:crypto';
import {
  access,
  chmod,
  constants,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  realpath,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Guard } from './guard.ts';
import { createFileOnce, isLiveProcess, removeIfSame } from './process-lock.ts';

/** An opened and locked folder. */
export interface DataDirectory {
  readonly path: string;
  readonly isEphemeral: boolean;
  /** Notes the server's process id, for the error that a second start gets. */
  recordServer(pid: number): Promise<void>;
}

interface LockContents {
  guardPid: number;
  guardToken: string;
  serverPid?: number;
}

const LOCK_FILE = 'server.pid';
// root alone may enter a 0700 folder, but Postgres then runs as another user and must pass through.
const DIRECTORY_MODE = process.getuid?.() === 0 ? 0o711 : 0o700;

async function readLock(file: string): Promise<LockContents | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as LockContents;
  } catch {
    return undefined;
  }
}

async function findOwner(directory: string): Promise<number | undefined> {
  const lock = await readLock(join(directory, LOCK_FILE));
  if (lock === undefined) return undefined;
  if (await isLiveProcess(lock.serverPid, directory)) return lock.serverPid;
  if (await isLiveProcess(lock.guardPid, lock.guardToken)) return lock.guardPid;
  return undefined;
}

async function takeLock(directory: string, contents: LockContents): Promise<void> {
  const file = join(directory, LOCK_FILE);
  while (!(await createFileOnce(file, JSON.stringify(contents)))) {
    const seen = await readFile(file, 'utf8').catch(() => undefined);
    const owner = await findOwner(directory);
    if (owner !== undefined) throw createInUseError(directory, owner);
    // Its owner was killed: nobody holds the folder any more.
    if (seen !== undefined) await removeIfSame(file, seen);
  }
}

/** The error for a data directory that a running server holds. */
export function createInUseError(directory: string, pid: number): Error {
  return new Error(
    `The data directory ${directory} is in use by a running server (process ${pid}). ` +
      'Stop that process, or give another directory with --data DIR (option `dataDirectory`).',
  );
}

/** Temporary folders whose server and guard were both killed, so that nobody could remove them. */
async function removeAbandonedFolders(prefix: string): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    const path = join(tmpdir(), name);
    const found = await lstat(path).catch(() => undefined);
    if (found?.isDirectory() !== true || found.uid !== process.getuid?.()) continue;
    // Without a lock it is just being made.
    if ((await readLock(join(path, LOCK_FILE))) === undefined || (await findOwner(path)) !== undefined) continue;
    await rm(path, { recursive: true, force: true });
  }
}

async function createKeptFolder(wanted: string): Promise<string> {
  try {
    await mkdir(wanted, { recursive: true, mode: DIRECTORY_MODE });
    await access(wanted, constants.W_OK);
  } catch (cause) {
    throw new Error(
      `Cannot create or write the data directory ${wanted}: ${cause instanceof Error ? cause.message : String(cause)}. ` +
        'Mend that, or give another directory with --data DIR (option `dataDirectory`).',
      { cause },
    );
  }
  return await realpath(wanted);
}

async function createTemporaryFolder(kind: string, guard: Guard): Promise<string> {
  const prefix = `database-mcp-${kind}-`;
  // Tidying up after others is no reason not to start.
  await removeAbandonedFolders(prefix).catch(() => {});
  const path = await mkdtemp(join(tmpdir(), prefix));
  await guard.own(path);
  await chmod(path, DIRECTORY_MODE);
  return await realpath(path);
}

/** Opens the folder for one server; the guard releases the lock, and removes the folder when it is temporary. */
export async function openDataDirectory(
  kind: string,
  wanted: string | undefined,
  guard: Guard,
): Promise<DataDirectory> {
  let path: string;
  if (wanted === undefined) {
    path = await createTemporaryFolder(kind, guard);
  } else {
    path = await createKeptFolder(wanted);
  }
  const owner: LockContents = { guardPid: guard.pid, guardToken: guard.token };
  await takeLock(path, owner);
  const lockFile = join(path, LOCK_FILE);
  await guard.own(lockFile);
  return {
    path,
    isEphemeral: wanted === undefined,
    async recordServer(serverPid) {
      const temporary = `${lockFile}.new`;
      await writeFile(temporary, JSON.stringify({ ...owner, serverPid } satisfies LockContents), { mode: 0o600 });
      await rename(temporary, lockFile);
    },
  };
}

/** Reads the passwords of a data directory, or makes random ones and keeps them readable by the owner alone. */
export async function loadPasswords<Name extends string>(
  directory: string,
  names: readonly Name[],
  hasDatabase: boolean,
): Promise<Record<Name, string>> {
  const file = join(directory, 'credentials.json');
  let stored: Record<string, unknown> | undefined;
  try {
    stored = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    if (!isMissing || hasDatabase) {
      throw new Error(
        `The data directory ${directory} holds a database but no readable credentials.json with its passwords. ` +
          'Put the file back, or give another directory with --data DIR (option `dataDirectory`).',
        { cause },
      );
    }
  }
  const passwords: [Name, string][] = names.map((name) => {
    const value = stored?.[name];
    return [name, typeof value === 'string' ? value : randomBytes(24).toString('base64url')];
  });
  const result = Object.fromEntries(passwords) as Record<Name, string>;
  if (stored === undefined) {
    await writeFile(`${file}.new`, JSON.stringify(result), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }
  return result;
}
