import type { Database } from './database.ts';

/** What `/ready` says. */
export type Readiness = { ready: true; database: string } | { ready: false; database: string; reason: string };

/** Whether calls can be served now, which depends on the database alone. */
export async function checkReadiness(database: Pick<Database, 'ping'>): Promise<Readiness> {
  try {
    await database.ping();
    return { ready: true, database: 'neo4j' };
  } catch (error) {
    return { ready: false, database: 'neo4j', reason: error instanceof Error ? error.message : String(error) };
  }
}
