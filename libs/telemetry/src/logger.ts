import { pino, type Logger as PinoLogger } from 'pino';
import { toLoggedError } from './log-error.ts';

/**
 * The process's logger: JSON lines on standard error (standard output belongs to MCP when the transport is stdio). An error
 * is logged as `{ err }` with a text beside it; without a text, or as the first argument, its message would be the text.
 */
export type Logger = PinoLogger;

/** Log levels, most to least talkative. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** One of the log levels. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a logger needs to know. */
export interface LoggerOptions {
  /** The process's name, on every line as `service`. */
  service: string;
  level: LogLevel;
  /** Readable lines instead of JSON: for a terminal. */
  pretty: boolean;
}

/** Creates the logger of a process. The pretty printer is loaded only when it is asked for. */
export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const settings = {
    level: options.level,
    base: { service: options.service },
    timestamp: pino.stdTimeFunctions.isoTime,
    // The usual one writes the message, which may repeat a statement or a password.
    serializers: { err: toLoggedError },
  };
  if (!options.pretty) return pino(settings, pino.destination({ dest: 2, sync: true }));
  const { default: pretty } = await import('pino-pretty');
  return pino(
    settings,
    pretty({ destination: 2, sync: true, ignore: 'pid,hostname,service', messageFormat: '[{service}] {msg}' }),
  );
}
