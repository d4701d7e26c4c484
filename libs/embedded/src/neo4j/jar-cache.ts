/**
 * The folder with the jars of one lock list, shared by all runs of this user. It appears under its name only when it
 * is whole and every jar has the SHA-256 of the list; where missing jars come from is jar-sources.ts.
 */
import { randomBytes } from 'node:crypto';
import { copyFile, link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Guard } from '../guard.ts';
import { createFileOnce, isLiveProcess, removeIfSame } from '../process-lock.ts';
import { hashFile } from './jar-lock.ts';
import type { JarLock, LockedJar } from './jar-lock.ts';
import type { JarSource } from './jar-sources.ts';

/** What the cache needs to fill itself. */
export interface JarCacheOptions {
  readonly lock: JarLock;
  /** The folder for this version of Neo4j; the jars go into one below it. */
  readonly folder: string;
  readonly sources: readonly JarSource[];
  readonly guard: Guard;
  readonly onProgress: (line: string) => void;
}

/** Written after every jar was hashed; size and time of each let the next start skip the hashing. */
interface Stamp {
  digest: string;
  jars: Record<string, [bytes: number, modifiedMs: number]>;
}

const STAMP_FILE = 'verified.json';
const LOCK_POLL_MS = 200;

async function readStamp(folder: string, lock: JarLock): Promise<Stamp | undefined> {
  try {
    const stamp = JSON.parse(await readFile(join(folder, STAMP_FILE), 'utf8')) as Stamp;
    return stamp.digest === lock.digest ? stamp : undefined;
  } catch {
    return undefined;
  }
}

/** The jars of the list that are absent or not those of the list; a jar that looks untouched is not hashed again. */
export async function findBadJars(folder: string, lock: JarLock): Promise<LockedJar[]> {
  const stamp = await readStamp(folder, lock);
  const verdicts = await Promise.all(
    lock.jars.map(async (jar) => {
      const file = join(folder, jar.name);
      const found = await stat(file).catch(() => undefined);
      if (found?.size !== jar.bytes) return jar;
      const seen = stamp?.jars[jar.name];
      if (seen?.[0] === found.size && seen[1] === found.mtimeMs) return undefined;
      return (await hashFile(file)) === jar.sha256 ? undefined : jar;
    }),
  );
  return verdicts.filter((jar) => jar !== undefined);
}

async function writeStamp(folder: string, lock: JarLock): Promise<void> {
  const jars: Stamp['jars'] = {};
  for (const jar of lock.jars) {
    const { size, mtimeMs } = await stat(join(folder, jar.name));
    jars[jar.name] = [size, mtimeMs];
  }
  const temporary = join(folder, `${STAMP_FILE}.${randomBytes(4).toString('hex')}`);
  await writeFile(temporary, JSON.stringify({ digest: lock.digest, jars } satisfies Stamp));
  await rename(temporary, join(folder, STAMP_FILE));
}

/** Only saves a second download: the folder is put in place by a rename in any case. */
async function waitForTurn(file: string, guard: Guard, isFilled: () => Promise<boolean>): Promise<boolean> {
  while (!(await createFileOnce(file, `${guard.pid} ${guard.token}`))) {
    const seen = await readFile(file, 'utf8').catch(() => undefined);
    const [pid, token = ''] = seen?.split(' ') ?? [];
    if (seen !== undefined && !(await isLiveProcess(Number(pid), token))) await removeIfSame(file, seen);
    else await delay(LOCK_POLL_MS);
    if (await isFilled()) return false;
  }
  await guard.own(file);
  return true;
}

async function takeGoodJars(from: string, to: string, lock: JarLock): Promise<void> {
  for (const jar of lock.jars) {
    const source = join(from, jar.name);
    if ((await hashFile(source)) !== jar.sha256) continue;
    const target = join(to, jar.name);
    await link(source, target).catch(() => copyFile(source, target));
  }
}

async function fill(options: JarCacheOptions, finished: string): Promise<void> {
  const { lock, guard, onProgress } = options;
  const temporary = `${finished}.${randomBytes(6).toString('hex')}.tmp`;
  await mkdir(temporary, { recursive: true });
  await guard.own(temporary);
  try {
    await takeGoodJars(finished, temporary, lock);
    const problems: string[] = [];
    let bad = await findBadJars(temporary, lock);
    for (const source of options.sources) {
      if (bad.length === 0) break;
      onProgress(`Neo4j: getting ${bad.length} of ${lock.jars.length} jars (${source.name})`);
      const problem = await source.fetch(bad, temporary, onProgress);
      bad = await findBadJars(temporary, lock);
      const [first] = bad;
      if (first === undefined) break;
      problems.push(
        `${source.name}: ${problem ?? `${bad.length} jars are missing or do not have the SHA-256 of the lock list, the first is ${first.name}`}`,
      );
      await Promise.all(bad.map((jar) => rm(join(temporary, jar.name), { force: true })));
    }
    if (bad.length > 0) throw createFillError(bad, lock, problems, finished);
    await writeStamp(temporary, lock);
    await putInPlace(temporary, finished, lock);
  } finally {
    await rm(temporary, { recursive: true, force: true });
    await guard.disown(temporary);
  }
}

async function putInPlace(temporary: string, finished: string, lock: JarLock): Promise<void> {
  for (;;) {
    try {
      await rename(temporary, finished);
      return;
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
    if ((await findBadJars(finished, lock)).length === 0) return;
    const discarded = `${temporary}.old`;
    await rename(finished, discarded).catch(() => {});
    await rm(discarded, { recursive: true, force: true });
  }
}

function createFillError(bad: readonly LockedJar[], lock: JarLock, problems: readonly string[], folder: string): Error {
  return new Error(
    `Could not get ${bad.length} of the ${lock.jars.length} jars of Neo4j into ${folder}. ` +
      `Tried: ${problems.join('; ')}. Install Maven (\`mvn\`), or set MAVEN_REPO_URL to the https:// base address of a ` +
      'Maven repository, and start again; or use a Neo4j that runs elsewhere with --neo4j-uri.',
  );
}

/** Gives the paths of all jars in the order of the class path, getting them first when needed. */
export async function prepareJars(options: JarCacheOptions): Promise<string[]> {
  const { lock, folder, guard } = options;
  const finished = join(folder, `jars-${lock.digest.slice(0, 12)}`);
  const isFilled = async (): Promise<boolean> => (await findBadJars(finished, lock)).length === 0;
  if (!(await isFilled())) {
    await mkdir(folder, { recursive: true });
    const lockFile = `${finished}.lock`;
    if (await waitForTurn(lockFile, guard, isFilled)) {
      try {
        if (!(await isFilled())) await fill(options, finished);
      } finally {
        await rm(lockFile, { force: true });
        await guard.disown(lockFile);
      }
    }
  } else if ((await readStamp(finished, lock)) === undefined) {
    await writeStamp(finished, lock);
  }
  return lock.jars.map((jar) => join(finished, jar.name));
}
