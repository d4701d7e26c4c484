/** The databases of `npm start`: those that were named, and embedded ones for the rest. */
import { join, resolve } from 'node:path';
import { JavaMissingError, loadSampleData, startNeo4j, startPostgres, startQdrant } from '@database-mcp/embedded';
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

type Say = (line: string) => void;

const NO_STOP = (): Promise<void> => Promise.resolve();

interface Started {
  database: RunningDatabase;
  /** How to load the sample data; absent for a database that is not ours. */
  sample?: Parameters<typeof loadSampleData>[0];
}

/** Starts all three at once. A missing Java is no failure; anything else is, and stops what had started. */
export async function startDatabases(options: LocalOptions, env: NodeJS.ProcessEnv, say: Say): Promise<Databases> {
  const results = await Promise.allSettled([
    startPostgresDatabase(options, say),
    startQdrantDatabase(options, env, say),
    startNeo4jDatabase(options, env, say),
  ]);
  const started = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
  const missing = failures
    .filter((error) => error instanceof JavaMissingError)
    .map((error) => ({ kind: 'neo4j', reason: error.message }));
  const fatal = failures.find((error) => !(error instanceof JavaMissingError));
  try {
    if (fatal) throw fatal;
    if (options.sample) {
      await Promise.all(
        started.flatMap(({ sample }) => (sample ? [loadSampleData({ ...sample, onProgress: say })] : [])),
      );
    }
  } catch (error) {
    await Promise.allSettled(started.map(({ database }) => database.stop()));
    throw error;
  }
  return { running: started.map(({ database }) => database), missing };
}

async function startPostgresDatabase(options: LocalOptions, say: Say): Promise<Started> {
  if (options.postgresUrl) {
    const env = { POSTGRES_URL: options.postgresUrl };
    return { database: { kind: 'postgres', description: 'your PostgreSQL', env, stop: NO_STOP } };
  }
  const place = dataPlace(options, 'postgres');
  const postgres = await startPostgres({ ...place.start, onProgress: say });
  return {
    database: {
      kind: 'postgres',
      description: `PostgreSQL 18, embedded, ${place.text}`,
      env: { POSTGRES_URL: postgres.url },
      stop: () => postgres.stop(),
    },
    sample: { postgresAdminUrl: postgres.adminUrl },
  };
}

async function startQdrantDatabase(options: LocalOptions, env: NodeJS.ProcessEnv, say: Say): Promise<Started> {
  const place = dataPlace(options, 'qdrant');
  const qdrant = await startQdrant({
    ...place.start,
    url: options.qdrantUrl,
    apiKey: env['QDRANT_API_KEY'],
    onProgress: say,
  });
  const foreign = qdrant.flavour === 'existing';
  const flavour = {
    existing: 'your Qdrant',
    binary: `Qdrant ${qdrant.version}, embedded, ${place.text}`,
    'stand-in': `a small stand-in for Qdrant, ${place.text} (for the real one set QDRANT_URL or QDRANT_BINARY)`,
  }[qdrant.flavour];
  return {
    database: { kind: 'qdrant', description: flavour, env: { QDRANT_URL: qdrant.url }, stop: () => qdrant.stop() },
    ...(foreign ? {} : { sample: { qdrantUrl: qdrant.url } }),
  };
}

async function startNeo4jDatabase(options: LocalOptions, env: NodeJS.ProcessEnv, say: Say): Promise<Started> {
  if (options.neo4jUri) {
    const login = { NEO4J_USERNAME: env['NEO4J_USERNAME'] ?? 'neo4j', NEO4J_PASSWORD: env['NEO4J_PASSWORD'] ?? '' };
    return {
      database: {
        kind: 'neo4j',
        description: 'your Neo4j',
        env: { NEO4J_URI: options.neo4jUri, ...login },
        stop: NO_STOP,
      },
    };
  }
  const place = dataPlace(options, 'neo4j');
  const neo4j = await startNeo4j({ ...place.start, onProgress: say });
  const { uri, username, password } = neo4j;
  return {
    database: {
      kind: 'neo4j',
      description: `Neo4j Community 5.26, embedded, ${place.text}`,
      env: { NEO4J_URI: uri, NEO4J_USERNAME: username, NEO4J_PASSWORD: password },
      stop: () => neo4j.stop(),
    },
    sample: { neo4j: { uri, username, password } },
  };
}

function dataPlace(options: LocalOptions, name: string): { start: { dataDirectory?: string }; text: string } {
  if (options.dataDirectory === undefined) return { start: {}, text: 'no data kept' };
  return {
    start: { dataDirectory: resolve(options.dataDirectory, name) },
    text: `data in ${join(options.dataDirectory, name)}`,
  };
}
