/** Loads the sample data into Postgres: schema, rows and statistics in one transaction. */
import { Client } from 'pg';
import { loadSampleDataSource, type CountryFacts } from './countries.ts';
import { toPostgresRows } from './postgres-rows.ts';
import { TABLES, TABLES_MARKER, toSchemaSql } from './postgres-schema.ts';

const CONNECT_TIMEOUT_MS = 10_000;

// Any number will do, as long as every loader takes the same: two that start together must not both create tables.
const LOADER_LOCK = 5_001_661_000;

/** Creates and fills the tables in schema `public`, or finds them there from an earlier time. */
export async function loadPostgres(url: string, countries: readonly CountryFacts[]): Promise<'loaded' | 'present'> {
  const client = createClient(url);
  // A connection that breaks between two queries is reported by the next one; without a listener it ends the process.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOADER_LOCK]);
    if (await hasSampleTables(client)) return 'present';
    await client.query(toSchemaSql(loadSampleDataSource()));
    for (const [table, rows] of Object.entries(toPostgresRows(countries))) {
      await client.query(
        `INSERT INTO public.${table} SELECT * FROM json_populate_recordset(NULL::public.${table}, $1::json)`,
        [JSON.stringify(rows)],
      );
    }
    await client.query(`ANALYZE ${TABLES.map(({ name }) => `public.${name}`).join(', ')}`);
    await client.query('COMMIT');
    return 'loaded';
  } finally {
    // Closing the connection rolls back what was not committed.
    await client.end().catch(() => {});
  }
}

function createClient(url: string): Client {
  try {
    return new Client({
      connectionString: url,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      application_name: 'database-mcp sample data',
    });
  } catch {
    // The parser's error quotes the address with the password in it, so it is not passed on as a cause.
    throw new Error('The address cannot be read; it must look like postgres://user:password@host:5432/database.');
  }
}

async function hasSampleTables(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ name: string; comment: string | null }>(
    `SELECT c.relname AS name, obj_description(c.oid, 'pg_class') AS comment
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'public' AND c.relname = ANY ($1) ORDER BY c.relname`,
    [TABLES.map(({ name }) => name)],
  );
  if (rows.some(({ name, comment }) => name === 'country' && comment?.includes(TABLES_MARKER))) return true;
  if (rows.length === 0) return false;
  throw new Error(
    `Schema public already has ${rows.map(({ name }) => `"${name}"`).join(', ')}, which the sample data would need ` +
      'and which did not come from it; it was left as it is. Use another database, or do without the sample data.',
  );
}
