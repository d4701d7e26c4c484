/** Whether the database can be used now. */
import { ToolError } from '@database-mcp/errors';
import type { Readiness } from '@database-mcp/service';
import type { Database } from './database.ts';

/** A database that does not answer a small question by then counts as down. */
export const PROBE_TIMEOUT_MS = 3_000;

/** Asks the database. */
export async function checkReadiness(database: Pick<Database, 'ping'>): Promise<Readiness> {
  try {
    await database.ping(AbortSignal.timeout(PROBE_TIMEOUT_MS));
    return { ready: true };
  } catch (error) {
    return { ready: false, reason: describeFailure(error) };
  }
}

/** The failure of a probe, fit for people who may not know where the database is. */
export function describeFailure(error: unknown): string {
  return error instanceof ToolError
    ? error.message
    : 'The Postgres database cannot be reached: it did not answer in time.';
}
