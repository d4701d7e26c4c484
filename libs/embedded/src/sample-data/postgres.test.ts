import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client } from 'pg';
import { startPostgres, type EmbeddedPostgres } from '../index.ts';
import { loadCountryFacts, loadSourceCountries } from './countries.ts';
import { loadSampleData } from './load.ts';
import { loadPostgres } from './postgres.ts';
import { TABLES } from './postgres-schema.ts';

let server: EmbeddedPostgres;
const countries = loadCountryFacts();

before(async () => {
  server = await startPostgres();
});
after(() => server?.stop());

async function query(url: string, sql: string): Promise<unknown[][]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

/** Makes an empty database for one test, so that the tests do not see each other's tables. */
async function createDatabase(name: string): Promise<string> {
  await query(server.adminUrl, `CREATE DATABASE ${name}`);
  const url = new URL(server.adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}

function listTables(url: string): Promise<unknown[][]> {
  return query(url, `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`);
}

test('the tables are loaded once, and the reading role sees them', async () => {
  const lines: string[] = [];
  const targets = { postgresAdminUrl: server.adminUrl, onProgress: (line: string) => lines.push(line) };
  assert.deepEqual(await loadSampleData(targets), { postgres: 'loaded' });
  assert.match(lines.join(), /Sample data in Postgres: loaded 250 countries/);
  await query(server.adminUrl, `UPDATE public.country SET name = 'Helvetia' WHERE cca3 = 'CHE'`);
  assert.deepEqual(await loadSampleData(targets), { postgres: 'present' });
  assert.deepEqual(await query(server.url, `SELECT name FROM country WHERE cca3 = 'CHE'`), [['Helvetia']]);
  await query(server.adminUrl, `UPDATE public.country SET name = 'Switzerland' WHERE cca3 = 'CHE'`);
});

const sources = loadSourceCountries();
const FACTS = [
  { sql: 'SELECT count(*)::int FROM country', is: [[250]], why: 'all countries' },
  {
    sql: 'SELECT count(*)::int FROM country WHERE landlocked',
    is: [[sources.filter(({ landlocked }) => landlocked).length]],
    why: 'a boolean column',
  },
  {
    sql: "SELECT n.name FROM border b JOIN country n ON n.cca3 = b.neighbour WHERE b.country = 'CHE' ORDER BY 1",
    is: [['Austria'], ['France'], ['Germany'], ['Italy'], ['Liechtenstein']],
    why: 'a join from country to country',
  },
  {
    sql: "SELECT area_km2::text, latitude::text FROM country WHERE cca3 IN ('VAT', 'SJM') ORDER BY cca3",
    is: [
      [null, '78'],
      ['0.44', '41.9'],
    ],
    why: 'exact numerics, and NULL for what is not known',
  },
  {
    sql: `SELECT l.name, t.common FROM country_translation t JOIN language l ON l.code = t.language
          WHERE t.country = 'CHE' AND t.language IN ('fas', 'jpn') ORDER BY 1`,
    is: [
      ['Japanese', 'スイス'],
      ['Persian (Farsi)', 'سوئیس'],
    ],
    why: 'translations find the name of their language',
  },
  {
    sql: "SELECT string_agg(name, ', ' ORDER BY position) FROM country_capital WHERE country = 'ZAF'",
    is: [['Pretoria, Bloemfontein, Cape Town']],
    why: 'capitals keep their order',
  },
  {
    sql: "SELECT code FROM country_calling_code WHERE country = 'CHE'",
    is: [['+41']],
    why: 'root and suffix are put together',
  },
  {
    sql: `SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0
          WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
            AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)`,
    is: [],
    why: 'every table and column has a comment',
  },
  {
    sql: `SELECT conrelid::regclass::text, conname FROM pg_constraint k
          WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND NOT EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indkey[0] = k.conkey[1])`,
    is: [],
    why: 'every foreign key has an index',
  },
];

for (const { sql, is, why } of FACTS) {
  test(`Postgres answers with the facts: ${why}`, async () => assert.deepEqual(await query(server.url, sql), is));
}

test('a failure half-way leaves nothing, and a later load succeeds', async () => {
  const url = await createDatabase('half_way');
  const broken = countries.map((country) => (country.cca3 === 'ZWE' ? { ...country, borders: ['XXX'] } : country));
  await assert.rejects(loadPostgres(url, broken), /border/);
  assert.deepEqual(await listTables(url), []);
  assert.equal(await loadPostgres(url, countries), 'loaded');
});

test('a role without rights of its own can read the tables in any database', async () => {
  const url = await createDatabase('readable');
  await loadPostgres(url, countries);
  const reader = new URL(server.url);
  reader.pathname = new URL(url).pathname;
  assert.deepEqual(await query(reader.href, 'SELECT count(*)::int FROM country_translation'), [[5750]]);
  await assert.rejects(query(reader.href, 'SET transaction_read_only = off; DELETE FROM border'), /permission denied/);
});

test('two loads at the same time end with one set of tables', async () => {
  const url = await createDatabase('together');
  const outcomes = await Promise.all([loadPostgres(url, countries), loadPostgres(url, countries)]);
  assert.deepEqual(outcomes.toSorted(), ['loaded', 'present']);
  assert.equal((await listTables(url)).length, TABLES.length);
});

test('a table of the same name that is not ours is left alone, and the error names it', async () => {
  const url = await createDatabase('taken');
  await query(url, `CREATE TABLE public.border AS SELECT 'mine' AS owner`);
  await assert.rejects(loadSampleData({ postgresAdminUrl: url }), (error: Error) => {
    assert.match(error.message, /Postgres at 127\.0\.0\.1:\d+.*"border".*left as it is/s);
    assert.ok(!error.message.includes(new URL(url).password));
    return true;
  });
  assert.deepEqual(await listTables(url), [['border']]);
  assert.deepEqual(await query(url, 'SELECT owner FROM public.border'), [['mine']]);
});

const UNUSABLE = [
  {
    url: 'postgres://u:hunter2@127.0.0.1:1/db',
    says: /Postgres at 127\.0\.0\.1:1.*ECONNREFUSED/s,
    why: 'nobody listens',
  },
  { url: 'postgres://u:hunter2@127.0.0.1:port/db', says: /must look like postgres:/, why: 'the port is no number' },
];

for (const { url, says, why } of UNUSABLE) {
  test(`an address that cannot be used gives an error without the password: ${why}`, async () => {
    await assert.rejects(loadSampleData({ postgresAdminUrl: url }), (error: Error) => {
      assert.match(error.message, says);
      assert.doesNotMatch(JSON.stringify(error, Object.getOwnPropertyNames(error)), /hunter2/);
      return true;
    });
  });
}
