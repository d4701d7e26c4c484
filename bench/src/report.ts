/** Turns measurements into the table, the ratios and the verdict. Pure. */
import type { Measurements, Sample, ScenarioName } from './rounds.ts';
import { median } from './statistics.ts';
import {
  atLeast,
  atMost,
  counted,
  CALL_RATE_RATIO,
  COST_RATIO,
  describeTarget,
  IDLE_MIB,
  isMet,
  LARGE_RATE_RATIO,
  LIST_RATE_RATIO,
  NEW_CONNECTIONS_PER_CALL,
  SPANS_RECEIVED_RATIO,
  TRACED_RATE_RATIO,
  UPSTREAM_REQUESTS_PER_CALL,
  type Target,
} from './targets.ts';

/** The printed lines and the targets that are missed. */
export interface Report {
  lines: string[];
  missed: readonly Target[];
}

type Name = Sample['target'];
const MIDDLES: readonly Name[] = ['pass-through', 'gateway'];
const NAMES: readonly Name[] = ['direct', ...MIDDLES, 'traced'];
const UNTRACED: readonly Name[] = ['direct', ...MIDDLES];
const MEBIBYTE = 1_024 * 1_024;
/** The stretches with one client, by era. */
const SINGLE = [
  ['single', 'modern'],
  ['single-legacy', 'legacy'],
] as const;

/** Makes the report. */
export function createReport(measured: Measurements): Report {
  const rows: string[][] = [['', ...NAMES]];
  const add = (label: string, names: readonly Name[], value: (name: Name) => string): void => {
    rows.push([label, ...NAMES.map((name) => (names.includes(name) ? value(name) : '-'))]);
  };
  const middle = (scenario: ScenarioName, key: NumericKey) => (name: Name) =>
    medianOf(measured.samples, scenario, name, key);

  for (const era of ['modern', 'legacy'] as const) {
    const names = era === 'modern' ? NAMES : UNTRACED;
    add(`calls/s, 16 clients, ${era}`, names, (name) => whole(middle(era, 'callsPerSecond')(name)));
    add('  p50 ms', names, (name) => middle(era, 'p50')(name).toFixed(2));
    add('  p99 ms', names, (name) => middle(era, 'p99')(name).toFixed(2));
    const processes = names.filter((name) => name !== 'direct');
    add('  CPU ms per call', processes, (name) => orUnknown(middle(era, 'cpuMsPerCall')(name), 3));
  }
  for (const [scenario, era] of SINGLE) {
    add(`p50 ms, 1 client, ${era}`, UNTRACED, (name) => middle(scenario, 'p50')(name).toFixed(3));
    add('  added to direct', MIDDLES, (name) => addedLatency(measured.samples, scenario, name).toFixed(3));
  }
  add('merged lists/s, 16 clients', MIDDLES, (name) => whole(middle('list', 'callsPerSecond')(name)));
  add('  CPU ms per list', MIDDLES, (name) => orUnknown(middle('list', 'cpuMsPerCall')(name), 3));
  add('100 KB results/s, 16 clients', UNTRACED, (name) => whole(middle('large', 'callsPerSecond')(name)));
  add('  p99 ms', UNTRACED, (name) => middle('large', 'p99')(name).toFixed(2));
  add('upstream requests per call', MIDDLES, (name) => middle('modern', 'upstreamRequestsPerCall')(name).toFixed(3));
  add('new connections per call', MIDDLES, (name) => middle('modern', 'newConnectionsPerCall')(name).toFixed(3));
  add('resident MiB, idle', [...MIDDLES, 'traced'], (name) => whole((measured.idleBytes.get(name) ?? 0) / MEBIBYTE));
  add('resident MiB, after the load', [...MIDDLES, 'traced'], (name) =>
    whole((measured.bytesAfterLoad.get(name) ?? 0) / MEBIBYTE),
  );

  const targets = listTargets(measured);
  const { expected, received } = measured.spans;
  const spans = `Of the ${whole(expected)} spans of the traced calls ${whole(received)} arrived at the receiver.`;
  const verdicts = targets.map(describeTarget);
  const lines = [...formatTable(rows), '', spans, '', 'Targets (gateway / pass-through):', ...verdicts];
  return { lines, missed: targets.filter((target) => !isMet(target)) };
}

function listTargets({ samples, idleBytes, spans }: Measurements): Target[] {
  const idle = idleBytes.get('gateway');
  return [
    ...SINGLE.flatMap(([single, era]) => [
      atLeast(`calls/s, ${era}`, ratioOf(samples, era, 'callsPerSecond'), CALL_RATE_RATIO),
      atMost(`CPU per call, ${era}`, ratioOf(samples, era, 'cpuMsPerCall'), COST_RATIO),
      atMost(
        `added p50, 1 client, ${era}`,
        addedLatency(samples, single, 'gateway') / addedLatency(samples, single, 'pass-through'),
        COST_RATIO,
      ),
    ]),
    atLeast('merged lists/s (there: a static answer)', ratioOf(samples, 'list', 'callsPerSecond'), LIST_RATE_RATIO),
    atLeast('100 KB results/s', ratioOf(samples, 'large', 'callsPerSecond'), LARGE_RATE_RATIO),
    atLeast(
      'calls/s, traced / not traced',
      ratioOf(samples, 'modern', 'callsPerSecond', 'traced', 'gateway'),
      TRACED_RATE_RATIO,
    ),
    atLeast('spans that arrived', spans.received / spans.expected, SPANS_RECEIVED_RATIO),
    counted(
      atMost(
        'upstream requests per call',
        medianOf(samples, 'modern', 'gateway', 'upstreamRequestsPerCall'),
        UPSTREAM_REQUESTS_PER_CALL,
        3,
      ),
    ),
    counted(
      atMost(
        'new connections per call',
        medianOf(samples, 'modern', 'gateway', 'newConnectionsPerCall'),
        NEW_CONNECTIONS_PER_CALL,
        3,
      ),
    ),
    counted(atMost('resident MiB, idle', idle ? idle / MEBIBYTE : Number.NaN, IDLE_MIB, 0)),
  ];
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
function ratioOf(
  samples: readonly Sample[],
  scenario: ScenarioName,
  key: NumericKey,
  measured: Name = 'gateway',
  beside: Name = 'pass-through',
): number {
  const reference = valuesOf(samples, scenario, beside, key);
  const values = valuesOf(samples, scenario, measured, key);
  return median(values.map((value, round) => value / (reference[round] ?? Number.NaN)));
}

/** What a process in the middle adds to the median answer time of one client, by round. */
function addedLatency(samples: readonly Sample[], scenario: ScenarioName, target: Name): number {
  const direct = valuesOf(samples, scenario, 'direct', 'p50');
  const through = valuesOf(samples, scenario, target, 'p50');
  return median(through.map((value, round) => value - (direct[round] ?? Number.NaN)));
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function orUnknown(value: number, digits: number): string {
  return Number.isNaN(value) ? 'unknown' : value.toFixed(digits);
}

/** Columns of one width, the first to the left, the others to the right. */
export function formatTable(rows: readonly string[][]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
}
