/** A cast to a type is one to its parts too: code behind these is refused as that behind the type itself. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { Client } from 'pg';
import { openTools, type OpenTools } from '../test-tools.ts';
import { TEST_OBJECTS } from './test-objects.ts';

let server: EmbeddedPostgres;
let tools: OpenTools;

before(async () => {
  server = await startPostgres();
  const admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
  await admin.query(TEST_OBJECTS);
  await admin.end();
  tools = openTools(server.adminUrl);
});

after(async () => {
  await tools.database.close();
  await server.stop();
});

const REFUSED: { sql: string; says: RegExp; why: string }[] = [
  { sql: "SELECT 'x'::checked_again", says: /checked_again may call public\.is_fine/, why: 'a domain over a domain' },
  { sql: "SELECT '{x}'::checked_again[]", says: /public\.is_fine/, why: 'an array of one' },
  { sql: "SELECT ROW(1, 'x')::holder", says: /holder may call public\.is_fine/, why: 'a column of a row type' },
  { sql: "SELECT '(1,x)'::holder", says: /public\.is_fine/, why: 'the same as text' },
  {
    sql: `SELECT * FROM jsonb_populate_record(NULL::holding, '{"a": {"b": "x"}}')`,
    says: /holding may call public\.is_fine/,
    why: 'the row of a table',
  },
  {
    sql: `SELECT * FROM json_to_record('{"a": "x"}') AS r (a checked_again)`,
    says: /public\.is_fine/,
    why: 'a column definition',
  },
  { sql: "SELECT '[a,b]'::checked_span", says: /checked_span may call public\.is_fine/, why: 'a range' },
  { sql: 'SELECT 1::operated', says: /operated may call public\.reach/, why: 'an operator in a check' },
];

for (const { sql, says, why } of REFUSED) {
  test(`refused: ${sql} (${why})`, async () => {
    assert.match(await tools.failureOf('query', { sql }), says);
  });
}

const ACCEPTED: { sql: string; why: string }[] = [
  { sql: "SELECT '(1,a,2)'::stock", why: 'the row of a table with honest columns' },
  { sql: "SELECT '[1,3)'::span, '{[1,3)}'::span_multirange, '{}'::span[]", why: 'ranges' },
  {
    sql: "SELECT 5::information_schema.cardinal_number, 'a'::information_schema.sql_identifier",
    why: 'built-in domains',
  },
];

for (const { sql, why } of ACCEPTED) {
  test(`accepted: ${sql} (${why})`, async () => {
    assert.equal((await tools.call('query', { sql })).rowCount, 1);
  });
}
