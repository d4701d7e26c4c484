/** Counts what was exported and what was lost, as metrics, and says a loss in the log: at most once a minute. */
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics/registry.ts';
import { ATTRIBUTE, METRIC } from '../names.ts';

/** Why spans are lost, besides the errors of sending. */
export const LOSS = { QUEUE_FULL: 'queue_full' } as const;

/** Takes what becomes of spans. */
export interface LossReport {
  sent(count: number): void;
  /** `error` is of a closed set: `queue_full`, `timeout`, `unreachable` or an HTTP status. */
  lost(count: number, error: string): void;
}

const EVERY_MS = 60_000;
const HINT = 'calls are not affected; look at the receiver of OTEL_EXPORTER_OTLP_ENDPOINT';

/** Creates the report. */
export function createLossReport(logger: Logger, metrics: Metrics | undefined): LossReport {
  const exported = metrics?.counter(METRIC.SPANS_EXPORTED);
  const processed = metrics?.counter(METRIC.SPANS_PROCESSED);
  const unsaid = new Map<string, number>();
  let saidAt = -Infinity;
  const say = (): void => {
    const now = performance.now();
    if (now - saidAt < EVERY_MS) return;
    saidAt = now;
    logger.warn({ lostSpans: Object.fromEntries(unsaid) }, `spans were lost: ${HINT}`);
    unsaid.clear();
  };
  return {
    sent: (count) => exported?.add(count),
    lost: (count, error) => {
      const counter = error === LOSS.QUEUE_FULL ? processed : exported;
      counter?.add(count, { [ATTRIBUTE.ERROR_TYPE]: error });
      unsaid.set(error, (unsaid.get(error) ?? 0) + count);
      say();
    },
  };
}
