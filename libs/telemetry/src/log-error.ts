/** What a log line says of an error: of what kind it is and where it came up, hardly ever its message. */

/** Causes are few; a circle of them must end. */
const MAX_CAUSES = 5;

/** An error in a log line. */
export interface LoggedError {
  /** The name of its class. */
  type: string;
  /** `ECONNRESET`, an SQLSTATE, one of our codes. */
  code?: string;
  /** Only of an error of the operating system: call, path or address. */
  message?: string;
  /** The frames of its stack, without the message before them. */
  stack?: string;
  cause?: LoggedError;
}

/**
 * Describes an error without its message, because a database, a parser and Node itself repeat in it what they were given:
 * statements, values, passwords. Class, code and place are enough to find the cause.
 */
export function toLoggedError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error };
  const logged: LoggedError = { type: error.constructor.name || 'Error' };
  const { code, errno, syscall } = error as NodeJS.ErrnoException;
  if (typeof code === 'number' || (typeof code === 'string' && CODE.test(code))) logged.code = String(code);
  if (typeof errno === 'number' && syscall !== undefined) logged.message = error.message;
  const frames = framesOf(error);
  if (frames !== '') logged.stack = frames;
  if (error.cause !== undefined && depth < MAX_CAUSES) logged.cause = toLoggedError(error.cause, depth + 1);
  return logged;
}

/** A word; anything else may be somebody's text. */
const CODE = /^[A-Za-z0-9][\w.-]{0,79}$/;

/** The message stands before the frames, and may hold lines that look like some. */
function framesOf({ stack = '', message }: Error): string {
  const afterMessage = stack.slice(stack.indexOf(message) + message.length);
  return afterMessage
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .join('\n');
}
