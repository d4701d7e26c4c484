import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

/** The Neo4j that the checked-in pom and lock list name. */
export const NEO4J_VERSION = '5.26.30';

/** One jar of the lock list. */
export interface LockedJar {
  /** Name of the file, the same in a Maven repository and in the cache. */
  readonly name: string;
  /** Path in a Maven repository. */
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** The lock list, in the order of the class path. */
export interface JarLock {
  readonly jars: readonly LockedJar[];
  /** Changes with any change of the list. */
  readonly digest: string;
}

/** The pom with which Maven finds the same jars. */
export const POM_FILE = fileURLToPath(new URL('../../neo4j/pom.xml', import.meta.url));

const LOCK_FILE = new URL('../../neo4j/jars.lock.json', import.meta.url);

/** Reads a lock list; the checked-in one when none is named. */
export async function loadJarLock(file: URL | string = LOCK_FILE): Promise<JarLock> {
  const text = await readFile(file, 'utf8');
  const entries = JSON.parse(text) as { path: string; sha256: string; bytes: number }[];
  const jars = entries.map(({ path, sha256, bytes }) => ({
    name: path.slice(path.lastIndexOf('/') + 1),
    path,
    sha256,
    bytes,
  }));
  // A class archive is bound to the order of the class path, so it must not depend on a locale.
  jars.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { jars, digest: createHash('sha256').update(text).digest('hex') };
}

/** The SHA-256 of a file; undefined when it cannot be read. */
export async function hashFile(file: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file), hash);
  } catch {
    return undefined;
  }
  return hash.digest('hex');
}
