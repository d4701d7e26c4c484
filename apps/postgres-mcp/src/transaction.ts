/** The SQL text around every statement of a client. */

/** Opening and rolling back a transaction may take this long before the connection is given up. */
export const CONTROL_TIMEOUT_MS = 2_000;
/** A lock that another session holds is waited for this long. */
const LOCK_TIMEOUT_MS = 5_000;
/** A little under the deadline, in case that the cancel request does not get through. */
const STATEMENT_SHARE = 0.95;
const MIN_STATEMENT_TIMEOUT_MS = 50;

/** The database's own limit of a statement for a call's deadline. */
export function toStatementTimeout(deadlineMs: number): number {
  return Math.max(MIN_STATEMENT_TIMEOUT_MS, Math.floor(deadlineMs * STATEMENT_SHARE));
}

/** Opens the transaction; what is set for the role or the database must not change the form of the answers. */
export function toSetUpSql(deadlineMs: number): string {
  const settings: Record<string, string> = {
    statement_timeout: String(toStatementTimeout(deadlineMs)),
    lock_timeout: String(Math.min(LOCK_TIMEOUT_MS, Math.floor(deadlineMs / 2))),
    idle_in_transaction_session_timeout: String(deadlineMs + CONTROL_TIMEOUT_MS),
    datestyle: 'ISO',
    intervalstyle: 'postgres',
    bytea_output: 'hex',
    extra_float_digits: '1',
    standard_conforming_strings: 'on',
  };
  const statements = Object.entries(settings).map(([name, value]) => `SET LOCAL ${name} = '${value}'`);
  return ['BEGIN TRANSACTION READ ONLY', ...statements].join('; ');
}

/** Session-level advisory locks are the one thing of a reading session that a rollback does not undo. */
export const CLEAN_UP_SQL = 'ROLLBACK; SELECT pg_catalog.pg_advisory_unlock_all()';
