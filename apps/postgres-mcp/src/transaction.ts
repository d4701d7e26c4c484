/** The SQL text around every statement of a client. */

/** Opening and rolling back a transaction may take this long before the connection is given up. */
export const CONTROL_TIMEOUT_MS = 2_000;
/** A lock that another session holds is waited for this long. */
const LOCK_TIMEOUT_MS = 5_000;
/** A little under the deadline, in case that the cancel request does not get through. */
const STATEMENT_SHARE = 0.95;
const MIN_STATEMENT_TIMEOUT_MS = 50;

/** Begins the transaction of a statement that may only read. */
export const BEGIN_READ_ONLY = 'BEGIN TRANSACTION READ ONLY';

/** The database's own limit of a statement for a call's deadline. */
export function toStatementTimeout(deadlineMs: number): number {
  return Math.max(MIN_STATEMENT_TIMEOUT_MS, Math.floor(deadlineMs * STATEMENT_SHARE));
}

/**
 * Sets limits and forms of answers for one transaction: what is set for the role or the database must not change them,
 * and behind a pooler the next transaction may have another connection of the database.
 */
export function toSettingsSql(deadlineMs: number, more: Readonly<Record<string, string>> = {}): string {
  const settings: Record<string, string> = {
    statement_timeout: String(toStatementTimeout(deadlineMs)),
    lock_timeout: String(Math.min(LOCK_TIMEOUT_MS, Math.floor(deadlineMs / 2))),
    idle_in_transaction_session_timeout: String(deadlineMs + CONTROL_TIMEOUT_MS),
    datestyle: 'ISO',
    intervalstyle: 'postgres',
    bytea_output: 'hex',
    extra_float_digits: '1',
    standard_conforming_strings: 'on',
    ...more,
  };
  const calls = Object.entries(settings).map(([name, value]) => `pg_catalog.set_config('${name}', '${value}', true)`);
  return `SELECT ${calls.join(', ')}`;
}

/** A cursor is planned for its first rows unless it is told that all are wanted; a page must come from the same plan. */
export const CURSOR_SETTINGS = { cursor_tuple_fraction: '1' } as const;

/** In a database without an encoding Postgres would refuse to send bytes that are not UTF-8. */
export const SQL_ASCII_SETTINGS = { client_encoding: 'SQL_ASCII' } as const;

/** A rollback undoes everything of a reading session but prepared statements and session-level advisory locks. */
export const CLEAN_UP_SQL = 'ROLLBACK; DEALLOCATE ALL; SELECT pg_catalog.pg_advisory_unlock_all()';
