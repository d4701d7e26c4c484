import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorCode } from '@database-mcp/errors';
import { classifyStatement } from './access-policy.ts';

const ACCEPTED = [
  { sql: 'SELECT 1', why: 'the simplest' },
  { sql: 'SELECT 1;', why: 'one semicolon at the end' },
  { sql: "SELECT ';' -- x;", why: 'semicolons in a string and a comment' },
  { sql: 'SELECT $$a;b$$', why: 'a semicolon in a dollar-quoted string' },
  { sql: 'SELECT $tag$;$tag$;', why: 'a tagged one' },
  { sql: "SELECT 'drop table x' AS note UNION SELECT 'delete'", why: 'words are data' },
  { sql: 'SELECT "update", "delete" FROM "drop"', why: 'words are names' },
  { sql: 'VALUES (1), (2)', why: 'a query' },
  { sql: 'TABLE country', why: 'a query' },
  { sql: 'WITH x AS (SELECT 1) SELECT * FROM x', why: 'a reading CTE' },
  { sql: 'WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r) SELECT * FROM r', why: 'recursion' },
  { sql: 'SHOW server_version', why: 'reads a setting' },
  { sql: 'EXPLAIN SELECT 1', why: 'a plan' },
  { sql: 'EXPLAIN (ANALYZE, FORMAT JSON) SELECT 1', why: 'runs a query that only reads' },
  { sql: 'SELECT 1 LIMIT ALL', why: 'own limit' },
  { sql: 'SELECT * FROM t FETCH FIRST 3 ROWS ONLY', why: 'own limit' },
  { sql: 'SELECT count(*) FILTER (WHERE x) OVER w FROM t WINDOW w AS (ORDER BY y)', why: 'windows' },
  { sql: "SELECT * FROM t WHERE name LIKE '%' || $1 || '%'", why: 'a pattern that is no constant' },
  { sql: "SELECT current_setting('server_version'), pg_size_pretty(1::bigint)", why: 'harmless functions' },
  { sql: '(SELECT 1) UNION ALL (SELECT 2 ORDER BY 1 LIMIT 1)', why: 'parentheses around queries' },
  { sql: 'SELECT FROM t', why: 'no columns' },
  { sql: 'SELECT', why: 'nothing at all is a query' },
  { sql: ';SELECT 1;;', why: 'empty statements around one' },
  { sql: '/* a /* nested */ comment; */ SELECT 1 -- and; another', why: 'comments' },
  { sql: 'SELECT $1::text, $2::int[]', why: 'parameters' },
  { sql: 'SELECT "a;b", U&"d\\0061t" FROM "weird ""name"', why: 'odd names' },
  { sql: "SELECT B'101', X'1F', E'\\n', N'x', 1_000, 0x1F, 1e5, .5", why: 'literals of all kinds' },
  { sql: 'SELECT x::text::int[], CAST(y AS numeric(10, 2)), z AT TIME ZONE $1 FROM t', why: 'casts' },
  { sql: 'SELECT a.b.c, (a).b, (a.b).c[1:2], d[1][2] FROM a', why: 'fields and elements' },
  { sql: 'SELECT * FROM a NATURAL LEFT JOIN b FULL JOIN c USING (x, y) CROSS JOIN d', why: 'joins' },
  { sql: 'SELECT * FROM ONLY parent, ROWS FROM (f(1), g(2)) WITH ORDINALITY AS r (a, b, n)', why: 'functions in FROM' },
  { sql: "SELECT * FROM json_table('[1]', '$[*]' COLUMNS (a int PATH '$')) j", why: 'new syntax of 17' },
  { sql: "SELECT * FROM xmltable('/a' PASSING x COLUMNS b text)", why: 'XML' },
  {
    sql: 'SELECT GROUPING(a), count(*) FROM t GROUP BY GROUPING SETS ((a), ()) HAVING count(*) > 1',
    why: 'grouping sets',
  },
  { sql: 'WITH a AS MATERIALIZED (SELECT 1), b AS NOT MATERIALIZED (SELECT 2) SELECT * FROM a, b', why: 'CTE hints' },
  {
    sql: 'WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT n FROM r) SEARCH DEPTH FIRST BY n SET o CYCLE n SET c USING p SELECT * FROM r',
    why: 'search and cycle',
  },
  { sql: 'SELECT EXISTS (SELECT 1), ARRAY(SELECT 1), x = ANY ($1), x < ALL (SELECT 1) FROM t', why: 'subqueries' },
  { sql: 'SELECT x IS JSON, y IS NOT DISTINCT FROM z, w IS UNKNOWN, v COLLATE "C" FROM t', why: 'predicates' },
  { sql: 'SELECT a OPERATOR(pg_catalog.+) b, c #>> d, e @> f, !! g FROM t', why: 'operators' },
  { sql: "SELECT INTERVAL '1' YEAR, DATE '2024-01-01', TIMESTAMP WITH TIME ZONE 'now'", why: 'typed literals' },
  {
    sql: 'SELECT CURRENT_DATE, LOCALTIME, CURRENT_USER, SESSION_USER, CURRENT_CATALOG',
    why: 'values without parentheses',
  },
  {
    sql: 'SELECT TRIM(BOTH FROM a), SUBSTRING(b FROM 2 FOR 3), POSITION(c IN d), OVERLAY(e PLACING f FROM 1) FROM t',
    why: 'functions with a syntax of their own',
  },
  { sql: 'SELECT * FROM t LIMIT 10 OFFSET 5', why: 'a page' },
  { sql: 'SELECT * FROM t ORDER BY 1 FETCH FIRST 3 ROWS WITH TIES', why: 'ties' },
  { sql: 'SHOW ALL', why: 'all settings' },
  { sql: 'SHOW TIME ZONE', why: 'a setting of two words' },
  { sql: 'EXPLAIN VERBOSE TABLE t', why: 'a plan of TABLE' },
  { sql: 'EXPLAIN (ANALYZE off) DELETE FROM t', why: 'plans only' },
  { sql: 'EXPLAIN (ANALYZE 0) INSERT INTO t SELECT * FROM u', why: 'plans only' },
  { sql: 'EXPLAIN MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE', why: 'plans only' },
  { sql: 'EXPLAIN WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d', why: 'plans only' },
  { sql: 'SELECT lower(name), log(2), loft FROM t', why: 'names that begin like a dangerous one' },
];

for (const { sql, why } of ACCEPTED) {
  test(`accepted: ${sql} (${why})`, async () => {
    const verdict = await classifyStatement(sql);
    assert.equal(verdict.kind, 'allowed', JSON.stringify(verdict));
  });
}

const REFUSED: { sql: string; code: ErrorCode; says: RegExp; why: string }[] = [
  { sql: '', code: 'INVALID_ARGUMENT', says: /no statement/, why: 'nothing to run' },
  { sql: ' ; ', code: 'INVALID_ARGUMENT', says: /no statement/, why: 'nothing to run' },
  { sql: '-- only a comment', code: 'INVALID_ARGUMENT', says: /no statement/, why: 'nothing to run' },
  { sql: 'SELECT 1; SELECT 2', code: 'READ_ONLY', says: /holds 2/, why: 'two statements' },
  { sql: 'COMMIT; CREATE TABLE pwn()', code: 'READ_ONLY', says: /One statement/, why: 'leaves the transaction' },
  { sql: "SELECT E'\\''; COMMIT; CREATE TABLE pwn(); SELECT 1 --'", code: 'READ_ONLY', says: /holds 4/, why: 'a string that fools tokenizers' }, // prettier-ignore
  { sql: '/* c */ DROP TABLE t', code: 'READ_ONLY', says: /DROP/, why: 'a comment before it' },
  { sql: 'INSERT INTO t VALUES (1)', code: 'READ_ONLY', says: /INSERT/, why: 'a write' },
  { sql: 'UPDATE t SET a = 1', code: 'READ_ONLY', says: /UPDATE/, why: 'a write' },
  { sql: 'DELETE FROM t', code: 'READ_ONLY', says: /DELETE/, why: 'a write' },
  { sql: 'MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE', code: 'READ_ONLY', says: /MERGE/, why: 'a write' },
  { sql: 'TRUNCATE t', code: 'READ_ONLY', says: /TRUNCATE/, why: 'a write' },
  { sql: 'WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d', code: 'READ_ONLY', says: /DELETE/, why: 'a writing CTE' }, // prettier-ignore
  { sql: 'SELECT * FROM (WITH d AS (INSERT INTO t SELECT 1 RETURNING *) SELECT * FROM d) x', code: 'READ_ONLY', says: /INSERT/, why: 'deeper' }, // prettier-ignore
  { sql: 'SELECT 1 INTO x', code: 'READ_ONLY', says: /INTO/, why: 'creates a table' },
  { sql: 'SELECT 1 UNION (SELECT 2 FROM t FOR UPDATE)', code: 'READ_ONLY', says: /FOR UPDATE/, why: 'locks rows' },
  { sql: 'SELECT * FROM t FOR SHARE', code: 'READ_ONLY', says: /FOR SHARE/, why: 'locks rows' },
  { sql: 'EXPLAIN ANALYZE DELETE FROM t', code: 'READ_ONLY', says: /DELETE/, why: 'would run it' },
  { sql: 'EXPLAIN (ANALYZE) EXECUTE p', code: 'READ_ONLY', says: /EXECUTE/, why: 'runs what is not seen' },
  {
    sql: 'EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1',
    code: 'READ_ONLY',
    says: /CREATE TABLE AS/,
    why: 'would run it',
  },
  { sql: 'CREATE TEMP TABLE x (a int)', code: 'READ_ONLY', says: /CREATE TABLE/, why: 'a write' },
  { sql: 'COMMIT', code: 'READ_ONLY', says: /transaction control/, why: 'leaves the transaction' },
  { sql: 'SAVEPOINT a', code: 'READ_ONLY', says: /transaction control/, why: 'transaction control' },
  { sql: 'SET TRANSACTION READ WRITE', code: 'READ_ONLY', says: /SET/, why: 'switches the second line off' },
  { sql: 'SET ROLE postgres', code: 'READ_ONLY', says: /SET/, why: 'other rights' },
  { sql: 'RESET ALL', code: 'READ_ONLY', says: /RESET/, why: 'session state' },
  { sql: 'DISCARD ALL', code: 'READ_ONLY', says: /DISCARD/, why: 'session state' },
  { sql: 'PREPARE p AS DELETE FROM t', code: 'READ_ONLY', says: /PREPARE/, why: 'hides a write' },
  { sql: 'EXECUTE p', code: 'READ_ONLY', says: /EXECUTE/, why: 'runs what is not seen' },
  { sql: 'DECLARE c CURSOR FOR SELECT 1', code: 'READ_ONLY', says: /DECLARE CURSOR/, why: 'session state' },
  { sql: 'LISTEN c', code: 'READ_ONLY', says: /LISTEN/, why: 'session state' },
  { sql: 'LOCK TABLE t', code: 'READ_ONLY', says: /LOCK/, why: 'stops others' },
  { sql: 'DO $$ BEGIN END $$', code: 'READ_ONLY', says: /DO/, why: 'runs anything' },
  { sql: 'CALL p()', code: 'READ_ONLY', says: /CALL/, why: 'runs anything' },
  { sql: "COPY t TO PROGRAM 'id'", code: 'READ_ONLY', says: /COPY/, why: 'runs a program' },
  { sql: 'COPY (SELECT 1) TO STDOUT', code: 'READ_ONLY', says: /COPY/, why: 'another protocol' },
  { sql: 'VACUUM', code: 'READ_ONLY', says: /VACUUM/, why: 'maintenance' },
  { sql: "SELECT pg_read_file('/etc/passwd')", code: 'READ_ONLY', says: /reads files/, why: 'reads a file' },
  { sql: "SELECT * FROM pg_catalog.\"pg_read_file\"('/etc/passwd')", code: 'READ_ONLY', says: /reads files/, why: 'quoted' }, // prettier-ignore
  { sql: 'SELECT U&"pg\\005fread_file"(\'/etc/passwd\')', code: 'READ_ONLY', says: /reads files/, why: 'escaped' },
  { sql: "SELECT query_to_xml('SELECT 1', true, true, '')", code: 'READ_ONLY', says: /SQL text/, why: 'runs hidden SQL' }, // prettier-ignore
  { sql: 'SELECT pg_terminate_backend(1)', code: 'READ_ONLY', says: /other sessions/, why: 'ends others' },
  { sql: 'SELECT pg_advisory_lock(1)', code: 'READ_ONLY', says: /locks/, why: 'outlives the call' },
  { sql: "SELECT set_config('default_transaction_read_only', 'off', false)", code: 'READ_ONLY', says: /setting/, why: 'as SET' }, // prettier-ignore
  { sql: "SELECT nextval('s')", code: 'READ_ONLY', says: /sequence/, why: 'a write' },
  { sql: "SELECT lo_import('/etc/passwd')", code: 'READ_ONLY', says: /reads files/, why: 'reads a file' },
  { sql: "SELECT 'a\0b'", code: 'INVALID_ARGUMENT', says: /NUL/, why: 'the text would end there' },
  { sql: "SELECT '\ud800'", code: 'INVALID_ARGUMENT', says: /Unicode/, why: 'would be replaced silently' },
  { sql: `SELECT '${'x'.repeat(100_001)}'`, code: 'INVALID_ARGUMENT', says: /at most 100000/, why: 'too long' },
  { sql: `SELECT ${'('.repeat(12_000)}1${')'.repeat(12_000)}`, code: 'INVALID_ARGUMENT', says: /nested too deeply/, why: 'exhausts the parser' }, // prettier-ignore
  { sql: `SELECT ${'1+'.repeat(30_000)}1`, code: 'INVALID_ARGUMENT', says: /nested too deeply/, why: 'overflows the stack' }, // prettier-ignore
];

for (const { sql, code, says, why } of REFUSED) {
  test(`refused: ${JSON.stringify(sql.slice(0, 80))} (${why})`, async () => {
    const verdict = await classifyStatement(sql);
    assert.ok(verdict.kind === 'refused', 'it was allowed');
    assert.equal(verdict.code, code);
    assert.match(verdict.message, says);
  });
}

test('the parser works again after a statement that overflowed its stack', async () => {
  await classifyStatement(`SELECT ${'1+'.repeat(30_000)}1`);
  assert.equal((await classifyStatement('SELECT 1')).kind, 'allowed');
});

test('a syntax error is told with line, column and the offending word, counted in characters', async () => {
  const verdict = await classifyStatement("SELECT 'é😀',\n  x FORM y");
  assert.ok(verdict.kind === 'refused');
  assert.equal(verdict.code, 'SYNTAX_ERROR');
  assert.match(verdict.message, /at or near "y"/);
  assert.equal(verdict.where, 'line 2, column 10: x FORM y');
});

test('the second statement and a refused function are told with their place', async () => {
  const two = await classifyStatement("SELECT 'é';\nDROP TABLE t");
  assert.ok(two.kind === 'refused');
  assert.equal(two.where, 'line 2, column 1: DROP TABLE t');
  const call = await classifyStatement("SELECT 'é', pg_notify('a', 'b')");
  assert.ok(call.kind === 'refused');
  assert.equal(call.where, 'line 1, column 13');
});

test('the highest parameter is found wherever it stands', async () => {
  const verdict = await classifyStatement('EXPLAIN SELECT $1 FROM (SELECT $7::int) x WHERE a IN ($2, $3)');
  assert.ok(verdict.kind === 'allowed');
  assert.equal(verdict.parameters, 7);
});

test('invisible characters are found beside form feeds and other control characters', async () => {
  assert.equal((await classifyStatement("SELECT\f'\u200b\v\x01'\r\n")).kind, 'allowed');
  const verdict = await classifyStatement("SELECT\f'\v\x01', na\u200bme");
  assert.ok(verdict.kind === 'refused');
  assert.equal(verdict.where, 'line 1, column 16');
});

test('the verdicts on the last hundred statements are remembered, and no more', async () => {
  const first = await classifyStatement('SELECT 1 AS remembered');
  assert.equal(await classifyStatement('SELECT 1 AS remembered'), first);
  for (let n = 0; n < 100; n++) await classifyStatement(`SELECT ${n} AS other`);
  const again = await classifyStatement('SELECT 1 AS remembered');
  assert.notEqual(again, first);
  assert.deepEqual(again, first);
});
