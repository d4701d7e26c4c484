import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
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
    timestamp: isoTime,
    // The usual one writes the message, which may repeat a statement or a password.
    serializers: { err: toLoggedError },
  };
  if (!options.pretty) return pino(settings, createDestination());
  const { default: pretty } = await import('pino-pretty');
  return pino(
    settings,
    pretty({ destination: 2, sync: true, ignore: 'pid,hostname,service', messageFormat: '[{service}] {msg}' }),
  );
}

let lastMs = 0;
let lastText = '';

/** The time member of a line; the text of a millisecond is made once. */
function isoTime(): string {
  const now = Date.now();
  if (now === lastMs) return lastText;
  lastMs = now;
  lastText = `,"time":"${new Date(now).toISOString()}"`;
  return lastText;
}

/**
 * Lines gather up to about this before they are written: a write for each costs a call through the gateway a tenth more.
 * They gather as bytes, because a text of hundreds of lines that is put together and encoded at the end costs more than
 * all the rest of a line.
 */
const GATHER_BYTES = 32 * 1024;
/** … or this long. */
const FLUSH_MS = 100;
/** While nobody reads standard error, lines beyond this are dropped rather than kept. */
const MAX_BUFFER_BYTES = 4 * 1024 * 1024;
/** A UTF-16 unit is at most three bytes of UTF-8. */
const MAX_UTF8_BYTES = 3;

/**
 * Standard error, written in the background in pieces; pino writes what is left when the process ends. The lines gather
 * here and not in pino's stream, which would measure all that it holds for every line.
 */
function createDestination(): DestinationStream {
  const toStandardError = { dest: 2, contentMode: 'buffer' } as const;
  const destination = pino.destination({ ...toStandardError, sync: false, maxLength: MAX_BUFFER_BYTES });
  let gathered = Buffer.allocUnsafe(2 * GATHER_BYTES);
  let length = 0;
  let timer: NodeJS.Timeout | undefined;
  /** What was gathered, which is not written to any more. */
  const take = (): Buffer => {
    clearTimeout(timer);
    timer = undefined;
    const bytes = gathered.subarray(0, length);
    gathered = Buffer.allocUnsafe(2 * GATHER_BYTES);
    length = 0;
    return bytes;
  };
  const pour = (): void => {
    if (length > 0) writeBytes(destination, take());
  };
  // What pino calls at the end of the process, when no write in the background would be ended any more.
  const flushSync = destination.flushSync.bind(destination);
  destination.flushSync = () => {
    flushSync();
    const last = pino.destination({ ...toStandardError, sync: true });
    writeBytes(last, take());
    last.flushSync();
  };
  return {
    write: (line) => {
      if (length + line.length * MAX_UTF8_BYTES > gathered.length) pour();
      if (line.length * MAX_UTF8_BYTES > gathered.length) return writeBytes(destination, Buffer.from(line));
      length += gathered.write(line, length);
      if (length >= GATHER_BYTES) pour();
      else timer ??= setTimeout(pour, FLUSH_MS).unref();
    },
  };
}

/** With `contentMode: 'buffer'` the stream takes bytes, of which its type does not know. */
function writeBytes(stream: DestinationStream, bytes: Buffer): void {
  stream.write(bytes as unknown as string);
}
