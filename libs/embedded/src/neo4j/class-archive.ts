/**
 * The class archive (AppCDS) of Neo4j: loaded classes in a form that the JVM maps instead of parsing, which halves
 * the processor time of a start. The first server notes its classes, and an archive is made from the list at lowest
 * priority while that server runs. Everything here is optional: no failure of it stops a server.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { createProgramEnvironment } from '../guard.ts';
import type { Guard } from '../guard.ts';
import type { Java } from './java.ts';

/** How one server deals with the archive. */
export interface ClassArchive {
  readonly file: string;
  /** What to pass to the JVM. */
  readonly jvmFlags: readonly string[];
  /** Whether an archive is used. */
  readonly isUsed: boolean;
  /** Makes the archive for later starts, if this server is to do so. */
  make(guard: Guard): Promise<void>;
  /** Throws the archive away. */
  discard(): Promise<void>;
}

// The JVM refuses a whole list for one longer line (some constructors of Neo4j have that many parameters).
const MAXIMUM_LIST_LINE_CHARACTERS = 4_000;

async function isComplete(archive: string, stamp: string): Promise<boolean> {
  try {
    const [{ size }, expected] = await Promise.all([stat(archive), readFile(stamp, 'utf8')]);
    return size === Number(expected);
  } catch {
    return false;
  }
}

async function shortenList(listFile: string): Promise<void> {
  const lines = (await readFile(listFile, 'utf8')).split('\n');
  // The server is still writing, so the last line may be cut.
  lines.pop();
  await writeFile(
    `${listFile}.short`,
    `${lines.filter((line) => line.length < MAXIMUM_LIST_LINE_CHARACTERS).join('\n')}\n`,
  );
}

/** Looks up the archive for this Java and these jars; the list of classes goes into the server's own folder. */
export async function openClassArchive(
  folder: string,
  java: Java,
  jars: readonly string[],
  serverFolder: string,
): Promise<ClassArchive> {
  const key = createHash('sha256')
    .update(`${java.description}\n${jars.join('\n')}`)
    .digest('hex')
    .slice(0, 16);
  const archive = join(folder, `classes-${key}.jsa`);
  const stamp = `${archive}.bytes`;
  const failure = `${archive}.failed`;
  const listFile = join(serverFolder, 'logs', 'classes.list');
  const discard = async (): Promise<void> => {
    await rm(stamp, { force: true });
    await rm(archive, { force: true });
  };
  if (await isComplete(archive, stamp)) {
    return {
      file: archive,
      isUsed: true,
      jvmFlags: [`-XX:SharedArchiveFile=${archive}`, '-Xshare:auto', '-Xlog:disable', '-Xlog:all=error:stderr'],
      make: async () => {},
      discard,
    };
  }
  const hasFailed = await stat(failure).then(
    () => true,
    () => false,
  );
  const make = async (guard: Guard): Promise<void> => {
    const temporary = `${archive}.${randomBytes(6).toString('hex')}.tmp`;
    await mkdir(folder, { recursive: true });
    await guard.own(temporary);
    await shortenList(listFile);
    const result = await guard.run({
      command: java.command,
      args: [
        '-Xshare:dump',
        '-Xmx512m',
        '-Xlog:disable',
        '-Xlog:all=error:stderr',
        `-XX:SharedClassListFile=${listFile}.short`,
        `-XX:SharedArchiveFile=${temporary}`,
        '-cp',
        jars.join(delimiter),
      ],
      env: createProgramEnvironment(),
      background: true,
    });
    if (result.code === 0) {
      await rename(temporary, archive);
      await writeFile(stamp, String((await stat(archive)).size));
    } else if (result.code !== null) {
      // Not stopped in the middle, but refused by the JVM. Tried once for each Java and list of jars; remove the file to try again.
      await writeFile(failure, result.output);
    }
    await guard.disown(temporary);
  };
  return {
    file: archive,
    isUsed: false,
    jvmFlags: hasFailed ? [] : [`-XX:DumpLoadedClassList=${listFile}`],
    make: hasFailed ? async () => {} : make,
    discard,
  };
}
