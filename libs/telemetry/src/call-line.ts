/**
 * The log line of a call through the gateway. It is written for every call, and its form is known, so that it need not
 * take the general way through the logger, each microsecond of which a call would feel.
 */
import { pino } from 'pino';
import type { Logger } from './logger.ts';
import { LOG_FIELD } from './names.ts';

/** What the line says. */
export interface CallLine {
  tool: string;
  /** Of the gateway: where it was sent. */
  upstream?: string | undefined;
  /** `ok`, `tool_error` or an error code. */
  status: string;
  /** To a tenth. */
  durationMs: number;
  bytes: number;
  trace?: { traceId: string; spanId: string } | undefined;
}

/** The parts of a logger that its lines are made of. */
interface LineParts {
  [pino.symbols.chindingsSym]: string;
  [pino.symbols.lsCacheSym]: Readonly<Record<number, string>>;
  [pino.symbols.timeSym](): string;
  [pino.symbols.streamSym]: { write(line: string): void };
}

const INFO = 30;

/** Writes lines of calls to the logger at level info; undefined when that level is off. */
export function createCallLog(logger: Logger): ((line: CallLine) => void) | undefined {
  if (!logger.isLevelEnabled('info')) return undefined;
  const parts = logger as unknown as LineParts;
  const level = parts[pino.symbols.lsCacheSym][INFO] ?? '';
  const bindings = parts[pino.symbols.chindingsSym];
  const stream = parts[pino.symbols.streamSym];
  return ({ tool, upstream, status, durationMs, bytes, trace }) => {
    const where = upstream === undefined ? '' : `,"${LOG_FIELD.UPSTREAM}":${JSON.stringify(upstream)}`;
    const joined = trace ? `,"${LOG_FIELD.TRACE_ID}":"${trace.traceId}","${LOG_FIELD.SPAN_ID}":"${trace.spanId}"` : '';
    stream.write(
      `${level}${parts[pino.symbols.timeSym]()}${bindings},"${LOG_FIELD.TOOL}":${JSON.stringify(tool)}${where},"${LOG_FIELD.STATUS}":${JSON.stringify(status)},"${LOG_FIELD.DURATION_MS}":${durationMs},"${LOG_FIELD.BYTES}":${bytes}${joined},"msg":"call"}\n`,
    );
  };
}
