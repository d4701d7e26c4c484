/**
 * For the fuzz test: statements that have an effect, in the open or disguised. Each must be refused, whatever stands
 * around it.
 */
import type { AccessMode } from '../function-policy.ts';
import type { Dice } from './dice.ts';

/** Whom and what the hostile statements are aimed at. */
export interface FuzzTargets {
  /** Of the tool that they are sent to. */
  mode: AccessMode;
  /** A session of somebody else. */
  victimPid: number;
  /** A folder in which the database server may write. */
  folder: string;
  /** A large object. */
  largeObject: number;
  /** How the database connects to itself. */
  connection: string;
}

/** Statements with an effect, of every kind that Postgres has. */
export function hostileCommand(dice: Dice, { folder, connection }: FuzzTargets): string {
  const file = `'${folder}/${dice.below(1_000_000)}'`;
  return dice.pick([
    "INSERT INTO stock VALUES (99, 'x', 1)",
    'UPDATE stock SET price = price + 1',
    'DELETE FROM stock',
    'MERGE INTO stock USING (VALUES (1)) v (a) ON id = a WHEN MATCHED THEN DELETE',
    'TRUNCATE stock',
    'DROP TABLE stock CASCADE',
    'CREATE TABLE pwn (a int)',
    'CREATE TEMP TABLE pwn (a int)',
    'CREATE TABLE pwn AS SELECT 1',
    'SELECT 1 AS a INTO pwn',
    'ALTER TABLE stock ADD COLUMN pwn int',
    'CREATE INDEX ON stock (name)',
    'SELECT * FROM stock FOR UPDATE',
    'SELECT * FROM stock FOR KEY SHARE SKIP LOCKED',
    `COPY stock TO ${file}`,
    `COPY (SELECT 1) TO PROGRAM 'touch ${folder}/program'`,
    'COPY stock FROM STDIN',
    'COPY stock TO STDOUT',
    `DO $do$ BEGIN COPY stock TO ${file}; END $do$`,
    `DO LANGUAGE unsafe $do$ BEGIN COPY stock TO ${file}; END $do$`,
    'CALL write_it()',
    'COMMIT',
    'ROLLBACK',
    'BEGIN',
    'SAVEPOINT a',
    "PREPARE TRANSACTION 'a'",
    'SET TRANSACTION READ WRITE',
    'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE',
    'SET default_transaction_read_only = off',
    'SET ROLE mcp_reader',
    'RESET ALL',
    'DISCARD ALL',
    "ALTER SYSTEM SET work_mem = '8MB'",
    'ALTER ROLE mcp_reader SUPERUSER',
    'CREATE ROLE pwn SUPERUSER',
    'GRANT ALL ON stock TO PUBLIC',
    'CREATE EXTENSION hstore SCHEMA other',
    "CREATE FUNCTION pwn() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    'PREPARE q AS DELETE FROM stock',
    'EXECUTE q',
    'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
    'LISTEN fuzz',
    "NOTIFY fuzz, 'x'",
    'LOCK TABLE stock IN ACCESS EXCLUSIVE MODE',
    'VACUUM stock',
    'ANALYZE stock',
    'REINDEX TABLE stock',
    'CHECKPOINT',
    "COMMENT ON TABLE stock IS 'x'",
    'REFRESH MATERIALIZED VIEW kept',
    'REFRESH MATERIALIZED VIEW setting',
    "LOAD 'plpgsql'",
    `SELECT dblink_exec('${connection}', 'DELETE FROM stock')`,
  ]);
}

/** Calls with an effect; the name is kept apart, so that it can be disguised. */
function hostileCall(dice: Dice, targets: FuzzTargets): readonly [name: string, args: string] {
  const { mode, victimPid, folder, largeObject, connection } = targets;
  const copy = `COPY stock TO ''${folder}/${dice.below(1_000_000)}''`;
  return dice.pick([
    // What is drawn from a sequence in a write is allowed.
    mode === 'read' ? ['nextval', "'counter'"] : ['setval', "'counter', 78"],
    ['setval', "'counter', 77"],
    ['pg_notify', "'fuzz', 'x'"],
    ['pg_advisory_lock', '7'],
    ['pg_try_advisory_lock_shared', '7, 8'],
    ['pg_terminate_backend', String(victimPid)],
    ['pg_cancel_backend', String(victimPid)],
    ['set_config', "'default_transaction_read_only', 'off', false"],
    ['setseed', '0.5'],
    ['lo_from_bytea', "0, 'x'"],
    ['lo_unlink', String(largeObject)],
    ['lo_put', `${largeObject}, 0, 'pwn'`],
    ['lo_export', `${largeObject}, '${folder}/object'`],
    ['lo_import', "'PG_VERSION'"],
    ['pg_read_file', "'PG_VERSION'"],
    ['pg_ls_dir', "'.'"],
    ['pg_reload_conf', ''],
    ['pg_stat_reset', ''],
    ['pg_switch_wal', ''],
    ['pg_create_restore_point', "'x'"],
    ['pg_logical_emit_message', "false, 'a', 'b'"],
    ['pg_export_snapshot', ''],
    ['query_to_xml', `'SELECT pg_notify(''a'', ''b'')', true, true, ''`],
    ['ts_stat', "'SELECT pg_reload_conf()::text::tsvector'"],
    ['dblink', `'${connection}', 'DELETE FROM stock RETURNING 1'`],
    ['dblink_exec', `'${connection}', 'DELETE FROM stock'`],
    ['run_sql', `'${copy}'`],
    ['run_sql', "'SELECT pg_reload_conf()'"],
    ['leave_file', `'${folder}/left${dice.below(1_000_000)}'`],
    ['leave_file_as_definer', `'${folder}/definer${dice.below(1_000_000)}'`],
    ['leave_file_unsafely', `'${folder}/unsafe${dice.below(1_000_000)}'`],
    ['all_left', `'${folder}/aggregate${dice.below(1_000_000)}'`],
  ] as const);
}

/** Expressions with an effect that no function name shows. */
export function hostileExpression(dice: Dice, targets: FuzzTargets): string {
  const file = `'${targets.folder}/${dice.below(1_000_000)}'`;
  if (dice.chance(0.75)) {
    const [name, args] = hostileCall(dice, targets);
    return `${disguiseName(dice, name)}${gap(dice)}(${args})`;
  }
  return dice.pick([
    `(${file} <~~ 'x')`,
    `(${file} OPERATOR(public.<~~) 'x')`,
    `(${file}::text::leaving)`,
    `CAST(${file}::text AS ${dice.pick(['leaving', 'public."leaving"', 'U&"le\\0061ving"'])})`,
    `(${file}::checking)`,
    `(${file}::${dice.pick(['checking_below', 'public.checking_below'])})`,
    `(ROW(${file})::checking_row)`,
    `(SELECT r.path FROM json_to_record(json_build_object('path', ${file})) AS r (path checking_below))`,
    `(SELECT t.leave_row FROM (SELECT ROW(${file})::leaving_row AS t) s)`,
    '(SELECT told::text FROM leaving_view)',
    '(SELECT count(*) FROM behind_view)',
    '(SELECT type FROM pg_hba_file_rules LIMIT 1)',
    `(SELECT 1 FROM public.remote)`,
  ]);
}

/** The same name, written otherwise. */
function disguiseName(dice: Dice, name: string): string {
  const isBuiltIn = !/^(dblink|run_sql|leave|all_left)/.test(name);
  const schema = dice.chance(0.3) ? (isBuiltIn ? 'pg_catalog' : 'public') : '';
  const written = dice.pick([
    () => name,
    () => name.toUpperCase(),
    () => [...name].map((letter) => (dice.chance(0.5) ? letter.toUpperCase() : letter)).join(''),
    () => `"${name}"`,
    () => `U&"${escapeLetters(dice, name, '\\')}"`,
    () => `U&"${escapeLetters(dice, name, '!')}" UESCAPE '!'`,
  ])();
  return schema === '' ? written : `${schema}${gap(dice)}.${gap(dice)}${written}`;
}

function escapeLetters(dice: Dice, name: string, sign: string): string {
  return [...name]
    .map((letter) => {
      if (dice.chance(0.5)) return letter;
      const code = letter.codePointAt(0)?.toString(16) ?? '';
      return dice.chance(0.5) ? sign + code.padStart(4, '0') : `${sign}+${code.padStart(6, '0')}`;
    })
    .join('');
}

/** What may stand between two tokens. */
function gap(dice: Dice): string {
  if (dice.chance(0.6)) return '';
  return dice.pick([
    ' ',
    '\n',
    '\t',
    '/**/',
    '/* SELECT */',
    '/* /* nested */ ; */',
    '-- ;\n',
    " /* ' */ ",
    '\f',
    '/*$$*/',
  ]);
}

/** An expression anywhere in a query. */
export function queryAround(dice: Dice, expression: string, depth: number): string {
  const query = dice.pick([
    `SELECT ${expression}`,
    `SELECT (${expression})::text AS a`,
    `SELECT 1 AS a FROM stock WHERE (${expression}) IS NULL`,
    `SELECT id FROM stock ORDER BY (${expression})::text`,
    `SELECT id FROM stock LIMIT (SELECT length((${expression})::text))`,
    `SELECT count(*) FILTER (WHERE (${expression}) IS NOT NULL) FROM stock`,
    `SELECT sum(id) OVER (PARTITION BY (${expression})::text) FROM stock`,
    `SELECT max(id) FROM stock GROUP BY (${expression})::text`,
    `SELECT count(*) FROM stock HAVING count((${expression})::text) >= 0`,
    `VALUES ((${expression})::text)`,
    `SELECT CASE WHEN true THEN (${expression})::text ELSE 'x' END`,
    `SELECT coalesce((${expression})::text, 'x')`,
    `SELECT ARRAY[(${expression})::text]`,
    `SELECT ROW(1, ${expression})`,
    `SELECT json_build_object('a', (${expression})::text)`,
    `SELECT id FROM stock s JOIN stock t USING (id) WHERE EXISTS (SELECT ${expression})`,
    `SELECT 1 WHERE 'x' IN (SELECT (${expression})::text)`,
    `SELECT * FROM stock s LEFT JOIN LATERAL (SELECT ${expression} AS x) l ON true`,
    `SELECT * FROM generate_series(1, length((${expression})::text)) g`,
    `SELECT 1 UNION ALL (SELECT length((${expression})::text))`,
    `WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + length((${expression})::text) FROM r WHERE n < 2) SELECT n FROM r`,
  ]);
  if (depth <= 0 || dice.chance(0.5)) return query;
  return queryAround(dice, `(SELECT count(*) FROM (${query}) AS "q ${depth}")`, depth - 1);
}

/** A command in the open, behind something, or as a part of something. */
export function commandAround(dice: Dice, command: string): string {
  const returning = /^(INSERT|UPDATE|DELETE)/.test(command) ? `${command} RETURNING *` : command;
  return dice.pick([
    command,
    `${gap(dice)}${command}${dice.pick(['', ';', ' ;', ';;', '; -- x', ' -- ;', '/* */'])}`,
    `/* SELECT */ ${command}`,
    `-- SELECT 1;\n${command}`,
    `SELECT 1;${gap(dice)}${command}`,
    `${command};SELECT 1`,
    `COMMIT; ${command}`,
    `BEGIN; ${command}; COMMIT`,
    `SELECT E'\\''; ${command}; SELECT 1 --'`,
    `SELECT $$;$$;${command}`,
    `SELECT $a$ $b$ $a$; ${command} -- $b$`,
    `SELECT '--';\n${command}`,
    `SELECT "a;b" FROM (SELECT 1 AS "a;b") x; ${command}`,
    `SELECT 1 /* /* */ ; */; ${command}`,
    `EXPLAIN ANALYZE ${command}`,
    `EXPLAIN (VERBOSE, ANALYZE) ${command}`,
    `EXPLAIN (ANALYZE false, ANALYZE true, FORMAT json) ${command}`,
    `WITH d AS (${returning}) SELECT * FROM d`,
    `WITH a AS (SELECT 1), b AS (${returning}) SELECT * FROM a`,
    `SELECT * FROM (WITH d AS (${returning}) SELECT * FROM d) x`,
    `PREPARE q AS ${command}`,
    `DO $x$ BEGIN ${command}; END $x$`,
    `COPY (${returning}) TO STDOUT`,
    `CREATE TABLE pwn AS ${command}`,
    `CREATE SCHEMA pwn ${command}`,
    `\u00a0${command}`,
    `SET ROLE postgres; ${command}`,
  ]);
}

/** One of them. */
export function hostileStatement(dice: Dice, targets: FuzzTargets): string {
  if (dice.chance(0.3)) return commandAround(dice, hostileCommand(dice, targets));
  const query = queryAround(dice, hostileExpression(dice, targets), dice.below(4));
  return dice.pick([
    query,
    query,
    `${gap(dice)}${query}${gap(dice)};`,
    `EXPLAIN ANALYZE ${query}`,
    `WITH w AS MATERIALIZED (${query}) SELECT * FROM w`,
    `SELECT * FROM (${query}) AS s`,
    `(${query})`,
  ]);
}
