/** The SQL text around every statement of a client. */

/** Opening and rolling back a transaction may take this long before the connection is given up. */
export const CONTROL_TIMEOUT_MS = 2_000;
/** A lock that another session holds is waited for this long. */
const LOCK_TIMEOUT_MS = 5_000;
/** A little under the deadline, in case that the cancel request does not get through. */
const STATEMENT_SHARE = 0.95;
const MIN_STATEMENT_TIMEOUT_MS = 50;

const BEGIN_READ_ONLY = 'BEGIN TRANSACTION READ ONLY';

/** Begins the transaction of a write, whatever is the default of the role or the database. */
export const BEGIN_READ_WRITE = 'BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE';

/** The database's own limit of a statement for a call's deadline. */
export function toStatementTimeout(deadlineMs: number): number {
  return Math.max(MIN_STATEMENT_TIMEOUT_MS, Math.floor(deadlineMs * STATEMENT_SHARE));
}

type Settings = Readonly<Record<string, string>>;

/** Limits, and the forms of answers: what is set for the role or the database must not change them. */
function toSettings(deadlineMs: number): Settings {
  return {
    statement_timeout: String(toStatementTimeout(deadlineMs)),
    lock_timeout: String(Math.min(LOCK_TIMEOUT_MS, Math.floor(deadlineMs / 2))),
    idle_in_transaction_session_timeout: String(deadlineMs + CONTROL_TIMEOUT_MS),
    datestyle: 'ISO',
    intervalstyle: 'postgres',
    bytea_output: 'hex',
    extra_float_digits: '1',
    standard_conforming_strings: 'on',
  };
}

/**
 * Sets them for a whole session, which costs a call nothing (in each transaction they cost as much as `SELECT 1` twice).
 * Behind a pooler the next transaction may have another session: there the back end's own number is not the one that was
 * told at the start, nothing is set, and no row comes.
 */
export function toSessionSettingsSql(deadlineMs: number, backEndPid: number): string {
  const rows = Object.entries(toSettings(deadlineMs)).map(([name, value]) => `('${name}', '${value}')`);
  return `SELECT pg_catalog.set_config(name, value, false) FROM (VALUES ${rows.join(', ')}) AS setting (name, value)
    WHERE pg_catalog.pg_backend_pid() = ${backEndPid}`;
}

/** Begins the transaction of a statement: what is set for it alone, and what its session lacks. */
export function toSetUp(
  deadlineMs: number,
  holdsSettings: boolean,
  more: Settings = {},
  begin = BEGIN_READ_ONLY,
): string[] {
  const calls = Object.entries(holdsSettings ? more : { ...toSettings(deadlineMs), ...more }).map(
    ([name, value]) => `pg_catalog.set_config('${name}', '${value}', true)`,
  );
  return calls.length === 0 ? [begin] : [begin, `SELECT ${calls.join(', ')}`];
}

/** A cursor is planned for its first rows unless it is told that all are wanted; a page must come from the same plan. */
export const CURSOR_SETTINGS = { cursor_tuple_fraction: '1' } as const;

/** In a database without an encoding Postgres would refuse to send bytes that are not UTF-8. */
export const SQL_ASCII_SETTINGS = { client_encoding: 'SQL_ASCII' } as const;

/**
 * A rollback undoes everything of a reading session but prepared statements and session-level advisory locks. In a
 * session that a pooler shares, the prepared statements are those of its other clients (PgBouncer before 1.22 does not
 * notice when they are gone), so they are left alone there.
 */
export function toCleanUpSql(isOwnSession: boolean): string {
  return `ROLLBACK; ${isOwnSession ? 'DEALLOCATE ALL; ' : ''}SELECT pg_catalog.pg_advisory_unlock_all()`;
}
