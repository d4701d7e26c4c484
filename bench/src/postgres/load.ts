/** Load on any kind of call: a number of clients, each sending its next call upon the answer to the last. */
import { percentile } from '../statistics.ts';

/** How many, for how long. */
export interface Load {
  clients: number;
  /** Not counted, before the measured time. */
  warmUpMs: number;
  measureMs: number;
}

/** What came of it. Times in milliseconds. */
export interface LoadResult {
  calls: number;
  /** Calls over the whole time, the warm-up included. */
  callsInAll: number;
  callsPerSecond: number;
  p50: number;
}

/** Runs the load to its end. Rejects with the first call that does: its rate would say nothing. */
export async function putLoad(call: () => Promise<void>, { clients, warmUpMs, measureMs }: Load): Promise<LoadResult> {
  const latencies: number[] = [];
  let callsInAll = 0;
  const measureFrom = performance.now() + warmUpMs;
  const until = measureFrom + measureMs;
  const runClient = async (): Promise<void> => {
    for (let now = performance.now(); now < until;) {
      await call();
      const end = performance.now();
      callsInAll++;
      if (now >= measureFrom && end <= until) latencies.push(end - now);
      now = end;
    }
  };
  await Promise.all(Array.from({ length: clients }, runClient));
  return {
    calls: latencies.length,
    callsInAll,
    callsPerSecond: latencies.length / (measureMs / 1_000),
    p50: percentile(latencies, 0.5),
  };
}
