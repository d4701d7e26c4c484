/** Starts one embedded Neo4j Community server and gives its Bolt address and login. */
import { delimiter, join } from 'node:path';
import type { Driver } from 'neo4j-driver';
import { getCacheFolder } from '../cache-folder.ts';
import { loadPasswords, openDataDirectory } from '../data-directory.ts';
import { createProgramEnvironment } from '../guard.ts';
import type { Guard, ProcessExit, StopStep } from '../guard.ts';
import { startGuarded } from '../guarded-start.ts';
import { LOCAL_HOST, choosePort, createPortTakenError, waitUntil } from '../ports.ts';
import { createStartFailure } from '../start-failure.ts';
import type { EmbeddedServer, StartOptions } from '../start-options.ts';
import { openClassArchive } from './class-archive.ts';
import type { ClassArchive } from './class-archive.ts';
import { NEO4J_USERNAME, hasGraph, prepareHomeFolder } from './home-folder.ts';
import { prepareJars } from './jar-cache.ts';
import { NEO4J_VERSION, loadJarLock } from './jar-lock.ts';
import { createDownloadSource, createMavenSource } from './jar-sources.ts';
import { findJava } from './java.ts';
import type { Java } from './java.ts';

/** A running embedded Neo4j. */
export interface EmbeddedNeo4j extends EmbeddedServer {
  readonly kind: 'neo4j';
  /** Bolt address. */
  readonly uri: string;
  readonly username: string;
  readonly password: string;
}

const STOP_STEPS: readonly StopStep[] = [
  { signal: 'SIGTERM', waitMs: 15_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];
// 4 to 20 seconds on a loaded machine; recovery after a crash comes on top.
const READY_TIMEOUT_MS = 120_000;
const READY_POLL_MS = 100;
// By then the first queries have loaded the classes that every query needs.
const CLASS_ARCHIVE_DELAY_MS = 10_000;
const MODERN_WARNINGS_JAVA_VERSION = 24;
const JVM_CRASH = /SIGSEGV|SIGBUS|A fatal error has been detected|shared archive|shared class/i;

/** The JVM ended in a way that a damaged class archive could explain. */
class ClassArchiveSuspectError extends Error {}

function createServerArguments(java: Java, jars: readonly string[], archive: ClassArchive, home: string): string[] {
  return [
    '-Xms64m',
    '-Xmx512m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-XX:+ExitOnOutOfMemoryError',
    `-XX:ErrorFile=${join(home, 'logs', 'jvm-crash.log')}`,
    '-Dlog4j2.disable.jmx=true',
    '-Dfile.encoding=UTF-8',
    ...(java.majorVersion >= MODERN_WARNINGS_JAVA_VERSION
      ? ['--enable-native-access=ALL-UNNAMED', '--sun-misc-unsafe-memory-access=allow']
      : []),
    ...archive.jvmFlags,
    '-cp',
    jars.join(delimiter),
    'org.neo4j.server.CommunityEntryPoint',
    `--home-dir=${home}`,
    `--config-dir=${join(home, 'conf')}`,
    '--console-mode',
  ];
}

async function answers(driver: Driver): Promise<boolean> {
  try {
    await driver.executeQuery('RETURN 1');
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== 'Neo.ClientError.Security.Unauthorized') return false;
    throw new Error(
      'Neo4j refuses the password of credentials.json in its data directory. Put the file back that belongs to the ' +
        'data, or give another directory with --data DIR (option `dataDirectory`).',
      { cause: error },
    );
  }
}

async function waitForNeo4j(uri: string, password: string, hasEnded: () => boolean): Promise<boolean> {
  const { default: neo4j } = await import('neo4j-driver');
  const driver = neo4j.driver(uri, neo4j.auth.basic(NEO4J_USERNAME, password), {
    maxTransactionRetryTime: 0,
    telemetryDisabled: true,
  });
  try {
    return await waitUntil(async () => hasEnded() || (await answers(driver)), READY_TIMEOUT_MS, READY_POLL_MS);
  } finally {
    await driver.close();
  }
}

async function createFailure(guard: Guard, hasEnded: boolean, port: number, archive: ClassArchive): Promise<Error> {
  await guard.stop();
  const exit: ProcessExit = await guard.exited;
  if (/Address already in use|BindException/.test(exit.output)) return createPortTakenError(port, 'Neo4j');
  if (hasEnded && archive.isUsed && (exit.signal !== null || JVM_CRASH.test(exit.output))) {
    await archive.discard();
    return new ClassArchiveSuspectError();
  }
  return createStartFailure(hasEnded ? 'Neo4j ended while it was starting' : 'Neo4j did not answer in time', exit);
}

function makeArchiveLater(archive: ClassArchive, guard: Guard): void {
  if (archive.isUsed) return;
  const timer = setTimeout(() => {
    // The server may be stopped in the middle of it; the next one tries again.
    archive.make(guard).catch(() => {});
  }, CLASS_ARCHIVE_DELAY_MS);
  timer.unref();
  void guard.exited.then(() => clearTimeout(timer));
}

async function startWithGuard(options: StartOptions, java: Java, guard: Guard): Promise<EmbeddedNeo4j> {
  const onProgress = options.onProgress ?? (() => {});
  const port = await choosePort(options.port, 'Neo4j');
  const cacheFolder = join(getCacheFolder(), `neo4j-${NEO4J_VERSION}`);
  const download = createDownloadSource(process.env['MAVEN_REPO_URL']);
  const jars = await prepareJars({
    lock: await loadJarLock(),
    folder: cacheFolder,
    sources: [createMavenSource(guard, process.env), ...(download === undefined ? [] : [download])],
    guard,
    onProgress,
  });
  const data = await openDataDirectory('neo4j', options.dataDirectory, guard);
  const { password } = await loadPasswords(data.path, ['password'], await hasGraph(data.path));
  await prepareHomeFolder(data.path, port, password);
  const archive = await openClassArchive(cacheFolder, java, jars, data.path);
  onProgress(`Neo4j: starting ${NEO4J_VERSION} on Java ${java.majorVersion}`);
  const pid = await guard.serve({
    command: java.command,
    args: createServerArguments(java, jars, archive, data.path),
    // A locale of ASCII would break file names; two arenas keep freed memory from spreading over many.
    env: createProgramEnvironment({ LC_ALL: 'C.UTF-8', MALLOC_ARENA_MAX: '2' }),
    cwd: data.path,
    logFile: join(data.path, 'logs', 'console.log'),
    stopSteps: STOP_STEPS,
  });
  await data.recordServer(pid);
  let hasEnded = false;
  void guard.exited.then(() => (hasEnded = true));
  const uri = `bolt://${LOCAL_HOST}:${port}`;
  const isReady = await waitForNeo4j(uri, password, () => hasEnded);
  if (!isReady || hasEnded) throw await createFailure(guard, hasEnded, port, archive);
  makeArchiveLater(archive, guard);
  return {
    kind: 'neo4j',
    port,
    pid,
    uri,
    username: NEO4J_USERNAME,
    password,
    exited: guard.exited,
    stop: () => guard.stop(),
  };
}

/** Starts Neo4j on 127.0.0.1 and resolves when it answers a query; a JavaMissingError when there is no Java for it. */
export async function startNeo4j(options: StartOptions = {}): Promise<EmbeddedNeo4j> {
  const java = await findJava();
  const start = (): Promise<EmbeddedNeo4j> =>
    startGuarded('neo4j', options, (guard) => startWithGuard(options, java, guard));
  try {
    return await start();
  } catch (error) {
    if (!(error instanceof ClassArchiveSuspectError)) throw error;
    return await start();
  }
}
