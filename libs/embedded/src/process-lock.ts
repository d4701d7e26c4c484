/** What a lock between processes is made of: a file that appears whole and once, and knowing whether its maker lives. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { isProcessAlive } from './guard.ts';

const SUFFIX_BYTES = 6;

function createTemporaryName(file: string): string {
  return `${file}.${randomBytes(SUFFIX_BYTES).toString('hex')}`;
}

/** Creates a file with its text in one step; false when it is there already. */
export async function createFileOnce(file: string, text: string): Promise<boolean> {
  const temporary = createTemporaryName(file);
  await writeFile(temporary, text, { mode: 0o600, flag: 'wx' });
  try {
    await link(temporary, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Removes a lock that was judged to be left over, unless another process has made a new one since. */
export async function removeIfSame(file: string, seen: string): Promise<void> {
  const aside = createTemporaryName(file);
  try {
    await rename(file, aside);
  } catch {
    // Somebody else removed it.
    return;
  }
  if ((await readFile(aside, 'utf8')) !== seen) await link(aside, file).catch(() => {});
  await rm(aside, { force: true });
}

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
