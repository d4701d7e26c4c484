/**
 * The folder of one embedded server: created, locked against a second server, with its secrets.
 * What lies in it besides is the database's own business.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { isProcessAlive } from './guard.ts';
import type { Guard } from './guard.ts';

/** An opened and locked folder. */
export interface DataDirectory {
  readonly path: string;
  readonly isEphemeral: boolean;
  /** Notes the server's process id, for the error that a second start gets. */
  recordServer(pid: number): Promise<void>;
}

interface LockContents {
  guardPid: number;
  serverPid?: number;
}

const LOCK_FILE = 'server.pid';
// root alone may enter a 0700 folder, but Postgres then runs as another user and must pass through.
const DIRECTORY_MODE = process.getuid?.() === 0 ? 0o711 : 0o700;

async function readCommandLine(pid: number): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
  } catch {
    const { stdout } = await promisify(execFile)('ps', ['-p', String(pid), '-o', 'command=']).catch(() => ({
      stdout: '',
    }));
    return stdout;
  }
}

/** Whether this process id is alive and its command line holds the text (ids are reused after a crash). */
export async function isLiveProcess(pid: number | undefined, commandLinePart: string): Promise<boolean> {
  if (pid === undefined || !isProcessAlive(pid)) return false;
  return (await readCommandLine(pid)).includes(commandLinePart);
}

async function readLock(file: string): Promise<LockContents | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as LockContents;
  } catch {
    return undefined;
  }
}

async function findOwner(directory: string): Promise<number | undefined> {
  const lock = await readLock(join(directory, LOCK_FILE));
  if (await isLiveProcess(lock?.serverPid, directory)) return lock?.serverPid;
  if (await isLiveProcess(lock?.guardPid, 'guard-process')) return lock?.guardPid;
  return undefined;
}

async function takeLock(directory: string, guardPid: number): Promise<void> {
  const file = join(directory, LOCK_FILE);
  for (;;) {
    try {
      const handle = await open(file, 'wx', 0o600);
      await handle.writeFile(JSON.stringify({ guardPid } satisfies LockContents));
      await handle.close();
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = await findOwner(directory);
    if (owner !== undefined) {
      throw new Error(
        `The data directory ${directory} is in use by a running server (process ${owner}). ` +
          'Stop that process, or give another directory with --data DIR (option `dataDirectory`).',
      );
    }
    // Its owner was killed: nobody holds the folder any more.
    await rm(file, { force: true });
  }
}

/** Opens the folder for one server; the guard releases the lock, and removes the folder when it is temporary. */
export async function openDataDirectory(
  kind: string,
  wanted: string | undefined,
  guard: Guard,
): Promise<DataDirectory> {
  const isEphemeral = wanted === undefined;
  let path: string;
  if (wanted === undefined) {
    path = await mkdtemp(join(tmpdir(), `database-mcp-${kind}-`));
    await guard.own(path);
    await chmod(path, DIRECTORY_MODE);
  } else {
    path = resolve(wanted);
    await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
  }
  await takeLock(path, guard.pid);
  const lockFile = join(path, LOCK_FILE);
  await guard.own(lockFile);
  return {
    path,
    isEphemeral,
    async recordServer(serverPid) {
      const temporary = `${lockFile}.new`;
      await writeFile(temporary, JSON.stringify({ guardPid: guard.pid, serverPid } satisfies LockContents), {
        mode: 0o600,
      });
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
