/** The log line of a request that failed at its upstream. */
import { LOG_FIELD, type Logger } from '@database-mcp/telemetry';
import type { CallFailure } from '../upstream/upstream.ts';

/** Logs a failure under the tool's name, or the method's. Outages are logged once by the catalogue, not with each call. */
export function logFailure(logger: Logger, name: string, upstream: string, failure: CallFailure): void {
  const fields = {
    [LOG_FIELD.TOOL]: name,
    [LOG_FIELD.UPSTREAM]: upstream,
    ...failure,
    [LOG_FIELD.STATUS]: failure.kind,
  };
  logger[LEVELS[failure.kind] ?? 'warn'](fields, 'a call failed at its upstream');
}

/** What is no fault of a server, or told elsewhere. */
const LEVELS: Partial<Record<CallFailure['kind'], 'debug' | 'info'>> = {
  unreachable: 'debug',
  busy: 'debug',
  unanswered: 'info',
  'refused-ask': 'info',
};
