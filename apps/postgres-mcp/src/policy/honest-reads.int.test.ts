/** What people ask of a database every day must run: on the sample data, as a superuser and as a role that only reads. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { loadSampleData, startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { openTools, type OpenTools } from '../test-tools.ts';

let server: EmbeddedPostgres;
const tools = new Map<string, OpenTools>();

before(async () => {
  server = await startPostgres();
  await loadSampleData({ postgresAdminUrl: server.adminUrl });
  tools.set('superuser', openTools(server.adminUrl)).set('reader', openTools(server.url));
});

after(async () => {
  for (const { database } of tools.values()) await database.close();
  await server.stop();
});

const READS: { sql: string; why: string }[] = [
  { sql: 'SELECT count(*), avg(area_km2)::numeric(12,2), max(name) FROM country', why: 'aggregates' },
  { sql: 'SELECT landlocked, count(*) FROM country GROUP BY ROLLUP (landlocked)', why: 'grouping sets' },
  { sql: 'SELECT name, rank() OVER (ORDER BY area_km2 DESC NULLS LAST) FROM country LIMIT 5', why: 'a window' },
  {
    sql: 'SELECT name, lag(name) OVER w FROM country WINDOW w AS (ORDER BY name ROWS 2 PRECEDING) LIMIT 3',
    why: 'a frame',
  },
  { sql: 'SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY area_km2) FROM country', why: 'an ordered-set aggregate' },
  { sql: "SELECT string_agg(cca3, ',' ORDER BY cca3) FILTER (WHERE landlocked) FROM country", why: 'a filter' },
  {
    sql: 'SELECT DISTINCT ON (landlocked) landlocked, name FROM country ORDER BY landlocked, area_km2 DESC',
    why: 'DISTINCT ON',
  },
  {
    sql: 'SELECT a.name FROM country a WHERE NOT EXISTS (SELECT FROM border b WHERE b.country = a.cca3) LIMIT 3',
    why: 'an anti-join',
  },
  { sql: "SELECT name FROM country WHERE name ILIKE 'sw%' OR name ~ '^Li' OR name SIMILAR TO 'Aus%'", why: 'patterns' },
  {
    sql: "SELECT name FROM country WHERE area_km2 BETWEEN 100 AND 1000 AND cca3 IN ('LIE', 'AND')",
    why: 'BETWEEN and IN',
  },
  {
    sql: 'SELECT c.name FROM country c JOIN LATERAL (SELECT count(*) AS n FROM border WHERE country = c.cca3) b ON n > 8',
    why: 'LATERAL',
  },
  {
    sql: 'WITH RECURSIVE near (code, hops) AS (SELECT $$CHE$$::text, 0 UNION SELECT b.neighbour, hops + 1 FROM near JOIN border b ON b.country = near.code WHERE hops < 2) SELECT count(*) FROM near',
    why: 'a recursive walk',
  },
  {
    sql: "SELECT date_trunc('month', d), count(*) FROM generate_series(date '2024-01-01', '2024-03-31', '1 day') d GROUP BY 1 ORDER BY 1",
    why: 'a series of dates',
  },
  {
    sql: "SELECT now() - interval '1 day', age(date '2020-01-01'), extract(epoch FROM now()) > 0, to_char(now(), 'IYYY-IW')",
    why: 'times',
  },
  {
    sql: `SELECT '{"a": [1, {"b": 2}]}'::jsonb #>> '{a,1,b}', jsonb_path_query('[1, 2, 3]', '$[*] ? (@ > 1)')`,
    why: 'JSON',
  },
  { sql: 'SELECT key, value FROM jsonb_each_text(\'{"a": 1}\')', why: 'JSON in FROM' },
  {
    sql: "SELECT * FROM unnest(ARRAY['a', 'b'], ARRAY[1, 2]) WITH ORDINALITY AS t (a, b, n)",
    why: 'arrays side by side',
  },
  { sql: "SELECT to_tsvector('english', 'quick foxes') @@ plainto_tsquery('english', 'fox')", why: 'full text' },
  { sql: "SELECT ts_headline('english', 'quick foxes run', to_tsquery('english', 'fox'))", why: 'a headline' },
  {
    sql: "SELECT int4range(1, 5) && int4range(4, 9), point(1, 2) <-> point(3, 4), inet '10.0.0.1' << inet '10.0.0.0/8'",
    why: 'operators of many types',
  },
  { sql: 'SELECT * FROM country TABLESAMPLE BERNOULLI (50) REPEATABLE (7) LIMIT 2', why: 'a repeatable sample' },
  { sql: 'SELECT ctid, xmin, tableoid::regclass, pg_column_size(c) FROM country c LIMIT 1', why: 'system columns' },
  {
    sql: "SELECT pg_get_viewdef(c.oid), obj_description(c.oid), pg_get_userbyid(relowner) FROM pg_class c WHERE relkind = 'v' LIMIT 1",
    why: 'definitions',
  },
  {
    sql: "SELECT pg_get_indexdef(indexrelid), pg_relation_size(indexrelid) FROM pg_index WHERE indrelid = 'country'::regclass",
    why: 'indexes',
  },
  { sql: "SELECT has_table_privilege('country', 'SELECT'), pg_has_role(current_user, 'USAGE')", why: 'rights' },
  { sql: 'SELECT schemaname, relname, n_live_tup, last_autovacuum FROM pg_stat_user_tables', why: 'statistics' },
  {
    sql: "SELECT pid, state, wait_event_type, pg_blocking_pids(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'",
    why: 'sessions',
  },
  { sql: 'SELECT locktype, relation::regclass, mode, granted FROM pg_locks WHERE relation IS NOT NULL', why: 'locks' },
  { sql: 'SELECT checkpoints_timed FROM (SELECT 1 AS checkpoints_timed) x', why: 'a name of the catalog as a column' },
  { sql: 'SELECT pg_is_in_recovery(), pg_postmaster_start_time() < now(), version() IS NOT NULL', why: 'the server' },
  {
    sql: 'SELECT count(*) FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)',
    why: 'the standard catalog',
  },
  {
    sql: 'SELECT md5(name), sha256(name::bytea), encode(convert_to(name, $$UTF8$$), $$base64$$) FROM country LIMIT 1',
    why: 'digests',
  },
  {
    sql: 'SELECT CASE landlocked WHEN true THEN 1 ELSE 0 END, nullif(name, $$x$$), greatest(1, 2), coalesce(NULL, 1) FROM country LIMIT 1',
    why: 'conditions',
  },
  { sql: 'SELECT name FROM country EXCEPT SELECT name FROM country WHERE landlocked ORDER BY 1 LIMIT 2', why: 'sets' },
  { sql: 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM country WHERE cca3 = $$CHE$$', why: 'a measured plan' },
  {
    sql: "SELECT 'INSERT INTO x; DROP TABLE y; COMMIT' AS note, $$EXECUTE 'DELETE'$$ AS body /* nextval('s') */ -- pg_read_file('x')",
    why: 'words as data',
  },
  { sql: 'SELECT 1 AS "drop", 2 AS "pg_read_file", 3 AS "nextval"', why: 'words as names' },
  { sql: 'SELECT "drop".x FROM (SELECT 1 AS x) AS "drop"', why: 'a word as a table' },
  {
    sql: 'SELECT t.setval, t.lo_import, t.dblink FROM (SELECT 1 AS setval, 2 AS lo_import, 3 AS dblink) t',
    why: 'columns with the names of refused functions',
  },
];

for (const role of ['superuser', 'reader']) {
  for (const { sql, why } of READS) {
    test(`a ${role} may ask: ${sql.slice(0, 80)} (${why})`, async () => {
      const { columns } = (await tools.get(role)?.call('query', { sql })) ?? assert.fail();
      assert.ok(columns.length > 0);
    });
  }
}
