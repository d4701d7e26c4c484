/**
 * What may run, against a real Postgres and through the real tool: an accepted statement runs and returns, a refused one
 * changes nothing. Once with a superuser, where nothing else stands in the way, and once with a role that may only read.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { ToolError, toErrorText, type ErrorCode } from '@database-mcp/errors';
import type { Tool } from '@database-mcp/mcp-kit';
import { Client } from 'pg';
import { createDatabase, type Database } from './database.ts';
import { TEST_OBJECTS } from './policy/test-objects.ts';
import { findBuiltInSideEffect, isHarmless } from './policy/side-effects.ts';
import { targetOf } from './test-target.ts';
import { createStatementGuard } from './statement-guard.ts';
import { createTools } from './tools/index.ts';

const LIMITS = { maxRows: 200, maxBytes: 100_000, maxCellBytes: 1_000 };

const STATE = `SELECT (SELECT pg_catalog.string_agg(s::text, ',' ORDER BY id) FROM stock s), (SELECT last_value || is_called::text FROM counter),
  (SELECT count(*) FROM pg_catalog.pg_class), (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata),
  (SELECT count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM pg_catalog.pg_file_settings)`;

let server: EmbeddedPostgres;
let admin: Client;
const databases: Database[] = [];
const query = {} as Record<'superuser' | 'reader', Tool>;

before(async () => {
  server = await startPostgres();
  admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
  await admin.query(TEST_OBJECTS);
  for (const [role, url] of [
    ['superuser', server.adminUrl],
    ['reader', server.url],
  ] as const) {
    const database = createDatabase({
      target: targetOf(url),
      poolSize: 2,
      timeoutMs: 10_000,
      applicationName: 'int-test',
    });
    databases.push(database);
    query[role] = createTools(database, LIMITS).find((tool) => tool.name === 'query') ?? assert.fail();
  }
});

after(async () => {
  for (const database of databases) await database.close();
  await admin.end();
  await server.stop();
});

const run = (role: 'superuser' | 'reader', sql: string) =>
  query[role].run({ sql, params: [], limit: 100 }, { signal: new AbortController().signal });

const ACCEPTED: { sql: string; why: string; only?: 'superuser' | 'reader' }[] = [
  { sql: 'SELECT 1', why: 'the simplest' },
  { sql: "SELECT ';' -- x;", why: 'semicolons in a string and a comment' },
  { sql: 'SELECT $$a;b$$;', why: 'a dollar-quoted one' },
  { sql: "SELECT 'drop table x' AS note UNION SELECT 'delete'", why: 'words are data' },
  { sql: 'TABLE stock', why: 'a table' },
  { sql: 'VALUES (1), (2)', why: 'values' },
  { sql: 'WITH x AS (SELECT 1) SELECT * FROM x', why: 'a reading CTE' },
  { sql: 'SHOW server_version', why: 'a setting' },
  { sql: 'EXPLAIN SELECT * FROM stock', why: 'a plan' },
  { sql: 'EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM stock', why: 'runs what only reads' },
  { sql: 'EXPLAIN DELETE FROM stock', why: 'plans and does not run', only: 'superuser' },
  { sql: 'EXPLAIN (ANALYZE false, VERBOSE) UPDATE stock SET price = 1', why: 'as above', only: 'superuser' },
  { sql: 'EXPLAIN SELECT * FROM stock FOR UPDATE', why: 'as above', only: 'superuser' },
  { sql: 'EXPLAIN ANALYZE SELECT $$x$$ WHERE false', why: 'analyze without parentheses' },
  {
    sql: 'SELECT random() < 2, clock_timestamp() > now(), gen_random_uuid() IS NULL, timeofday() IS NULL',
    why: 'volatile and harmless',
  },
  {
    sql: 'SELECT pg_sleep(0), pg_backend_pid() > 0, current_user, txid_current_if_assigned()',
    why: 'the session itself',
  },
  {
    sql: "SELECT pg_size_pretty(pg_total_relation_size('stock')), pg_database_size(current_database()) > 0",
    why: 'sizes',
  },
  { sql: 'SELECT count(*) FROM pg_locks', why: 'a system view on a volatile function' },
  { sql: 'SELECT count(*) FROM pg_stat_activity', why: 'a system view' },
  { sql: 'SELECT count(*) FROM information_schema.columns', why: 'a system view on functions' },
  { sql: 'SELECT count(*) FROM pg_sequences', why: 'a view that asks for the last value' },
  { sql: "SELECT setting FROM pg_settings WHERE name = 'work_mem'", why: 'settings' },
  { sql: 'SELECT price_of(1)', why: 'a VOLATILE PL/pgSQL function that only reads, as most are declared' },
  { sql: 'SELECT public.total()', why: 'an SQL function with a forbidden word in a comment' },
  { sql: 'SELECT atomic()', why: 'an SQL-standard body' },
  { sql: 'SELECT * FROM price_of(2) p', why: 'in FROM' },
  { sql: 'SELECT id, price FROM cheap', why: 'a view that calls a user function' },
  { sql: 'SELECT public.pg_notify(1)', why: 'a user function with the name of a refused built-in' },
  { sql: 'SELECT other.nextval(7)', why: 'the same in another schema' },
  { sql: 'SELECT crosstab_of_ours(7)', why: 'begins like a function of an extension' },
  {
    sql: "SELECT pg_catalog.initcap('a'), lower(name) FROM stock",
    why: 'a built-in with a dangerous overload, by its schema',
  },
  {
    sql: "SELECT similarity('abc', 'abd'), 'abc' % 'abd', hstore('a', '1') -> 'a'",
    why: 'functions and operators of extensions',
  },
  {
    sql: "SELECT digest('a', 'sha256') IS NULL, gen_random_bytes(4) IS NULL, crypt('a', gen_salt('bf', 4)) IS NULL",
    why: 'volatile and harmless of an extension',
  },
  { sql: 'SELECT count(*) FROM normal_rand(3, 0, 1)', why: 'volatile and harmless of an extension' },
  { sql: 'SELECT span(1, 5) @> 3', why: 'the constructor of a range type' },
  { sql: 'SELECT 1 <+> 2', why: 'a user operator on a built-in function' },
  {
    sql: 'SELECT id FROM stock WHERE id OPERATOR(pg_catalog.>=) 1',
    why: 'one with a dangerous overload, by its schema',
  },
  { sql: 'SELECT add_all(id) FROM stock', why: 'a user aggregate on a built-in function' },
  { sql: 'SELECT s.name, (s).price FROM stock s', why: 'columns, written as functions could be' },
  { sql: "SELECT name::text, '5'::int, CAST('2024-01-01' AS date), ARRAY[1,2]::bigint[] FROM stock", why: 'casts' },
  { sql: "SELECT ts_rewrite('a & b'::tsquery, 'a'::tsquery, 'c'::tsquery)", why: 'with three arguments it computes' },
  { sql: "SELECT repeat('ab', 3), lpad('x', 5), repeat(name, 1000) IS NULL FROM stock", why: 'ordinary repetition' },
  {
    sql: "SELECT 'zero\u200bwidth \u202e' /* \u2066 */ -- \u{e0041}\n",
    why: 'invisible characters in a literal and comments',
  },
  { sql: "SELECT U&'\\200B', E'\\u200b', $x$\u200b$x$", why: 'invisible characters in other literals' },
  { sql: 'SELECT U&"n\\0061me" FROM stock', why: 'an escaped column name' },
  { sql: 'SELECT name AS "größe 😀" FROM stock', why: 'visible characters beyond ASCII in a name' },
  {
    sql: 'SELECT row_to_json(s) FROM stock s ORDER BY id USING <',
    why: 'a row as an argument, an operator in ORDER BY',
  },
  {
    sql: "SELECT xmlelement(name a, 1), json_build_object('a', 1), (SELECT max(id) FROM stock)",
    why: 'syntax that calls functions',
  },
  {
    sql: "SELECT EXTRACT(year FROM DATE '2024-01-01'), OVERLAY('abc' PLACING 'x' FROM 2), '2024-01-01'::timestamptz AT TIME ZONE 'UTC'",
    why: 'more of it',
  },
  { sql: "SELECT run_sql('SELECT 1')", why: 'text as SQL is bounded by the rights of the role', only: 'reader' },
  { sql: 'SELECT secret_total()', why: 'a SECURITY DEFINER function of a superuser that only reads' },
];

for (const role of ['superuser', 'reader'] as const) {
  for (const { sql, why, only } of ACCEPTED) {
    if (only !== undefined && only !== role) continue;
    test(`a ${role} may run: ${sql.slice(0, 90)} (${why})`, async () => {
      const { columns } = await run(role, sql).catch((error: unknown) =>
        assert.fail(error instanceof ToolError ? toErrorText(error) : String(error)),
      );
      assert.ok(columns.length > 0);
    });
  }
}

const REFUSED: { sql: string; says: RegExp; why: string; code?: ErrorCode; only?: 'superuser' | 'reader' }[] = [
  { sql: 'COMMIT; CREATE TABLE pwn()', says: /One statement only/, why: 'leaves the transaction' },
  {
    sql: "SELECT E'\\''; COMMIT; CREATE TABLE pwn(); SELECT 1 --'",
    says: /holds 4/,
    why: 'a string that fools tokenizers',
  },
  { sql: '/* c */ COMMIT; DROP TABLE stock', says: /One statement only/, why: 'behind a comment' },
  { sql: '-- c\nDROP TABLE stock', says: /DROP/, why: 'behind a comment' },
  { sql: 'WITH d AS (DELETE FROM stock RETURNING *) SELECT * FROM d', says: /DELETE/, why: 'a writing CTE' },
  { sql: 'EXPLAIN ANALYZE DELETE FROM stock', says: /DELETE.*EXPLAIN ANALYZE/, why: 'runs it' },
  { sql: 'EXPLAIN (ANALYZE, FORMAT JSON) INSERT INTO stock VALUES (3)', says: /INSERT/, why: 'runs it' },
  { sql: 'EXPLAIN (ANALYZE false, ANALYZE) DELETE FROM stock', says: /DELETE/, why: 'the last option wins' },
  { sql: 'EXPLAIN ANALYZE WITH d AS (DELETE FROM stock RETURNING *) SELECT * FROM d', says: /DELETE/, why: 'runs it' },
  { sql: 'EXPLAIN CREATE TABLE pwn AS SELECT 1', says: /CREATE TABLE AS/, why: 'no query' },
  { sql: "COPY stock TO PROGRAM 'id'", says: /COPY/, why: 'runs a program' },
  { sql: 'COPY (SELECT 1) TO STDOUT', says: /COPY/, why: 'another protocol' },
  { sql: 'DO $$ BEGIN PERFORM pg_notify($x$a$x$, $x$b$x$); END $$', says: /DO/, why: 'runs anything' },
  { sql: "SELECT pg_read_file('PG_VERSION')", says: /pg_read_file reads files/, why: 'a file' },
  { sql: 'SELECT "pg_read_file"(\'PG_VERSION\')', says: /pg_read_file reads files/, why: 'quoted' },
  { sql: 'SELECT U&"pg\\005fread_file"(\'PG_VERSION\')', says: /pg_read_file reads files/, why: 'escaped' },
  { sql: "SELECT * FROM pg_read_file('PG_VERSION')", says: /pg_read_file reads files/, why: 'in FROM' },
  {
    sql: "SELECT * FROM ROWS FROM (pg_ls_dir('.'), generate_series(1, 2)) AS x",
    says: /pg_ls_dir reads files/,
    why: 'in ROWS FROM',
  },
  {
    sql: "SELECT query_to_xml('select pg_read_file($$PG_VERSION$$)', true, true, '')",
    says: /SQL text/,
    why: 'hidden SQL',
  },
  {
    sql: "SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, pg_read_file(''PG_VERSION'')::tsquery')",
    says: /ts_rewrite runs SQL text/,
    why: 'hidden SQL',
  },
  {
    sql: "SELECT * FROM ts_stat('SELECT pg_notify(''a'', ''b'')::text::tsvector')",
    says: /SQL text/,
    why: 'hidden SQL',
  },
  { sql: "SELECT lo_from_bytea(0, 'x')", says: /large objects/, why: 'writes' },
  { sql: "SELECT lo_import('PG_VERSION')", says: /files/, why: 'reads a file, writes' },
  { sql: "SELECT dblink_exec('host=localhost', 'DROP TABLE stock')", says: /another server.*dblink/, why: 'connects' },
  { sql: "SELECT public.dblink('host=localhost', 'SELECT 1')", says: /another server/, why: 'qualified' },
  {
    sql: "SELECT * FROM crosstab('SELECT 1, 2, 3') AS c (a int, b int)",
    says: /SQL text/,
    why: 'hidden SQL though STABLE',
  },
  { sql: 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity', says: /other sessions/, why: 'ends others' },
  { sql: 'SELECT pg_reload_conf()', says: /acts on the server/, why: 'the server' },
  { sql: 'SELECT pg_switch_wal()', says: /acts on the server/, why: 'the server' },
  { sql: 'SELECT pg_stat_reset()', says: /has counted/, why: 'statistics' },
  { sql: "SELECT pg_logical_emit_message(false, 'a', 'b')", says: /replication/, why: 'not undone by a rollback' },
  { sql: "SELECT pg_notify('a', 'b')", says: /other sessions/, why: 'others' },
  { sql: "SELECT pg_catalog.gin_clean_pending_list('stock_pkey')", says: /changes an index/, why: 'maintenance' },
  { sql: 'SELECT pg_advisory_lock(1)', says: /locks of the session/, why: 'outlives the transaction' },
  {
    sql: "SELECT set_config('default_transaction_read_only', 'off', false)",
    says: /setting of the session/,
    why: 'as SET',
  },
  { sql: 'SELECT setseed(0.5)', says: /setting of the session/, why: 'makes random() of later calls known' },
  { sql: "SELECT nextval('counter'), id FROM stock", says: /changes a sequence/, why: 'not undone by a rollback' },
  { sql: "SELECT 1 WHERE (SELECT setval('counter', 9)) > 0", says: /changes a sequence/, why: 'in a condition' },
  {
    sql: 'SELECT count(*) FILTER (WHERE pg_advisory_lock(id) IS NULL) OVER (ORDER BY pg_notify(name, name)) FROM stock',
    says: /refused|locks|other sessions/,
    why: 'in a filter and a window',
  },
  {
    sql: 'SELECT pg_stat_statements_reset()',
    says: /NOT_FOUND/,
    code: 'NOT_FOUND',
    why: 'what does not exist is told by Postgres',
  },
  {
    sql: 'SELECT anything()',
    says: /anything is written in unsafe, an untrusted language/,
    why: 'declared IMMUTABLE, and can do anything',
  },
  { sql: 'SELECT other.price_of(1)', says: /other\.price_of is written in unsafe/, why: 'the schema says which' },
  {
    sql: "SELECT initcap('a')",
    says: /public\.initcap is written in unsafe[^]*pg_catalog\.initcap/,
    why: 'an overload of a built-in cannot be told by its name',
  },
  {
    sql: 'SELECT t.reach FROM (SELECT ROW(1)::thing AS t) x (t)',
    says: /reach is written in unsafe/,
    why: 'a function written as a column',
  },
  { sql: 'SELECT (stock).reach FROM stock', says: /reach is written in unsafe/, why: 'in parentheses' },
  {
    sql: "SELECT file_of('PG_VERSION')",
    says: /machine code \(language internal\)/,
    why: 'a built-in under another name',
  },
  { sql: 'SELECT 1 ### 2', says: /The operator ### calls public\.reach/, why: 'behind an operator' },
  { sql: 'SELECT 1 OPERATOR(public.###) 2', says: /The operator public\.### calls/, why: 'qualified' },
  { sql: 'SELECT 1 ### ANY (ARRAY[1])', says: /The operator ###/, why: 'with ANY' },
  {
    sql: 'SELECT 1 FROM (SELECT ROW(1)) x (t) WHERE x BETWEEN x AND x',
    says: /The operator >= calls public\.reach_at_least[^]*OPERATOR\(pg_catalog\.>=\)/,
    why: 'behind BETWEEN',
  },
  { sql: 'SELECT 1::thing', says: /The cast to thing may call public\.to_thing/, why: 'behind a cast' },
  { sql: 'SELECT CAST(1 AS public."thing")', says: /The cast to public\.thing/, why: 'qualified and quoted' },
  {
    sql: "SELECT 'x'::checked",
    says: /The cast to checked may call public\.is_fine/,
    why: 'behind the check of a domain',
  },
  { sql: 'SELECT reach_all(id) FROM stock', says: /reach is written in unsafe/, why: 'behind an aggregate' },
  {
    sql: 'SELECT * FROM telling',
    says: /The view telling calls pg_notify, which acts on other sessions/,
    why: 'behind a view',
  },
  { sql: 'SELECT count(*) FROM behind', says: /The view behind calls pg_notify/, why: 'behind a view of a view' },
  { sql: 'TABLE operating', says: /The view operating calls public\.reach/, why: 'an operator behind a view' },
  {
    sql: 'SELECT * FROM public.remote',
    says: /The view public\.remote calls public\.dblink/,
    why: 'an extension behind a view',
  },
  {
    sql: 'SELECT * FROM pg_hba_file_rules',
    says: /The view pg_hba_file_rules calls pg_hba_file_rules, which reads files/,
    why: 'a system view that reads a file',
  },
  {
    sql: 'SELECT peek()',
    says: /rights of a superuser and its source has PG_READ_FILE[^]*owner/,
    why: 'SECURITY DEFINER of a superuser',
  },
  {
    sql: "SELECT run_sql('SELECT pg_read_file($$PG_VERSION$$)')",
    says: /rights of a superuser and its source has EXECUTE[^]*--print-role-sql/,
    why: 'text as SQL, unbounded',
    only: 'superuser',
  },
  { sql: 'SELECT tell()', says: /its source has PG_NOTIFY/, why: 'reaches out', only: 'superuser' },
  { sql: 'SELECT tell_atomic()', says: /its source has PG_NOTIFY/, why: 'an SQL-standard body', only: 'superuser' },
  {
    sql: 'SELECT repeat(repeat(repeat($$x$$, 1000), 1000), 1000)',
    says: /about 954 MiB out of constants/,
    code: 'TOO_LARGE',
    why: 'a backend of 5 GB',
  },
  { sql: "SELECT length(lpad('x', 1000 * 1000 * 1000))", says: /about 954 MiB/, code: 'TOO_LARGE', why: 'calculated' },
  {
    sql: "SELECT repeat('x', '500000000'::int), repeat('x', (10^8)::int)",
    says: /about 573 MiB/,
    code: 'TOO_LARGE',
    why: 'added up',
  },
  { sql: 'SELECT array_fill(1, ARRAY[10000, 10000])', says: /about 763 MiB/, code: 'TOO_LARGE', why: 'an array' },
  {
    sql: 'SELECT na\u200bme FROM stock',
    says: /invisible character U\+200B/,
    code: 'INVALID_ARGUMENT',
    why: 'a zero-width space in a name',
  },
  {
    sql: 'SELECT "name\u202e" FROM stock',
    says: /invisible character U\+202E/,
    code: 'INVALID_ARGUMENT',
    why: 'a change of direction in a quoted name',
  },
  {
    sql: 'SELECT 1 AS \u{e0041}',
    says: /invisible character U\+E0041/,
    code: 'INVALID_ARGUMENT',
    why: 'a tag character',
  },
  { sql: 'SEL\u00adECT 1', says: /invisible characters/, code: 'SYNTAX_ERROR', why: 'a soft hyphen in a keyword' },
];

for (const role of ['superuser', 'reader'] as const) {
  for (const { sql, says, why, code = 'READ_ONLY', only } of REFUSED) {
    if (only !== undefined && only !== role) continue;
    test(`a ${role} may not run: ${JSON.stringify(sql.slice(0, 90))} (${why})`, async () => {
      const before = (await admin.query(STATE)).rows;
      const error = await run(role, sql).then(
        () => assert.fail('it was run'),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof ToolError, String(error));
      assert.match(toErrorText(error), says);
      assert.equal(error.code, code);
      assert.deepEqual((await admin.query(STATE)).rows, before);
    });
  }
}

test('known names cost no question, and what was made or dropped counts after a minute', async () => {
  let now = 0;
  let questions = 0;
  const [database] = databases;
  assert.ok(database);
  const counted: Database = {
    ...database,
    read(...args) {
      questions++;
      return database.read(...args);
    },
  };
  const guard = createStatementGuard(counted, () => now);
  const { signal } = new AbortController();
  const check = (sql: string) => guard.checkReading(sql, signal);
  await check('SELECT 1');
  assert.equal(questions, 0);
  await check('SELECT lower(name), later(1) FROM stock WHERE id > 1');
  await check('SELECT lower(name), later(2) FROM stock WHERE id > 2 ORDER BY id');
  assert.equal(questions, 1);
  await admin.query('CREATE FUNCTION later(int) RETURNS int LANGUAGE unsafe AS $$ BEGIN RETURN 1; END $$');
  now += 61_000;
  await assert.rejects(check('SELECT later(3)'), /later is written in unsafe/);
  await admin.query('DROP FUNCTION later(int)');
  now += 61_000;
  await check('SELECT later(4)');
});

test('the place of a name behind which something is refused is told', async () => {
  const error = await run('superuser', "SELECT 'é',\n  1 ### 2").catch((reason: unknown) => reason);
  assert.equal((error as ToolError).where, 'line 2, column 5: 1 ### 2');
});

test('every volatile function of this Postgres has been judged', async () => {
  const { rows } = await admin.query<{ proname: string }>(`
    SELECT DISTINCT proname FROM pg_proc p
     WHERE pronamespace = 'pg_catalog'::regnamespace AND provolatile = 'v' AND oid < 16384
       AND NOT prorettype = ANY (ARRAY['trigger', 'internal', 'language_handler', 'index_am_handler', 'table_am_handler', 'tsm_handler']::regtype[])
       AND NOT 'internal'::regtype = ANY (proargtypes::oid[]) AND proname !~ '^plpgsql_'`);
  const unjudged = rows
    .map((row) => row.proname)
    .filter((name) => !isHarmless(name) && findBuiltInSideEffect(name) === undefined);
  assert.deepEqual(unjudged, [], 'decide about them in side-effects.ts');
  assert.ok(rows.length > 150);
});
