import { USAGE, parseCommandLine } from './command-line.ts';
import type { DatabaseKind } from './command-line.ts';
import { startNeo4j } from './neo4j/start.ts';
import { startPostgres } from './postgres/start.ts';
import { startQdrant } from './qdrant/start.ts';
import type { SampleDataTargets } from './sample-data/load.ts';
import type { EmbeddedServer, StartOptions } from './start-options.ts';

interface RunningDatabase {
  readonly server: Pick<EmbeddedServer, 'port' | 'exited' | 'stop'> & { readonly pid?: number };
  readonly settings: Record<string, string>;
  readonly sampleTargets: SampleDataTargets;
}

const starters: Record<DatabaseKind, (options: StartOptions) => Promise<RunningDatabase>> = {
  async postgres(options) {
    const server = await startPostgres(options);
    return {
      server,
      settings: { POSTGRES_URL: server.url, POSTGRES_ADMIN_URL: server.adminUrl },
      sampleTargets: { postgresAdminUrl: server.adminUrl },
    };
  },
  async neo4j(options) {
    const server = await startNeo4j(options);
    const { uri, username, password } = server;
    return {
      server,
      settings: { NEO4J_URI: uri, NEO4J_USERNAME: username, NEO4J_PASSWORD: password },
      sampleTargets: { neo4j: { uri, username, password } },
    };
  },
  async qdrant(options) {
    const server = await startQdrant({ ...options, url: process.env['QDRANT_URL'] });
    return { server, settings: { QDRANT_URL: server.url }, sampleTargets: { qdrantUrl: server.url } };
  },
};

function fail(message: string, exitCode: number): never {
  console.error(message);
  process.exit(exitCode);
}

const onProgress = (line: string): void => console.error(line);
const commandLine = parseCommandLine(process.argv.slice(2), process.env['INIT_CWD'] ?? process.cwd());
if (commandLine.kind === 'help') {
  console.log(USAGE);
  process.exit(0);
}
if (commandLine.kind === 'mistake') fail(`${commandLine.problem}\n\n${USAGE}`, 2);

const { database, port, dataDirectory, sample } = commandLine;
let running: RunningDatabase | undefined;
let isStopping = false;

async function stop(): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  // Before it runs there is only the guard, which cleans up when we are gone.
  await running?.server.stop();
  process.exit(0);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop());

try {
  running = await starters[database]({ port, dataDirectory, onProgress });
  if (sample) {
    const { loadSampleData } = await import('./sample-data/load.ts');
    await loadSampleData({ ...running.sampleTargets, onProgress });
  }
} catch (error) {
  await running?.server.stop();
  fail(error instanceof Error ? error.message : String(error), 1);
}

for (const [name, value] of Object.entries(running.settings)) console.log(`${name}=${value}`);
const place = dataDirectory === undefined ? 'temporary data' : `data in ${dataDirectory}`;
console.error(`${database} is ready on 127.0.0.1:${running.server.port} (${place}). Ctrl-C ends it.`);

// The server alone does not keep this process alive.
const LONG_MS = 2 ** 30;
setInterval(() => {}, LONG_MS);
const exit = await running.server.exited;
if (!isStopping) {
  fail(`${database} ended unexpectedly (${exit.signal ?? `exit code ${exit.code}`}).\n${exit.output}`, 1);
}
