/** Loads the sample data into the databases that are named, each as a whole or not at all, and only once. */
import type { Neo4jTarget } from './neo4j.ts';

/** The databases to fill; one that is left out is not touched. */
export interface SampleDataTargets {
  postgresAdminUrl?: string;
  neo4j?: Neo4jTarget;
  qdrantUrl?: string;
  qdrantApiKey?: string;
  onProgress?: (line: string) => void;
}

/** What was done in one database: the data was loaded now, or was there already. */
export type SampleDataOutcome = 'loaded' | 'present';

/** What was done in each database that was named. */
export interface SampleDataResult {
  postgres?: SampleDataOutcome;
  neo4j?: SampleDataOutcome;
  qdrant?: SampleDataOutcome;
}

/** Fills the named databases side by side; if some fail the others are still filled before it rejects. */
export async function loadSampleData(targets: SampleDataTargets): Promise<SampleDataResult> {
  const { postgresAdminUrl, neo4j, qdrantUrl, qdrantApiKey, onProgress = () => {} } = targets;
  // Imported when needed: the drivers and the facts are 40 MiB that a caller who loads nothing should not carry.
  const { loadCountryFacts } = await import('./countries.ts');
  const countries = loadCountryFacts();
  const result: SampleDataResult = {};
  const problems: Error[] = [];
  const load = async (
    key: keyof SampleDataResult,
    title: string,
    url: string,
    run: () => Promise<SampleDataOutcome>,
  ): Promise<void> => {
    const startedAt = performance.now();
    try {
      const outcome = await run();
      result[key] = outcome;
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      const done = outcome === 'loaded' ? `loaded ${countries.length} countries in ${seconds} s` : 'already there';
      onProgress(`Sample data in ${title}: ${done}`);
    } catch (error) {
      problems.push(toLoadError(title, url, error));
    }
  };
  await Promise.all([
    postgresAdminUrl &&
      load('postgres', 'Postgres', postgresAdminUrl, async () => {
        const { loadPostgres } = await import('./postgres.ts');
        return loadPostgres(postgresAdminUrl, countries);
      }),
    neo4j &&
      load('neo4j', 'Neo4j', neo4j.uri, async () => {
        const { loadNeo4j } = await import('./neo4j.ts');
        return loadNeo4j(neo4j, countries);
      }),
    qdrantUrl &&
      load('qdrant', 'Qdrant', qdrantUrl, async () => {
        const { loadQdrant } = await import('./qdrant.ts');
        return loadQdrant({ url: qdrantUrl, apiKey: qdrantApiKey }, countries);
      }),
  ]);
  const [first] = problems;
  if (problems.length > 1) {
    throw new AggregateError(problems, problems.map(({ message }) => message).join('\n'));
  }
  if (first) throw first;
  return result;
}

function toLoadError(title: string, url: string, cause: unknown): Error {
  return new Error(
    `The sample data could not be loaded into ${title}${toPlace(url)}: ${toReason(cause).replace(/[.\s]+$/, '')}. ` +
      'When that is mended, load again: each database gets all of it or nothing.',
    { cause },
  );
}

/** Names the host only: the rest of an address may hold a password. */
function toPlace(url: string): string {
  const host = URL.parse(url)?.host;
  return host ? ` at ${host}` : '';
}

/** A refused connection to a name with several addresses is an AggregateError without a message of its own. */
function toReason(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(toReason).join('; ');
  return error instanceof Error ? error.message || error.name : String(error);
}
