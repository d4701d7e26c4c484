/**
 * Errors of Neo4j and of its driver as failures with a stable code. Decides by the error's `code` (its GQL status is
 * 50N42, "general", for most errors of Neo4j 5) and takes positions and names from the message.
 */
import { ToolError, type ErrorCode } from '@database-mcp/errors';

/** The part of a driver's error that is read. */
interface DriverError {
  code: string;
  message: string;
}

/** What is known about the place where the error came up. */
export interface ErrorContext {
  /** Lines that were put before the user's statement. */
  addedLines: number;
}

/** The text by which the driver's error tells that we cut the connection because of the size of what came. */
export const BATCH_EXCEEDED = 'the rows are larger than this server takes';

const MAX_MESSAGE_LENGTH = 600;
const OPERATOR_HINT = 'Try again later. If it stays so, the operator must look at Neo4j and at the NEO4J_* settings.';

interface Rule {
  pattern: RegExp;
  code: ErrorCode;
  message?: string;
  hint?: string;
}

/** The first rule that fits the code is taken; without a message of its own, Neo4j's first sentence is shown. */
const RULES: readonly Rule[] = [
  { pattern: /^Neo\.ClientError\.Statement\.(SyntaxError|SemanticError)$/, code: 'SYNTAX_ERROR' },
  {
    pattern: /^Neo\.ClientError\.Statement\.AccessMode$/,
    code: 'READ_ONLY',
    message: 'Neo4j refused to write: this server only reads.',
    hint: 'Ask with MATCH … RETURN instead.',
  },
  {
    pattern: /^Neo\.ClientError\.Procedure\.ProcedureNotFound$/,
    code: 'NOT_FOUND',
    hint: 'SHOW PROCEDURES lists what is installed.',
  },
  {
    pattern: /^Neo\.ClientError\.Database\.DatabaseNotFound$/,
    code: 'NOT_FOUND',
    hint: 'Leave out USE, or have the operator check NEO4J_DATABASE.',
  },
  {
    pattern: /^Neo\.ClientError\.Transaction\.TransactionTimedOut/,
    code: 'TIMEOUT',
    message: 'The statement took longer than it may and was ended.',
    hint: 'Narrow it: a more selective MATCH, fewer hops, a LIMIT.',
  },
  {
    pattern: /^Neo\.ClientError\.Transaction\.Terminated$/,
    code: 'QUERY_FAILED',
    message: 'The statement was ended on the database.',
    hint: 'An administrator or a limit of the database ended it; run it again if that was not meant.',
  },
  {
    pattern: /^Neo\.ClientError\.Security\.(Unauthorized|AuthenticationRateLimit|CredentialsExpired|TokenExpired)$/,
    code: 'UNAVAILABLE',
    message: 'Neo4j refused the login of this server.',
    hint: 'The operator must check NEO4J_USERNAME and NEO4J_PASSWORD; after several failures Neo4j waits 5 s.',
  },
  {
    pattern: /^Neo\.ClientError\.Security\./,
    code: 'PERMISSION_DENIED',
    hint: 'The login of this server lacks a privilege; the operator can grant it.',
  },
  {
    pattern: /MemoryPoolOutOfMemory|OutOfMemory/,
    code: 'QUERY_FAILED',
    message: 'The statement needs more memory than the database allows.',
    hint: 'Narrow it: fewer rows before ORDER BY, collect() or DISTINCT.',
  },
  { pattern: /^Neo\.TransientError\.Request\./, code: 'BUSY', message: 'Neo4j has no room for more work just now.' },
  {
    pattern: /^(ServiceUnavailable|SessionExpired|Neo\.TransientError\.General\.(DatabaseUnavailable|Unavailable).*)$/,
    code: 'UNAVAILABLE',
    message: 'Neo4j cannot be reached.',
    hint: OPERATOR_HINT,
  },
  { pattern: /^Neo\.(ClientError|TransientError)\./, code: 'QUERY_FAILED' },
  {
    pattern: /^Neo\.DatabaseError\./,
    code: 'QUERY_FAILED',
    message: 'Neo4j failed while it ran the statement.',
    hint: "Neo4j's own log holds the cause. Try it written differently.",
  },
];

/** The failure for an error of the driver, or undefined when it is none that is expected. */
export function toToolError(error: unknown, { addedLines }: ErrorContext = { addedLines: 0 }): ToolError | undefined {
  if (!isDriverError(error)) return undefined;
  const { code } = error;
  const special = toParameterError(error) ?? toProfileError(error) ?? toConnectionError(error);
  if (special) return special;
  const rule = RULES.find(({ pattern }) => pattern.test(code));
  if (!rule) return undefined;
  const { text, line, column, excerpt } = splitMessage(error.message);
  const unknownFunction = rule.code === 'SYNTAX_ERROR' ? /^Unknown function '(.*)'/.exec(text)?.[1] : undefined;
  const isPlaced = line !== undefined && line > addedLines && column !== undefined && column > 0;
  const place = isPlaced ? `line ${line - addedLines}, column ${column}` : undefined;
  const where = place && excerpt ? `${place}: ${excerpt}` : place;
  return new ToolError(
    {
      code: unknownFunction === undefined ? rule.code : 'NOT_FOUND',
      message: rule.message ?? text,
      ...(where && rule.message === undefined ? { where } : {}),
      ...withHint(unknownFunction === undefined ? (rule.hint ?? hintFor(text)) : 'SHOW FUNCTIONS lists what there is.'),
    },
    { cause: error },
  );
}

/** Neo4j's own code of an error that was mapped, such as `Neo.ClientError.Statement.SyntaxError`. */
export function codeOf(error: unknown): string | undefined {
  const cause = error instanceof ToolError ? error.cause : error;
  return isDriverError(cause) && cause.code.startsWith('Neo.') ? cause.code : undefined;
}

/** Thrown by the driver when a value has no JavaScript form, such as a time zone that Node does not know. */
export function toUnreadableValueError(column: string, cause: unknown): ToolError {
  return new ToolError(
    {
      code: 'QUERY_FAILED',
      message: `A value of the column ${JSON.stringify(column)} cannot be read by the driver.`,
      where: `column ${JSON.stringify(column)}`,
      hint: 'Return it as text with toString(…).',
    },
    { cause },
  );
}

function isDriverError(error: unknown): error is DriverError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

function withHint(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

function hintFor(text: string): string | undefined {
  if (text.startsWith('Expected exactly one statement')) return 'Send one statement in each call.';
  if (text.startsWith("Invalid input ':'")) return 'Commands that begin with a colon belong to the Neo4j shell.';
  return undefined;
}

function toParameterError(error: DriverError): ToolError | undefined {
  if (error.code !== 'Neo.ClientError.Statement.ParameterMissing') return undefined;
  const names = (/Expected parameter\(s\): (.*)/s.exec(error.message)?.[1] ?? '').split(', ').filter(Boolean);
  const shown = names.map((name) => `$${name}`).join(', ');
  const example = JSON.stringify(Object.fromEntries(names.map((name) => [name, '…'])));
  return new ToolError(
    {
      code: 'INVALID_ARGUMENT',
      message: `The statement uses ${shown}, which \`params\` does not hold.`,
      where: shown,
      hint: `Pass \`params\`, such as ${example}.`,
    },
    { cause: error },
  );
}

/** Our own EXPLAIN before a PROFILE is a conflict for the server: that is how a PROFILE is told, whatever stands before it. */
function toProfileError(error: DriverError): ToolError | undefined {
  if (error.code !== 'Neo.ClientError.Statement.ArgumentError' || !/execution mode/.test(error.message))
    return undefined;
  return new ToolError(
    {
      code: 'INVALID_ARGUMENT',
      message: 'PROFILE is not offered here, because it runs the statement to its end.',
      where: 'PROFILE',
      hint: 'Use EXPLAIN to see the plan, or leave PROFILE out to get the rows.',
    },
    { cause: error },
  );
}

/** The driver's own errors come without a code of Neo4j. */
function toConnectionError(error: DriverError): ToolError | undefined {
  if (error.code.startsWith('Neo.')) return undefined;
  if (error.message.includes(BATCH_EXCEEDED)) {
    const hint = 'Return fewer or smaller values: single properties, parts of lists, LIMIT 1.';
    return new ToolError({ code: 'TOO_LARGE', message: 'The rows are too large to take.', hint }, { cause: error });
  }
  const active = /acquisition timed out.*Active conn count = (\d+)/s.exec(error.message)?.[1];
  if (active !== undefined && active !== '0') {
    const hint = 'Try again soon.';
    return new ToolError(
      { code: 'BUSY', message: 'Too many statements run at once on Neo4j.', hint },
      { cause: error },
    );
  }
  if (active !== undefined || /responded HTTP|handshake|ECONN|socket|Connection/i.test(error.message)) {
    const hint = /responded HTTP/.test(error.message)
      ? 'NEO4J_URI names an HTTP port; the operator must give the Bolt port (usually 7687).'
      : OPERATOR_HINT;
    return new ToolError({ code: 'UNAVAILABLE', message: 'Neo4j cannot be reached.', hint }, { cause: error });
  }
  return undefined;
}

interface MessageParts {
  text: string;
  line: number | undefined;
  column: number | undefined;
  excerpt: string | undefined;
}

/** `text (line 2, column 9 (offset: 18))`, then the line in quotes, then a caret under the place. */
function splitMessage(message: string): MessageParts {
  const found = /^(.*?)\s*\(line (\d+), column (\d+) \(offset: \d+\)\)(?:\r?\n"(.*)")?/s.exec(message);
  const text = cut(found?.[1] ?? message, MAX_MESSAGE_LENGTH);
  return {
    text,
    line: found ? Number(found[2]) : undefined,
    column: found ? Number(found[3]) : undefined,
    excerpt: found?.[4] === undefined ? undefined : cut(found[4].trim(), 120),
  };
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
