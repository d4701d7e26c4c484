/** The stable codes of every expected failure, the same for all databases. Listed with what the caller can do. */
export const ERROR_CODES = [
  /** The arguments do not fit the tool's input schema: correct them. */
  'INVALID_ARGUMENT',
  /** The database's parser refused the statement: correct it at the position given. */
  'SYNTAX_ERROR',
  /** A table, column, label, collection or function of that name does not exist: list what does. */
  'NOT_FOUND',
  /** The statement would change something and this server only reads. */
  'READ_ONLY',
  /** The database role may not do this: ask the operator for the grant. */
  'PERMISSION_DENIED',
  /** The statement is valid but its execution failed (division by zero, bad cast): correct it or its values. */
  'QUERY_FAILED',
  /** The deadline passed and the statement was ended: narrow it. */
  'TIMEOUT',
  /** The client went away or cancelled, and the statement was ended. */
  'CANCELLED',
  /** The database or its server cannot be reached: try again later. */
  'UNAVAILABLE',
  /** The connection was lost while a write was being made final: look before it is repeated. */
  'OUTCOME_UNKNOWN',
  /** Too many calls are in progress: try again soon. */
  'BUSY',
  /** The request or the answer is larger than the configured cap. */
  'TOO_LARGE',
  /** A fault of this software: the log holds the cause under the reference given. */
  'INTERNAL',
] as const;

/** One of the stable error codes. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** An expected failure in the words of the person who made the request. */
export interface Failure {
  code: ErrorCode;
  /** What happened, one sentence. */
  message: string;
  /** Where: line and column, or the offending name. */
  where?: string;
  /** What to do next. */
  hint?: string;
}

/** Thrown by tools and database modules for an expected failure; anything else that is thrown counts as our bug. */
export class ToolError extends Error implements Failure {
  readonly code: ErrorCode;
  readonly where?: string;
  readonly hint?: string;

  constructor(failure: Failure, options?: { cause?: unknown }) {
    super(failure.message, options);
    this.name = 'ToolError';
    this.code = failure.code;
    this.where = failure.where;
    this.hint = failure.hint;
  }
}
