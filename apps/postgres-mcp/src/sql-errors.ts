/** Maps what the driver throws to the shared error codes, in the words of the person who wrote the statement. */
import { ToolError, type ErrorCode, type Failure } from '@database-mcp/errors';
import { CURSOR_PREFIX } from './connection/statement-exchange.ts';
import type { Statement } from './statement.ts';
import { describePosition } from './sql-position.ts';
import { toStatementTimeout } from './transaction.ts';

/** The fields of an error that Postgres sent (protocol §"Error and Notice Message Fields"); all are optional to us. */
interface PostgresError extends Error {
  code?: string;
  detail?: string;
  hint?: string;
  position?: string;
  severity?: string;
}

/** A relation that does not exist; the caller can look for one with a similar name. */
export class UnknownRelationError extends ToolError {
  readonly relation: string;

  constructor(relation: string, failure: Failure, options: { cause: unknown }) {
    super(failure, options);
    this.relation = relation;
  }
}

const CANNOT_BE_REACHED = 'The Postgres database cannot be reached';
const TRY_LATER = 'Try again in a moment; if it stays so, the operator should check the database and the server log.';

const ARRAY_HINT = 'Pass a JSON array in params: [1, 2]; arrays inside of it must all have the same length.';

/** SQLSTATE or its class (first two characters) → code and hint. Exact states win over classes. */
const STATES: Readonly<Record<string, readonly [code: ErrorCode, hint?: string]>> = {
  '42601': ['SYNTAX_ERROR', 'Correct it there, in the SQL of PostgreSQL.'],
  '42P01': ['NOT_FOUND', 'The list_tables tool shows what there is.'],
  '42703': ['NOT_FOUND', 'The describe_table tool shows the columns.'],
  '42883': ['NOT_FOUND', 'Check the name and the types of the arguments; a cast such as $1::int may be missing.'],
  '42704': ['NOT_FOUND'],
  '3F000': ['NOT_FOUND', 'The list_tables tool shows the schemas.'],
  '42501': ['PERMISSION_DENIED', 'The operator has to grant this to the database role of the server.'],
  '25006': ['READ_ONLY', 'This server only reads; nothing was changed.'],
  '42P18': ['QUERY_FAILED', 'Give the parameter a type: $1::text.'],
  '42P02': ['INVALID_ARGUMENT', 'Pass a value in params for each $n.'],
  '08P01': ['INVALID_ARGUMENT', 'Pass a value in params for each $n.'],
  '55P03': ['BUSY', 'Another session holds a lock on it. Try again soon.'],
  '40P01': ['BUSY', 'Try again.'],
  // In a transaction of ours mostly of a standby that had to apply a change to what the statement still needed.
  '40001': [
    'BUSY',
    'Try again. If a standby often has to end queries, the operator can set hot_standby_feedback or a larger max_standby_streaming_delay on it.',
  ],
  // Said for a statement that builds a value over 1 GB, but also for chr(0).
  '54000': ['QUERY_FAILED'],
  '54': ['TOO_LARGE', 'Ask for less at once: fewer columns, shorter values, a simpler statement.'],
  '53': ['BUSY', 'The database is short of a resource. Ask for less, or try again later.'],
};

/** Maps what a read rejects with; what is not the database's doing stays as it is. `statement` is for line and column. */
export function toReadError(
  error: unknown,
  statement: Pick<Statement, 'sql' | 'prefix' | 'skip'>,
  time: { deadlineMs: number; tookMs: number },
): unknown {
  if (error instanceof ToolError || !(error instanceof Error)) return error;
  if (isConnectionError(error)) return toConnectionError(error);
  const { code: state = '' } = error as PostgresError;
  // 57014 is said for the statement timeout, our cancel request and an administrator's alike.
  if (state === '57014' && time.tookMs >= toStatementTimeout(time.deadlineMs) * 0.9)
    return timeoutError(time.deadlineMs);
  return /^[0-9A-Z]{5}$/.test(state) ? toStatementError(error, state, statement) : error;
}

function timeoutError(deadlineMs: number): ToolError {
  return new ToolError({
    code: 'TIMEOUT',
    message: `The statement took longer than ${deadlineMs / 1000} s and was ended.`,
    hint: 'Narrow it (fewer rows, a more selective condition), or ask the operator for a larger MCP_TIMEOUT_MS.',
  });
}

/** The SQLSTATE of an error that was mapped. */
export function stateOf(error: unknown): string | undefined {
  const { code = '' } = ((error instanceof ToolError ? error.cause : error) ?? {}) as PostgresError;
  // EPIPE has five letters too.
  return /^(?!E[A-Z]{4}$)[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

function toStatementError(
  error: PostgresError,
  state: string,
  { sql, prefix = '', skip = 0 }: Pick<Statement, 'sql' | 'prefix' | 'skip'>,
): ToolError {
  const { message, detail, hint } = error;
  const before = prefix.length + (skip > 0 ? CURSOR_PREFIX.length : 0);
  const position = error.position === undefined ? undefined : Number(error.position) - before;
  const [code, ownHint] = STATES[state] ?? STATES[state.slice(0, 2)] ?? (['QUERY_FAILED'] as const);
  const failure: Failure = {
    code,
    message: `${message}${detail ? ` (${detail})` : ''} [SQLSTATE ${state}]`,
    where: describePosition(sql, position),
    hint: hint ?? ownHint ?? (state === '22P02' && message.includes('array') ? ARRAY_HINT : undefined),
  };
  const relation = state === '42P01' ? /["«»„“](.+)["«»“”]/.exec(message)?.[1] : undefined;
  if (relation !== undefined) return new UnknownRelationError(relation, failure, { cause: error });
  return new ToolError(failure, { cause: error });
}

/** Whether the error is about the connection and not about the statement. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof ToolError) return false;
  const { code = '', severity } = error as PostgresError;
  // 08: connection exceptions, but 08P01 is what a wrong number of parameters gets. 57P: shutdown, crash, starting up.
  if (/^08(?!P01)|^57P0/.test(code) || severity === 'FATAL') return true;
  return /^E[A-Z]+$/.test(code) || /^Connection terminated|timeout expired|Client has encountered/.test(error.message);
}

/** Codes of Node and OpenSSL for a certificate that is not trusted. */
const UNTRUSTED = /^(SELF_SIGNED|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY)|CERT_UNTRUSTED)/;

/** Why a connection cannot be had, by SQLSTATE or error number; never with the address. */
const CONNECTION_REASONS: readonly (readonly [RegExp, string])[] = [
  [/^28000/, 'it accepts no such connection: user, database, address and sslmode together (pg_hba.conf)'],
  [/^28/, 'it refuses the user or the password'],
  [/^3D000/, 'the database of that name does not exist there'],
  [/^53300/, 'it has no free connection slots'],
  [/^57P03/, 'it is starting up, shutting down or in recovery'],
  [/^57P0/, 'it ended the connection'],
  [/^ECONNREFUSED/, 'nothing answers at its address'],
  [/^ENOENT/, 'there is no socket of that name'],
  [/^(ENOTFOUND|EAI_AGAIN)/, 'its host name is not known'],
  [/^(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/, 'there is no answer from its address'],
  [/^42501/, 'the role may not connect to it'],
  [UNTRUSTED, 'its certificate is not signed by an authority that is trusted; check sslrootcert'],
  [/^ERR_TLS_CERT_ALTNAME/, 'its certificate is for another host name, which sslmode=verify-full does not allow'],
  [/^CERT_(HAS_EXPIRED|NOT_YET_VALID)/, 'its certificate is not valid at this time'],
  [/^WRONG_SESSION/, 'none of its hosts is what target_session_attrs asks for'],
];

/** Maps an error of connecting, or of a connection that broke. */
export function toConnectionError(error: unknown): ToolError {
  const { code = '', message = '' } = (error ?? {}) as PostgresError;
  const known = CONNECTION_REASONS.find(([pattern]) => pattern.test(code))?.[1];
  const reason = known ?? describeByMessage(message);
  return new ToolError(
    {
      code: isLackOfSlots(error) ? 'BUSY' : 'UNAVAILABLE',
      message: `${CANNOT_BE_REACHED}: ${reason}${code ? ` (${code})` : ''}.`,
      hint: TRY_LATER,
    },
    { cause: error },
  );
}

function describeByMessage(message: string): string {
  if (message.includes('timeout')) return 'it did not answer in time';
  if (message.includes('does not support SSL')) return 'it offers no TLS, which sslmode asks for';
  if (isTlsText(message)) return 'the encrypted connection failed; check sslmode';
  if (message.startsWith('SASL') || message.includes('password')) return 'it asks for a password that is not set';
  return 'the connection broke';
}

const isTlsText = (message: string): boolean => /SSL|TLS|certificate/i.test(message);

/** Whether the same server may be reached with TLS instead of without, or the other way. */
export function isAboutTls(error: unknown): boolean {
  const { code = '', message = '' } = (error ?? {}) as PostgresError;
  return code === '28000' || UNTRUSTED.test(code) || /^(ERR_SSL|ERR_TLS|EPROTO|CERT_)/.test(code) || isTlsText(message);
}

/** Whether the server answered and said no: another host would not be the one that is meant. */
export function isRefusal(error: unknown): boolean {
  const { code = '' } = (error ?? {}) as PostgresError;
  return /^(28(?!000)|3D000|42501)/.test(code);
}

/** Whether the database, or its role, has as many connections as it allows. */
export function isLackOfSlots(error: unknown): boolean {
  return ((error ?? {}) as PostgresError).code === '53300';
}

/** For a server that is not what `target_session_attrs` asks for. */
export function wrongSession(): Error {
  return Object.assign(new Error('not the session that is asked for'), { code: 'WRONG_SESSION' });
}

/** For a write on a server that is in recovery. */
export function standbyTakesNoWrites(cause: unknown): ToolError {
  return new ToolError(
    {
      code: 'READ_ONLY',
      message: 'The database is a standby (a read replica), which takes no writes. Nothing was changed.',
      hint: 'The operator has to name the primary in POSTGRES_URL, or all servers with target_session_attrs=primary.',
    },
    { cause },
  );
}

/** For a call that waited too long for one of the `count` connections. */
export function noFreeConnection(count: number): ToolError {
  return new ToolError({
    code: 'BUSY',
    message: `All ${count} connections to the database are in use.`,
    hint: 'Try again soon, or ask the operator for a larger POSTGRES_POOL_SIZE (and room for it in the database).',
  });
}

/** For a message of the database that is no row and does not fit in memory. */
export function messageTooLarge(maxBytes: number): ToolError {
  return new ToolError({
    code: 'TOO_LARGE',
    message: `The database sent something larger than ${maxBytes / 1024 / 1024} MiB that is no row; the statement was ended.`,
    hint: 'Ask for less at once.',
  });
}

/** For a write whose connection was lost during COMMIT, when the database says that it was rolled back. */
export function rolledBackByLoss(cause: unknown): ToolError {
  return new ToolError(
    {
      code: 'UNAVAILABLE',
      message: 'The connection to the database was lost before the write was committed. Nothing was changed.',
      hint: TRY_LATER,
    },
    { cause },
  );
}

/** The same when the database could not be asked, or does not know yet. */
export function outcomeUnknown(transactionId: string, cause: unknown): ToolError {
  return new ToolError(
    {
      code: 'OUTCOME_UNKNOWN',
      message: `The connection to the database was lost while transaction ${transactionId} was being committed, so it is not known whether the write took effect.`,
      hint: `Look before you repeat it: SELECT pg_xact_status('${transactionId}') says committed, aborted or in progress.`,
    },
    { cause },
  );
}
