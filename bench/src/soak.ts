/** A long run with mixed load on the gateway alone: its memory and its open files must not grow. */
import { readdirSync } from 'node:fs';

import { LARGE_RESULT_BYTES, residentBytes, SMALL_RESULT_BYTES } from '@database-mcp/testing';
import type { Workload } from './load-driver.ts';
import type { Setup } from './processes.ts';
import { median } from './statistics.ts';

/** What the gateway's process held at one moment. */
export interface SoakSample {
  residentBytes: number;
  /** Undefined where the system does not tell. */
  openFiles: number | undefined;
}

/** The verdict in words. */
export interface SoakVerdict {
  isFlat: boolean;
  text: string;
}

const CLIENTS = 16;
/** One workload lasts this long, then the next follows on new connections. */
const STRETCH_MS = 5_000;
const MEBIBYTE = 1_024 * 1_024;
/** The heap breathes by a few MiB; a leak of 16 bytes a call is 50 MiB in ten minutes. */
const MAX_GROWTH_MIB = 8;
/** Kept connections and timers differ by a few. */
const MAX_GROWTH_FILES = 16;
/** Halves need enough samples for a median that says something. */
const MIN_SAMPLES = 8;

/** Runs the load for about that long and weighs the process after each stretch. */
export async function soak(
  setup: Setup,
  durationMs: number,
  signal: AbortSignal,
  onProgress: (text: string) => void,
): Promise<SoakSample[]> {
  const gateway = setup.targets.find(({ name }) => name === 'gateway');
  if (gateway?.pid === undefined) throw new Error('there is no gateway process');
  const workloads = listWorkloads(setup);
  const samples: SoakSample[] = [];
  const until = performance.now() + durationMs;
  for (let turn = 0; performance.now() < until || samples.length < MIN_SAMPLES; turn++) {
    signal.throwIfAborted();
    const workload = workloads[turn % workloads.length];
    if (!workload) break;
    const time = { warmUpMs: 0, measureMs: STRETCH_MS };
    const result = await setup.drive({ url: gateway.url, workload, clients: CLIENTS, ...time });
    if (result.errors > 0) throw new Error(`${result.errors} wrong answers; the first: ${result.firstError}`);
    // Samples of one kind of load only are comparable: the last of each turn.
    if (turn % workloads.length !== workloads.length - 1) continue;
    const sample = { residentBytes: residentBytes(gateway.pid), openFiles: countOpenFiles(gateway.pid) };
    samples.push(sample);
    onProgress(`${(sample.residentBytes / MEBIBYTE).toFixed(0)} MiB, ${sample.openFiles ?? '?'} open files`);
  }
  return samples;
}

/** Compares the second quarter of the run, when everything is warm, with the last. */
export function judgeSoak(samples: readonly SoakSample[]): SoakVerdict {
  const quarter = Math.max(1, Math.floor(samples.length / 4));
  const early = samples.slice(quarter, 2 * quarter);
  const late = samples.slice(-quarter);
  const grown = mebibytes(late) - mebibytes(early);
  const moreFiles = files(late) - files(early);
  const isFlat = grown <= MAX_GROWTH_MIB && !(moreFiles > MAX_GROWTH_FILES);
  const text = [
    `${isFlat ? 'met' : 'MISSED'}  resident MiB ${mebibytes(early).toFixed(0)} in the second quarter, ${mebibytes(late).toFixed(0)} in the last (at most ${MAX_GROWTH_MIB} more)`,
    `open files ${files(early)} and ${files(late)}`,
  ].join('; ');
  return { isFlat, text };
}

function mebibytes(samples: readonly SoakSample[]): number {
  return median(samples.map((sample) => sample.residentBytes)) / MEBIBYTE;
}

function files(samples: readonly SoakSample[]): number {
  return median(samples.map((sample) => sample.openFiles ?? Number.NaN));
}

function listWorkloads(setup: Setup): Workload[] {
  return [
    { kind: 'call', era: 'modern', tools: setup.smallTools, textBytes: SMALL_RESULT_BYTES },
    { kind: 'call', era: 'modern', tools: setup.largeTools, textBytes: LARGE_RESULT_BYTES },
    { kind: 'list', era: 'modern', minTools: setup.toolCount },
    { kind: 'call', era: 'legacy', tools: setup.smallTools, textBytes: SMALL_RESULT_BYTES },
  ];
}

function countOpenFiles(pid: number): number | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return undefined;
  }
}
