/** Turns measurements into the table, the ratios and the verdict. Pure. */
import type { Measurements, Sample, ScenarioName } from './rounds.ts';
import { median } from './statistics.ts';

/** The printed lines and whether the target is met. */
export interface Report {
  lines: string[];
  isTargetMet: boolean;
}

/** What the gateway must reach of the pass-through, in calls per second of the modern era. */
export const TARGET_RATIO = 0.6;

type Name = Sample['target'];
const MIDDLES: readonly Name[] = ['pass-through', 'gateway'];
const NAMES: readonly Name[] = ['direct', ...MIDDLES];
const MEBIBYTE = 1_024 * 1_024;

/** Makes the report. */
export function createReport(measured: Measurements): Report {
  const rows: string[][] = [['', ...NAMES]];
  const add = (label: string, names: readonly Name[], value: (name: Name) => string): void => {
    rows.push([label, ...NAMES.map((name) => (names.includes(name) ? value(name) : '-'))]);
  };
  const middle = (scenario: ScenarioName, key: NumericKey) => (name: Name) =>
    medianOf(measured.samples, scenario, name, key);

  for (const era of ['modern', 'legacy'] as const) {
    add(`calls/s, 16 clients, ${era}`, NAMES, (name) => whole(middle(era, 'callsPerSecond')(name)));
    add('  p50 ms', NAMES, (name) => middle(era, 'p50')(name).toFixed(2));
    add('  p99 ms', NAMES, (name) => middle(era, 'p99')(name).toFixed(2));
    add('  CPU ms per call', MIDDLES, (name) => orUnknown(middle(era, 'cpuMsPerCall')(name), 3));
  }
  add('p50 ms, 1 client', NAMES, (name) => middle('single', 'p50')(name).toFixed(3));
  add('  added to direct', MIDDLES, (name) => addedLatency(measured.samples, name).toFixed(3));
  add('merged lists/s, 16 clients', MIDDLES, (name) => whole(middle('list', 'callsPerSecond')(name)));
  add('  CPU ms per list', MIDDLES, (name) => orUnknown(middle('list', 'cpuMsPerCall')(name), 3));
  add('100 KB results/s, 16 clients', NAMES, (name) => whole(middle('large', 'callsPerSecond')(name)));
  add('  p99 ms', NAMES, (name) => middle('large', 'p99')(name).toFixed(2));
  add('upstream requests per call', MIDDLES, (name) => middle('modern', 'upstreamRequestsPerCall')(name).toFixed(3));
  add('new connections per call', MIDDLES, (name) => middle('modern', 'newConnectionsPerCall')(name).toFixed(3));
  add('resident MiB, idle', MIDDLES, (name) => whole((measured.idleBytes.get(name) ?? 0) / MEBIBYTE));
  add('resident MiB, after the load', MIDDLES, (name) => whole((measured.bytesAfterLoad.get(name) ?? 0) / MEBIBYTE));

  const ratio = ratioOf(measured.samples, 'modern', 'callsPerSecond');
  const ratioLine = (label: string, value: number): string => `gateway / pass-through: ${label} ${orUnknown(value, 2)}`;
  const lines = [
    ...formatTable(rows),
    '',
    `${ratioLine('calls/s', ratio)} (target ${TARGET_RATIO})`,
    ratioLine('calls/s, legacy', ratioOf(measured.samples, 'legacy', 'callsPerSecond')),
    ratioLine('CPU per call', ratioOf(measured.samples, 'modern', 'cpuMsPerCall')),
    ratioLine(
      'added p50, 1 client',
      addedLatency(measured.samples, 'gateway') / addedLatency(measured.samples, 'pass-through'),
    ),
    ratioLine('merged lists/s (there: a static answer)', ratioOf(measured.samples, 'list', 'callsPerSecond')),
    ratioLine('100 KB results/s', ratioOf(measured.samples, 'large', 'callsPerSecond')),
  ];
  return { lines, isTargetMet: ratio >= TARGET_RATIO };
}

type NumericKey =
  'callsPerSecond' | 'p50' | 'p99' | 'cpuMsPerCall' | 'upstreamRequestsPerCall' | 'newConnectionsPerCall';

function valuesOf(samples: readonly Sample[], scenario: ScenarioName, target: Name, key: NumericKey): number[] {
  return samples
    .filter((sample) => sample.scenario === scenario && sample.target === target)
    .toSorted((a, b) => a.round - b.round)
    .map((sample) => sample[key] ?? Number.NaN);
}

function medianOf(samples: readonly Sample[], scenario: ScenarioName, target: Name, key: NumericKey): number {
  return median(valuesOf(samples, scenario, target, key));
}

/** The median of the ratios of each round: a slow round is slow for both. */
function ratioOf(samples: readonly Sample[], scenario: ScenarioName, key: NumericKey): number {
  const reference = valuesOf(samples, scenario, 'pass-through', key);
  const gateway = valuesOf(samples, scenario, 'gateway', key);
  return median(gateway.map((value, round) => value / (reference[round] ?? Number.NaN)));
}

/** What a process in the middle adds to the median answer time of one client, by round. */
function addedLatency(samples: readonly Sample[], target: Name): number {
  const direct = valuesOf(samples, 'single', 'direct', 'p50');
  const through = valuesOf(samples, 'single', target, 'p50');
  return median(through.map((value, round) => value - (direct[round] ?? Number.NaN)));
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function orUnknown(value: number, digits: number): string {
  return Number.isNaN(value) ? 'unknown' : value.toFixed(digits);
}

function formatTable(rows: readonly string[][]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
}
