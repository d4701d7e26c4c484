/**
 * The ways to get jars that are not in the cache: Maven with the checked-in pom, or plain HTTPS downloads from the
 * Maven repository that MAVEN_REPO_URL names. Whether what came is right is checked by the cache (jar-cache.ts).
 */
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Guard } from '../guard.ts';
import { POM_FILE } from './jar-lock.ts';
import type { LockedJar } from './jar-lock.ts';

/** One way to get jars. */
export interface JarSource {
  readonly name: string;
  /** Puts what it can into the folder; gives a sentence on why something is missing. */
  fetch(jars: readonly LockedJar[], folder: string, onProgress: (line: string) => void): Promise<string | undefined>;
}

const DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1';
const PARALLEL_DOWNLOADS = 8;
const DOWNLOAD_TIMEOUT_MS = 120_000;
const DOWNLOAD_ATTEMPTS = 2;
const PROGRESS_EVERY_JARS = 20;
const OUTPUT_TAIL_LINES = 4;
const TLS_ERROR = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/;

function createCounter(total: number, how: string, onProgress: (line: string) => void): () => void {
  let count = 0;
  return () => {
    count += 1;
    if (count % PROGRESS_EVERY_JARS === 0) onProgress(`Neo4j: downloading jars ${how}: ${count} of ${total}`);
  };
}

function explainMavenFailure(output: string): string {
  if (output.includes('PKIX')) {
    return (
      'Maven does not trust the certificate of the repository: if your network has its own certificate authority, ' +
      "name Java's trust store in MAVEN_OPTS (-Djavax.net.ssl.trustStore=FILE)"
    );
  }
  const lines = output.split('\n').filter((line) => line.includes('[ERROR]') && line.length > '[ERROR] '.length);
  return `Maven failed: ${lines.slice(0, OUTPUT_TAIL_LINES).join(' ')}`;
}

/** Maven, with whatever repositories and mirrors the user has configured for it. */
export function createMavenSource(guard: Guard, environment: NodeJS.ProcessEnv): JarSource {
  const env = Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  return {
    name: 'Maven',
    async fetch(jars, folder, onProgress) {
      const args = ['-B', '-f', POM_FILE, `${DEPENDENCY_PLUGIN}:copy-dependencies`];
      const count = createCounter(jars.length, 'with Maven', onProgress);
      const names = new Set(jars.map((jar) => jar.name));
      let rest = '';
      const result = await guard
        .run(
          { command: 'mvn', args: [...args, '-DincludeScope=runtime', `-DoutputDirectory=${folder}`], env },
          (text) => {
            const lines = (rest + text).split('\n');
            rest = lines.pop() ?? '';
            for (const line of lines) {
              const name = /Downloaded .*\/([^/ ]+\.jar) /.exec(line)?.[1];
              if (name !== undefined && names.has(name)) count();
            }
          },
        )
        .catch((error: Error) => error);
      if (result instanceof Error) {
        return result.message.includes('ENOENT') ? '`mvn` is not on the PATH' : result.message;
      }
      return result.code === 0 ? undefined : explainMavenFailure(result.output);
    },
  };
}

function explainDownloadFailure(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  const message = `${cause instanceof Error ? cause.message : String(cause)}`;
  if (!TLS_ERROR.test(code)) return message;
  return (
    `${message}; if your network has its own certificate authority, ` +
    'name its certificate in NODE_EXTRA_CA_CERTS (a PEM file)'
  );
}

/** HTTPS downloads from the repository named by MAVEN_REPO_URL; undefined when none is named. */
export function createDownloadSource(repositoryUrl: string | undefined): JarSource | undefined {
  if (repositoryUrl === undefined || repositoryUrl === '') return undefined;
  const base = URL.canParse(repositoryUrl) ? new URL(repositoryUrl) : undefined;
  const isLoopback = base?.hostname === '127.0.0.1' || base?.hostname === 'localhost';
  if (base === undefined || (base.protocol !== 'https:' && !isLoopback)) {
    throw new Error('MAVEN_REPO_URL is not an https:// address. Give the base address of a Maven repository.');
  }
  const headers: Record<string, string> = {};
  if (base.username !== '') {
    const login = `${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}`;
    headers['authorization'] = `Basic ${Buffer.from(login).toString('base64')}`;
    base.username = '';
    base.password = '';
  }
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return {
    name: 'MAVEN_REPO_URL',
    async fetch(jars, folder, onProgress) {
      const count = createCounter(jars.length, 'from MAVEN_REPO_URL', onProgress);
      const queue = [...jars];
      let failure: string | undefined;
      const work = async (): Promise<void> => {
        for (let jar = queue.shift(); jar !== undefined && failure === undefined; jar = queue.shift()) {
          const problem = await downloadWithRetry(new URL(jar.path, base), headers, join(folder, jar.name), jar.bytes);
          if (problem === undefined) count();
          else failure = `${jar.path}: ${problem}`;
        }
      };
      await Promise.all(Array.from({ length: PARALLEL_DOWNLOADS }, work));
      return failure;
    },
  };
}

async function downloadWithRetry(
  url: URL,
  headers: Record<string, string>,
  file: string,
  bytes: number,
): Promise<string | undefined> {
  let problem: string | undefined;
  for (let attempt = 1; attempt <= DOWNLOAD_ATTEMPTS; attempt += 1) {
    problem = await download(url, headers, file, bytes).catch(explainDownloadFailure);
    if (problem === undefined) return undefined;
  }
  return problem;
}

async function download(
  url: URL,
  headers: Record<string, string>,
  file: string,
  bytes: number,
): Promise<string | undefined> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    return `the repository answered ${response.status}`;
  }
  const temporary = `${file}.part`;
  let received = 0;
  try {
    await pipeline(
      Readable.fromWeb(response.body),
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          received += chunk.length;
          // An endless answer must not fill the disk before its checksum is looked at.
          if (received > bytes) throw new Error(`the file is larger than the ${bytes} bytes of the lock list`);
          yield chunk;
        }
      },
      createWriteStream(temporary),
    );
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
  return undefined;
}
