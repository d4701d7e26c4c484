import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPostgresReport } from './report.ts';
import type { PostgresMeasurements, PostgresSample } from './rounds.ts';
import type { TargetName } from './targets.ts';

const MIB = 1_024 * 1_024;

/** Calls per second by target and round; one client is answered in the time that one call takes. */
function createMeasurements(rates: Partial<Record<TargetName, number[]>>, cellMib = 10): PostgresMeasurements {
  const targets = Object.keys(rates) as TargetName[];
  const samples: PostgresSample[] = [];
  for (const query of ['SELECT 1', '100 rows'])
    for (const clients of [1, 8])
      for (const target of targets)
        for (const [round, callsPerSecond] of (rates[target] ?? []).entries())
          samples.push({
            target,
            query,
            clients,
            round,
            callsPerSecond,
            calls: callsPerSecond,
            callsInAll: callsPerSecond,
            p50: 1_000 / callsPerSecond,
            cpuMsPerCall: 0.1,
          });
  const servers = targets.filter((name) => name !== 'bare pg');
  return {
    targets,
    samples,
    idleBytes: new Map(targets.map((name) => [name, 100 * MIB])),
    largeCellBytes: new Map(servers.map((name) => [name, cellMib * MIB])),
    answerBytes: new Map(servers.map((name) => [name, 17_224])),
  };
}

const VERDICTS = [
  {
    rates: { 'bare pg': [1_000], 'postgres-mcp': [500] },
    line: 'met       ms added to bare pg, SELECT 1, 1 client: 1.000 (at most 1)',
    why: '2 ms instead of 1, exactly the limit',
  },
  {
    rates: { 'bare pg': [1_000], 'postgres-mcp': [499] },
    line: 'MISSED    ms added to bare pg, 100 rows, 1 client: 1.004 (at most 1)',
    why: 'just above the limit',
  },
  {
    rates: { 'bare pg': [9_000, 900], 'postgres-mcp': [5_000, 500], 'dbhub 1.4.0': [5_000, 500] },
    line: 'met       calls/s beside dbhub 1.4.0, SELECT 1, 8 in flight: 1.00 (at least 1)',
    why: 'as fast, in fast and in slow rounds',
  },
  {
    rates: { 'bare pg': [9_000], 'postgres-mcp': [4_900], 'dbhub 1.4.0': [5_000] },
    line: 'MISSED    calls/s beside dbhub 1.4.0, 100 rows, 8 in flight: 0.98 (at least 1)',
    why: 'slower than the rival',
  },
  {
    rates: { 'bare pg': [9_000], 'postgres-mcp': [4_000], 'dbhub 1.4.0': [5_000] },
    line: 'MISSED    p50 beside dbhub 1.4.0, SELECT 1, 1 client: 1.25 (at most 1)',
    why: 'adds more than the rival',
  },
];
for (const { rates, line, why } of VERDICTS) {
  test(`a target of postgres-mcp is judged: ${line} (${why})`, () => {
    const { lines, missed } = createPostgresReport(createMeasurements(rates));
    assert.ok(lines.includes(line), lines.join('\n'));
    const label = /^\S+ +([^:]*):/.exec(line)?.[1];
    assert.equal(
      missed.some((target) => target.label === label),
      line.startsWith('MISSED'),
    );
  });
}

test('a large cell that adds too much is a missed target', () => {
  const rates = { 'bare pg': [9_000], 'postgres-mcp': [5_000] };
  const { missed } = createPostgresReport(createMeasurements(rates, 61));
  assert.deepEqual(
    missed.map(({ label }) => label),
    ['MiB that a 50 MB cell adds'],
  );
});

test('without the rival nothing is compared with it, and the table has no column for it', () => {
  const { lines } = createPostgresReport(createMeasurements({ 'bare pg': [9_000], 'postgres-mcp': [5_000] }));
  assert.ok(!lines.join('\n').includes('dbhub'), lines.join('\n'));
  assert.match(lines.join('\n'), /KB of an answer with 100 rows +- +17\.2\n/);
});
