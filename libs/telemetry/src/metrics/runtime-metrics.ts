/** How busy this process is: the delay and use of its event loop since the last reading. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { METRIC } from '../names.ts';
import type { Metrics } from './registry.ts';

const RESOLUTION_MS = 20;
const NS_PER_SECOND = 1e9;

/** Adds the gauges; the function given back stops measuring. */
export function observeRuntime(metrics: Metrics): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  // The histogram holds the time between two ticks, of which the resolution is no delay.
  const seconds = (ns: number): number => Math.max(0, ns / NS_PER_SECOND - RESOLUTION_MS / 1_000);
  let before = performance.eventLoopUtilization();
  metrics.gauge(METRIC.EVENT_LOOP_DELAY_P50, () => [{ value: seconds(delay.percentile(50)) }]);
  metrics.gauge(METRIC.EVENT_LOOP_DELAY_P99, () => [{ value: seconds(delay.percentile(99)) }]);
  metrics.gauge(METRIC.EVENT_LOOP_DELAY_MAX, () => {
    const value = delay.count === 0 ? 0 : seconds(delay.max);
    // The last of the three that is read: what comes after belongs to the next reading.
    delay.reset();
    return [{ value }];
  });
  metrics.gauge(METRIC.EVENT_LOOP_UTILIZATION, () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return [{ value: utilization }];
  });
  return () => delay.disable();
}
