/** The databases of `npm start`: those that were named, and embedded ones for the rest. */
import { join, resolve } from 'node:path';
import {
  JavaMissingError,
  loadSampleDataApart,
  startNeo4j,
  startPostgres,
  startQdrant,
  type EmbeddedServer,
  type SampleDataTargets,
} from '@database-mcp/embedded';
import type { LocalOptions } from './options.ts';

/** A database that runs, and what its server needs to know. */
export interface RunningDatabase {
  kind: 'postgres' | 'qdrant' | 'neo4j';
  /** For a person: what it is and where its data are. */
  description: string;
  /** Environment of its MCP server. */
  env: Record<string, string>;
  stop: () => Promise<void>;
}

/** What came up, and what did not with the reason and the remedy. */
export interface Databases {
  running: RunningDatabase[];
  missing: { kind: string; reason: string }[];
}

type EmbeddedServerHandle = Pick<EmbeddedServer, 'exited' | 'stop'>;

type Say = (line: string) => void;

/** Starts all three at once. A missing Java is no failure; anything else is, and stops what had started. */
export async function startDatabases(options: LocalOptions, env: NodeJS.ProcessEnv, say: Say): Promise<Databases> {
  const results = await Promise.allSettled([
    startPostgresDatabase(options, say),
    startQdrantDatabase(options, env, say),
    startNeo4jDatabase(options, env, say),
  ]);
  const running = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
  const fatal = failures.find((error) => !(error instanceof JavaMissingError));
  if (fatal) {
    await Promise.allSettled(running.map((database) => database.stop()));
    throw fatal;
  }
  return { running, missing: failures.map((error) => ({ kind: 'neo4j', reason: error.message })) };
}

async function startPostgresDatabase(options: LocalOptions, say: Say): Promise<RunningDatabase> {
  if (options.postgresUrl) return foreign('postgres', 'your PostgreSQL', { POSTGRES_URL: options.postgresUrl });
  const place = dataPlace(options, 'postgres');
  const postgres = await startPostgres({ ...place.start, onProgress: say });
  await loadSample(options, postgres, { postgresAdminUrl: postgres.adminUrl }, say);
  return {
    kind: 'postgres',
    description: `PostgreSQL 18, embedded, ${place.text}`,
    env: { POSTGRES_URL: postgres.url },
    stop: stopWatched('postgres', postgres, say),
  };
}

async function startQdrantDatabase(options: LocalOptions, env: NodeJS.ProcessEnv, say: Say): Promise<RunningDatabase> {
  if (options.qdrantUrl) {
    return foreign('qdrant', 'your Qdrant', {
      QDRANT_URL: options.qdrantUrl,
      QDRANT_API_KEY: env['QDRANT_API_KEY'] ?? '',
    });
  }
  const place = dataPlace(options, 'qdrant');
  const qdrant = await startQdrant({ ...place.start, onProgress: say });
  await loadSample(options, qdrant, { qdrantUrl: qdrant.url }, say);
  const standIn = `a small stand-in for Qdrant, ${place.text} (for the real one set QDRANT_URL or QDRANT_BINARY)`;
  return {
    kind: 'qdrant',
    description: qdrant.flavour === 'binary' ? `Qdrant ${qdrant.version}, embedded, ${place.text}` : standIn,
    env: { QDRANT_URL: qdrant.url, QDRANT_API_KEY: '' },
    stop: stopWatched('qdrant', qdrant, say),
  };
}

async function startNeo4jDatabase(options: LocalOptions, env: NodeJS.ProcessEnv, say: Say): Promise<RunningDatabase> {
  if (options.neo4jUri) {
    const login = { NEO4J_USERNAME: env['NEO4J_USERNAME'] ?? 'neo4j', NEO4J_PASSWORD: env['NEO4J_PASSWORD'] ?? '' };
    return foreign('neo4j', 'your Neo4j', { NEO4J_URI: options.neo4jUri, ...login });
  }
  const place = dataPlace(options, 'neo4j');
  const neo4j = await startNeo4j({ ...place.start, onProgress: say });
  const { uri, username, password } = neo4j;
  await loadSample(options, neo4j, { neo4j: { uri, username, password } }, say);
  return {
    kind: 'neo4j',
    description: `Neo4j Community 5.26, embedded, ${place.text}`,
    env: { NEO4J_URI: uri, NEO4J_USERNAME: username, NEO4J_PASSWORD: password },
    stop: stopWatched('neo4j', neo4j, say),
  };
}

/** Stops the database; until then its end is nobody's wish and is said. */
function stopWatched(name: string, database: EmbeddedServerHandle, say: Say): () => Promise<void> {
  let stopping = false;
  void database.exited.then(({ signal, code }) => {
    if (!stopping) say(`${name} ended by itself (${signal ?? `code ${code}`}): end npm start and start it again`);
  });
  return () => {
    stopping = true;
    return database.stop();
  };
}

/** A database that is not ours: nothing is started, loaded or stopped. */
function foreign(kind: RunningDatabase['kind'], description: string, env: Record<string, string>): RunningDatabase {
  return { kind, description, env, stop: () => Promise.resolve() };
}

async function loadSample(
  options: LocalOptions,
  database: EmbeddedServerHandle,
  targets: SampleDataTargets,
  say: Say,
): Promise<void> {
  if (!options.sample) return;
  try {
    await loadSampleDataApart({ ...targets, onProgress: say });
  } catch (error) {
    await database.stop();
    throw error;
  }
}

function dataPlace(options: LocalOptions, name: string): { start: { dataDirectory?: string }; text: string } {
  if (options.dataDirectory === undefined) return { start: {}, text: 'no data kept' };
  return {
    start: { dataDirectory: resolve(options.dataDirectory, name) },
    text: `data in ${join(options.dataDirectory, name)}`,
  };
}
