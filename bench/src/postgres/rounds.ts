/** Puts both queries on every target with one call and with eight in flight, round after round, in changing order. */
import { setTimeout as delay } from 'node:timers/promises';
import { cpuSeconds, peakResidentBytes, residentBytes } from '@database-mcp/testing';
import type { LoadResult } from './load.ts';
import { LARGE_CELL_SQL, QUERIES, type Query } from './queries.ts';
import { POOL_SIZE, type Target, type TargetName } from './targets.ts';

/** How much to measure. */
export interface PostgresPlan {
  rounds: number;
  measureMs: number;
  /** For each query before: long enough for the compiler to have done its work. */
  heatUpMs: number;
}

/** One stretch of load on one target. */
export interface PostgresSample extends LoadResult {
  target: TargetName;
  query: string;
  clients: number;
  round: number;
  /** CPU time of the target's process per call; undefined where the system does not tell. */
  cpuMsPerCall: number | undefined;
}

/** Everything that was measured. */
export interface PostgresMeasurements {
  targets: readonly TargetName[];
  samples: PostgresSample[];
  /** By target: bytes resident after ordinary calls, and what one large cell adds to that at its peak. */
  idleBytes: Map<TargetName, number>;
  largeCellBytes: Map<TargetName, number>;
  /** Bytes of the answer with 100 rows, as it was sent. */
  answerBytes: Map<TargetName, number>;
}

/** One call at a time, and as many as a pool has connections. */
export const CLIENTS = [1, POOL_SIZE] as const;
const WARM_UP_MS = 50;
/** A process is idle when its garbage is collected. */
const SETTLE_MS = 1_000;
/** A server may refuse the large cell, but not sit on it. */
const LARGE_CELL_TIMEOUT_MS = 30_000;

/** Runs the plan. `signal` ends it early. */
export async function measurePostgres(
  targets: readonly Target[],
  plan: PostgresPlan,
  signal: AbortSignal,
  onProgress: (text: string) => void,
): Promise<PostgresMeasurements> {
  const samples: PostgresSample[] = [];
  onProgress('postgres-mcp: warming up');
  for (const target of targets) for (const query of QUERIES) await sample(target, query, POOL_SIZE, -1, plan.heatUpMs);
  for (let round = 0; round < plan.rounds; round++) {
    onProgress(`postgres-mcp: round ${round + 1} of ${plan.rounds}`);
    // Every second round goes backwards, so that none always has the place behind another.
    const order = round % 2 === 1 ? targets.toReversed() : targets;
    for (const query of QUERIES)
      for (const clients of CLIENTS)
        for (const target of order) {
          signal.throwIfAborted();
          samples.push(await sample(target, query, clients, round, plan.measureMs));
        }
  }
  const idleBytes = new Map<TargetName, number>();
  const largeCellBytes = new Map<TargetName, number>();
  await delay(SETTLE_MS, undefined, { signal });
  for (const target of targets) {
    const idle = residentBytes(target.pid);
    idleBytes.set(target.name, idle);
    if (target.call === undefined) continue;
    onProgress(`postgres-mcp: a large cell through ${target.name}`);
    const timeout = delay(LARGE_CELL_TIMEOUT_MS, undefined, { signal, ref: false });
    const call = target.call(LARGE_CELL_SQL);
    largeCellBytes.set(target.name, (await peakResidentBytes(target.pid, () => Promise.race([call, timeout]))) - idle);
  }
  return { targets: targets.map(({ name }) => name), samples, idleBytes, largeCellBytes, answerBytes: weigh(targets) };
}

function weigh(targets: readonly Target[]): Map<TargetName, number> {
  const page = QUERIES.at(-1);
  return new Map(
    targets.flatMap((target) => {
      const bytes = page && target.answerBytes(page);
      return bytes === undefined ? [] : [[target.name, bytes] as const];
    }),
  );
}

async function sample(
  target: Target,
  query: Query,
  clients: number,
  round: number,
  measureMs: number,
): Promise<PostgresSample> {
  const before = cpuSeconds(target.pid);
  const result = await target.drive(query, { clients, warmUpMs: WARM_UP_MS, measureMs });
  const after = cpuSeconds(target.pid);
  const cpuMs = before === undefined || after === undefined ? undefined : (after - before) * 1_000;
  return {
    ...result,
    target: target.name,
    query: query.name,
    clients,
    round,
    cpuMsPerCall: cpuMs === undefined ? undefined : cpuMs / result.callsInAll,
  };
}
