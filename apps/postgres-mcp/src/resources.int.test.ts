/** Resources and the completion of their names, against a real Postgres. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { loadSampleData, startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { Client } from 'pg';
import { createResourceTemplates } from './resources.ts';
import { openTools, type OpenTools } from './test-tools.ts';

const PREPARE = `
  CREATE SCHEMA "Odd Schema"; CREATE SCHEMA other; CREATE SCHEMA closed; CREATE SCHEMA many;
  CREATE TABLE "Odd Schema"."Weird ""Name"".täb😀" (a int); CREATE TABLE "Odd Schema"."100%_a/b?c#d" (a int);
  CREATE TABLE other.country (a int); CREATE TABLE other.twice (a int); CREATE TABLE twice (a int);
  CREATE TABLE closed.secret_plan (code int);
  CREATE TABLE measure (day date NOT NULL) PARTITION BY RANGE (day);
  CREATE TABLE measure_1 PARTITION OF measure FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
  CREATE TABLE hidden (a int); REVOKE SELECT ON hidden FROM mcp_reader;
  CREATE TABLE partly (shown int, covered int); REVOKE SELECT ON partly FROM mcp_reader; GRANT SELECT (shown) ON partly TO mcp_reader;
  DO $$ BEGIN FOR n IN 1..150 LOOP EXECUTE 'CREATE TABLE many.table_' || n || ' (a int)'; END LOOP; END $$;
  GRANT USAGE ON SCHEMA "Odd Schema", other, many TO mcp_reader;
  GRANT SELECT ON ALL TABLES IN SCHEMA "Odd Schema", other, closed, many TO mcp_reader;
  ANALYZE country, hidden`;

let server: EmbeddedPostgres;
let at: OpenTools;

before(async () => {
  server = await startPostgres();
  await loadSampleData({ postgresAdminUrl: server.adminUrl });
  const admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
  await admin.query(PREPARE);
  await admin.end();
  at = openTools(server.url);
});

after(async () => {
  await at.database.close();
  await server.stop();
});

const CONTEXT = { signal: new AbortController().signal };
const LIMITS = { maxRows: 100, maxBytes: 20_000, maxCellBytes: 1_000 };
const template = (variables: number) =>
  createResourceTemplates(at.database, LIMITS).find((each) => each.variables.length === variables) ?? assert.fail();

test('a table resource is the description of the table, also where a client has folded the schema', async () => {
  const read = template(2).read;
  const name = 'Weird "Name".täb😀';
  const { rows } = await read(['Odd Schema', name], CONTEXT);
  assert.equal(rows[0]?.[1], '"Odd Schema"."Weird ""Name"".täb😀"');
  assert.deepEqual((await read(['odd schema', name], CONTEXT)).rows, rows);
  await assert.rejects(read(['public', 'contry'], CONTEXT), /There is no table or view "public\.contry"/);
});

test('a column resource tells its type, comment and the statistics that the role may see', async () => {
  const read = async (...names: string[]) => {
    const { rows, notices } = await template(3).read(names, CONTEXT);
    return { facts: new Map(rows.map(([fact, value]) => [fact, value])), notices };
  };
  const { facts } = await read('public', 'country', 'region');
  assert.equal(facts.get('type'), 'text');
  assert.equal(facts.get('distinct values (estimate)'), 6);
  assert.match(JSON.stringify(facts.get('common values and their share')), /^\[\["Africa",0\.2/);
  assert.match(
    JSON.stringify((await read('public', 'country', 'name')).facts.get('lowest and highest of the other values')),
    /^\["[A-Z].*","Å?/,
  );
  const unknown = await read('public', 'hidden', 'a');
  assert.deepEqual([[...unknown.facts.keys()], unknown.notices?.length], [['type'], 1]);
  await assert.rejects(read('public', 'country', 'regon'), /has no column "regon"/);
});

const COMPLETIONS: [variable: string, typed: string, chosen: Record<string, string>, names: string[], why: string][] = [
  ['schema', 'o', {}, ['Odd Schema', 'other'], 'in any case'],
  ['schema', 'cl', {}, [], 'the role may not use it'],
  ['schema', 'pg_', {}, [], 'system schemas'],
  ['table', 'country_c', { schema: 'public' }, ['country_calling_code', 'country_capital', 'country_currency'], 'of a schema'],
  ['table', 'coun', { schema: 'other' }, ['country'], 'of another'],
  ['table', 'twi', {}, ['twice'], 'of all schemas, once'],
  ['table', 'hid', {}, [], 'a table that cannot be read'],
  ['table', 'secret', { schema: 'closed' }, [], 'a table of a schema that cannot be used'],
  ['table', 'measure', {}, ['measure'], 'partitions are folded'],
  ['table', '100%_', {}, ['100%_a/b?c#d'], 'wildcards are themselves'],
  ['column', 'area', { schema: 'public', table: 'country' }, ['area_km2'], 'of a table'],
  ['column', 'cover', { table: 'partly' }, [], 'a column that cannot be read'],
]; // prettier-ignore

for (const [variable, typed, chosen, names, why] of COMPLETIONS) {
  test(`${variable} ${JSON.stringify(typed)} is completed with ${JSON.stringify(chosen)} (${why})`, async () => {
    const complete = template(3).complete.get(variable) ?? assert.fail();
    assert.deepEqual(await complete({ typed, chosen, limit: 101 }, CONTEXT), names);
  });
}

test('no more completions are read than are wanted', async () => {
  const complete = template(2).complete.get('table') ?? assert.fail();
  assert.equal((await complete({ typed: 'table', chosen: { schema: 'many' }, limit: 101 }, CONTEXT)).length, 101);
});
