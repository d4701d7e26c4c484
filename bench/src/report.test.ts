import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createReport } from './report.ts';
import type { Measurements, Sample, ScenarioName } from './rounds.ts';

type Rates = Record<Exclude<Sample['target'], 'traced'>, number[]> & { traced?: number[] };

function createMeasurements(rates: Rates): Measurements {
  const samples: Sample[] = [];
  for (const scenario of ['modern', 'legacy', 'single', 'single-legacy', 'list', 'large'] satisfies ScenarioName[]) {
    for (const [target, values] of Object.entries({ traced: rates.gateway, ...rates }) as [
      Sample['target'],
      number[],
    ][]) {
      values.forEach((callsPerSecond, round) => {
        samples.push({
          scenario,
          target,
          round,
          callsPerSecond,
          calls: callsPerSecond,
          callsInAll: callsPerSecond,
          p50: 1_000 / callsPerSecond,
          p99: 5_000 / callsPerSecond,
          errors: 0,
          firstError: undefined,
          cpuMsPerCall: target === 'direct' ? undefined : 0.05,
          upstreamRequestsPerCall: 1,
          newConnectionsPerCall: 0,
        });
      });
    }
  }
  const bytes = new Map([['gateway', 100 * 1_024 * 1_024] as const]);
  return { samples, idleBytes: bytes, bytesAfterLoad: bytes, spans: { expected: 100, received: 100 } };
}

const RATES = { direct: [20_000, 20_000, 20_000], 'pass-through': [10_000, 10_000, 10_000] };
const VERDICTS = [
  { gateway: [8_000, 8_000, 8_000], line: 'met       calls/s, modern: 0.80 (at least 0.8)', why: 'exactly the target' },
  { gateway: [7_900, 7_900, 7_900], line: 'MISSED    calls/s, modern: 0.79 (at least 0.8)', why: 'a little below' },
  {
    gateway: [9_000, 9_000, 100],
    line: 'met       calls/s, modern: 0.90 (at least 0.8)',
    why: 'one slow round of three does not count',
  },
  {
    gateway: [8_700, 8_700, 8_700],
    line: 'met       added p50, 1 client, legacy: 1.30 (at most 1.3)',
    why: '65 µs are added, there 50',
  },
  {
    gateway: [8_000, 8_000, 8_000],
    line: 'MISSED    added p50, 1 client, modern: 1.50 (at most 1.3)',
    why: '75 µs are added, there 50',
  },
];
for (const { gateway, line, why } of VERDICTS) {
  test(`a target is judged: ${line} (${why})`, () => {
    const report = createReport(createMeasurements({ ...RATES, gateway }));
    assert.ok(report.lines.includes(line), report.lines.join('\n'));
    const label = /^\S+ +([^:]*):/.exec(line)?.[1];
    assert.equal(
      report.missed.some((target) => target.label === label),
      line.startsWith('MISSED'),
    );
  });
}

test('a gateway as fast as the pass-through misses nothing', () => {
  const report = createReport(createMeasurements({ ...RATES, gateway: RATES['pass-through'] }));
  assert.deepEqual(report.missed, []);
});

test('ratios are taken round by round, so that a slow stretch of the machine hits both sides', () => {
  const rates = { direct: [9_000, 900, 90], 'pass-through': [10_000, 1_000, 100], gateway: [8_000, 800, 80] };
  const { lines } = createReport(createMeasurements(rates));
  assert.ok(lines.includes('met       calls/s, modern: 0.80 (at least 0.8)'), lines.join('\n'));
});

test('the table has every measure of all that were measured', () => {
  const { lines } = createReport(createMeasurements({ direct: [20_000], 'pass-through': [10_000], gateway: [8_000] }));
  const row = (label: string): string[] | undefined =>
    lines
      .find((line) => line.startsWith(label))
      ?.slice(label.length)
      .trim()
      .split(/ +/);
  assert.deepEqual(row('calls/s, 16 clients, modern'), ['20,000', '10,000', '8,000', '8,000']);
  assert.deepEqual(row('  CPU ms per call'), ['-', '0.050', '0.050', '0.050']);
  assert.deepEqual(row('  added to direct'), ['-', '0.050', '0.075', '-']);
  assert.deepEqual(row('resident MiB, idle'), ['-', '0', '100', '0']);
});

test('tracing is judged beside the gateway without it, and by the spans that arrived', () => {
  const measured = createMeasurements({ ...RATES, gateway: RATES['pass-through'], traced: [7_400, 7_400, 7_400] });
  measured.spans = { expected: 100, received: 98 };
  assert.deepEqual(
    createReport(measured).missed.map(({ label }) => label),
    ['calls/s, traced / not traced', 'spans that arrived'],
  );
});

test('a system that does not tell CPU times gets "unknown" and still a verdict', () => {
  const measured = createMeasurements({ direct: [20_000], 'pass-through': [10_000], gateway: [8_000] });
  for (const sample of measured.samples) sample.cpuMsPerCall = undefined;
  const { lines, missed } = createReport(measured);
  assert.ok(lines.some((line) => /CPU ms per call +- +unknown +unknown/.test(line)));
  assert.ok(lines.includes('not told  CPU per call, modern: unknown (at most 1.3)'), lines.join('\n'));
  assert.deepEqual(
    missed.filter(({ label }) => label.startsWith('CPU')),
    [],
  );
  assert.ok(!lines.join('\n').includes('NaN'), lines.join('\n'));
});
