/** The part of the benchmark that is about postgres-mcp, from the start of its processes to the report. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres } from '@database-mcp/embedded';
import { Client } from 'pg';
import type { Report } from '../report.ts';
import { SCHEMA_SQL } from './queries.ts';
import { createPostgresReport } from './report.ts';
import { installRival, RIVAL } from './rival.ts';
import { measurePostgres, type PostgresPlan } from './rounds.ts';
import { POOL_SIZE, startBareDriver, startOurs, startRival, type Target } from './targets.ts';

/** What to run. */
export interface PostgresRun {
  plan: PostgresPlan;
  /** A temporary folder, removed by the caller. */
  folder: string;
  withRival: boolean;
  signal: AbortSignal;
  onProgress(text: string): void;
}

/** Runs it; everything that it started has ended when it settles. */
export async function runPostgresBench({ plan, folder, withRival, signal, onProgress }: PostgresRun): Promise<Report> {
  const database = await startPostgres();
  const targets: Target[] = [];
  try {
    await createSchema(database.adminUrl);
    targets.push(await startBareDriver(database.url), await startOurs(database.url));
    const missing = withRival ? await addRival(targets, folder, database.url, onProgress) : [];
    const report = createPostgresReport(await measurePostgres(targets, plan, signal, onProgress));
    return { ...report, lines: [...report.lines, ...missing] };
  } finally {
    await Promise.all(targets.map((target) => target.stop()));
    await database.stop();
  }
}

async function createSchema(adminUrl: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  await client.query(SCHEMA_SQL);
  await client.end();
}

/** Gives the lines that say why the rival is missing. */
async function addRival(
  targets: Target[],
  folder: string,
  url: string,
  onProgress: (text: string) => void,
): Promise<string[]> {
  onProgress(`installing ${RIVAL.package} into a temporary folder`);
  const home = join(folder, 'rival');
  mkdirSync(home);
  const rival = await installRival(home, url, POOL_SIZE);
  if (rival.kind === 'missing') return ['', `${RIVAL.name} could not be installed and is left out: ${rival.reason}`];
  targets.push(await startRival(rival));
  return [];
}
