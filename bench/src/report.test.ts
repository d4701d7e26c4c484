import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createReport } from './report.ts';
import type { Measurements, Sample, ScenarioName } from './rounds.ts';

type Rates = Record<Sample['target'], number[]>;

function createMeasurements(rates: Rates): Measurements {
  const samples: Sample[] = [];
  for (const scenario of ['modern', 'legacy', 'single', 'list', 'large'] satisfies ScenarioName[]) {
    for (const [target, values] of Object.entries(rates) as [Sample['target'], number[]][]) {
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
  return { samples, idleBytes: bytes, bytesAfterLoad: bytes };
}

const VERDICTS = [
  { gateway: [6_000, 6_000, 6_000], ratio: '0.60', isTargetMet: true, why: 'exactly the target' },
  { gateway: [5_900, 5_900, 5_900], ratio: '0.59', isTargetMet: false, why: 'a little below' },
  { gateway: [9_000, 9_000, 100], ratio: '0.90', isTargetMet: true, why: 'one slow round of three does not count' },
];
for (const { gateway, ratio, isTargetMet, why } of VERDICTS) {
  test(`a gateway with a ratio of ${ratio} ${isTargetMet ? 'meets' : 'misses'} the target: ${why}`, () => {
    const report = createReport(
      createMeasurements({ direct: [20_000, 20_000, 20_000], 'pass-through': [10_000, 10_000, 10_000], gateway }),
    );
    assert.equal(report.isTargetMet, isTargetMet);
    assert.ok(report.lines.includes(`gateway / pass-through: calls/s ${ratio} (target 0.6)`), report.lines.join('\n'));
  });
}

test('ratios are taken round by round, so that a slow stretch of the machine hits both sides', () => {
  const rates = { direct: [9_000, 900, 90], 'pass-through': [10_000, 1_000, 100], gateway: [8_000, 800, 80] };
  assert.ok(
    createReport(createMeasurements(rates)).lines.includes('gateway / pass-through: calls/s 0.80 (target 0.6)'),
  );
});

test('the table has every measure of all that were measured', () => {
  const { lines } = createReport(createMeasurements({ direct: [20_000], 'pass-through': [10_000], gateway: [8_000] }));
  const row = (label: string): string[] | undefined =>
    lines
      .find((line) => line.startsWith(label))
      ?.slice(label.length)
      .trim()
      .split(/ +/);
  assert.deepEqual(row('calls/s, 16 clients, modern'), ['20,000', '10,000', '8,000']);
  assert.deepEqual(row('  CPU ms per call'), ['-', '0.050', '0.050']);
  assert.deepEqual(row('  added to direct'), ['-', '0.050', '0.075']);
  assert.deepEqual(row('resident MiB, idle'), ['-', '0', '100']);
});

test('a system that does not tell CPU times gets "unknown" and still a verdict', () => {
  const measured = createMeasurements({ direct: [20_000], 'pass-through': [10_000], gateway: [8_000] });
  for (const sample of measured.samples) sample.cpuMsPerCall = undefined;
  const { lines, isTargetMet } = createReport(measured);
  assert.ok(lines.some((line) => /CPU ms per call +- +unknown +unknown/.test(line)));
  assert.ok(isTargetMet);
  assert.ok(!lines.join('\n').includes('NaN'), lines.join('\n'));
});
