/** Turns the measurements of postgres-mcp into a table and a verdict. Pure. */
import { formatTable, type Report } from '../report.ts';
import { median } from '../statistics.ts';
import {
  atLeast,
  atMost,
  counted,
  describeTarget,
  isMet,
  LARGE_CELL_MIB,
  POSTGRES_ADDED_MS,
  RIVAL_RATIO,
  type Target,
} from '../targets.ts';
import { QUERIES } from './queries.ts';
import { RIVAL } from './rival.ts';
import { CLIENTS, type PostgresMeasurements, type PostgresSample } from './rounds.ts';
import type { TargetName } from './targets.ts';

const MEBIBYTE = 1_024 * 1_024;
const [ONE, MANY] = CLIENTS;
const OURS = 'postgres-mcp';

/** Makes the report. */
export function createPostgresReport(measured: PostgresMeasurements): Report {
  const { samples, targets: names } = measured;
  const rows: string[][] = [['', ...names]];
  const add = (label: string, value: (name: TargetName) => number | undefined, digits: number): void => {
    const cells = names.map((name) => {
      const found = value(name);
      if (found === undefined) return '-';
      return Number.isNaN(found) ? 'unknown' : formatNumber(found, digits);
    });
    rows.push([label, ...cells]);
  };
  for (const { name: query } of QUERIES) {
    add(`p50 ms, ${query}, 1 client`, (name) => median(pick(samples, name, query, ONE, 'p50')), 3);
    add('  added to bare pg', (name) => (name === 'bare pg' ? undefined : addedMs(samples, name, query)), 3);
    add(
      `calls/s, ${query}, ${MANY} in flight`,
      (name) => median(pick(samples, name, query, MANY, 'callsPerSecond')),
      0,
    );
    add('  CPU ms per call', (name) => median(pick(samples, name, query, MANY, 'cpuMsPerCall')), 3);
  }
  add('KB of an answer with 100 rows', (name) => scale(measured.answerBytes.get(name), 1_000), 1);
  add('resident MiB, after the load', (name) => scale(measured.idleBytes.get(name), MEBIBYTE), 0);
  add('MiB that a 50 MB cell adds', (name) => scale(measured.largeCellBytes.get(name), MEBIBYTE), 0);
  const targets = listTargets(measured);
  return {
    lines: [...formatTable(rows), '', 'Targets of postgres-mcp:', ...targets.map(describeTarget)],
    missed: targets.filter((target) => !isMet(target)),
  };
}

function listTargets({ samples, targets, largeCellBytes }: PostgresMeasurements): Target[] {
  const added = QUERIES.map(({ name }) =>
    atMost(`ms added to bare pg, ${name}, 1 client`, addedMs(samples, OURS, name), POSTGRES_ADDED_MS, 3),
  );
  const cellMib = (largeCellBytes.get(OURS) ?? Number.NaN) / MEBIBYTE;
  const cell = counted(atMost('MiB that a 50 MB cell adds', cellMib, LARGE_CELL_MIB, 0));
  if (!targets.includes(RIVAL.name)) return [...added, cell];
  const beside = QUERIES.flatMap(({ name }) => [
    atLeast(
      `calls/s beside ${RIVAL.name}, ${name}, ${MANY} in flight`,
      ratio(samples, name, MANY, 'callsPerSecond'),
      RIVAL_RATIO,
    ),
    atMost(`p50 beside ${RIVAL.name}, ${name}, 1 client`, ratio(samples, name, ONE, 'p50'), RIVAL_RATIO),
  ]);
  return [...added, ...beside, cell];
}

type Key = 'callsPerSecond' | 'p50' | 'cpuMsPerCall';

function pick(
  samples: readonly PostgresSample[],
  target: TargetName,
  query: string,
  clients: number,
  key: Key,
): number[] {
  return samples
    .filter((sample) => sample.target === target && sample.query === query && sample.clients === clients)
    .toSorted((a, b) => a.round - b.round)
    .map((sample) => sample[key] ?? Number.NaN);
}

/** The median of the ratios of each round: a slow round is slow for both. */
function ratio(samples: readonly PostgresSample[], query: string, clients: number, key: Key): number {
  const theirs = pick(samples, RIVAL.name, query, clients, key);
  return median(pick(samples, OURS, query, clients, key).map((value, round) => value / (theirs[round] ?? Number.NaN)));
}

function addedMs(samples: readonly PostgresSample[], target: TargetName, query: string): number {
  const bare = pick(samples, 'bare pg', query, ONE, 'p50');
  return median(pick(samples, target, query, ONE, 'p50').map((value, round) => value - (bare[round] ?? Number.NaN)));
}

function scale(value: number | undefined, unit: number): number | undefined {
  return value === undefined ? undefined : value / unit;
}

function formatNumber(value: number, digits: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
