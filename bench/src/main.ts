/**
 * `npm run bench [-- --quick]`: the gateway beside a bare pass-through and beside no middle at all, then postgres-mcp
 * beside the bare driver and a rival (a quick run leaves out the rival, which has to be downloaded).
 * `npm run bench -- --postgres`: the second part alone, with the rival.
 * `npm run bench -- --soak MINUTES`: the gateway alone under mixed load, watching its memory.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { SpawnedProcess } from '@database-mcp/testing';
import { choosePinning, type Pinning } from './pinning.ts';
import { runPostgresBench } from './postgres/run.ts';
import type { PostgresPlan } from './postgres/rounds.ts';
import { startSetup } from './processes.ts';
import { createReport, type Report } from './report.ts';
import { measure, type Plan } from './rounds.ts';
import { judgeSoak, soak } from './soak.ts';
import { isMet, QUICK_RUN_SLACK, type Target } from './targets.ts';

/** Beyond these something hangs. */
const LIMIT_MS = { quick: 240_000, full: 600_000 };
/** 17 stretches a round, about 60 s and 170 s in all. Many short rounds bear a busy machine better than few long ones. */
const PLANS: Record<'quick' | 'full', Plan> = {
  quick: { rounds: 7, measureMs: 250 },
  full: { rounds: 17, measureMs: 400 },
};
/** 4 stretches a round for each of two or three programs: about 15 s, and with the rival 120 s. */
const POSTGRES_PLANS: Record<'quick' | 'full', PostgresPlan> = {
  quick: { rounds: 5, measureMs: 250, heatUpMs: 500 },
  full: { rounds: 17, measureMs: 500, heatUpMs: 1_000 },
};

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    postgres: { type: 'boolean', default: false },
    soak: { type: 'string' },
  },
});
const size = values.quick ? 'quick' : 'full';
const MINUTE_MS = 60_000;
const soakMs = values.soak === undefined ? 0 : Number(values.soak) * MINUTE_MS;
if (!(soakMs >= 0)) throw new Error(`--soak takes a number of minutes, not ${JSON.stringify(values.soak)}`);

const folder = mkdtempSync(join(tmpdir(), 'database-mcp-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
}
const limitMs = LIMIT_MS[size] + soakMs;
const limit = setTimeout(() => stop.abort(new Error(`the run took more than ${limitMs / 1_000} s`)), limitMs);

const running: SpawnedProcess[] = [];
try {
  const model = cpus()[0]?.model ?? 'an unknown processor';
  const load = loadavg()[0] ?? 0;
  console.log(
    `Node ${process.version}, ${availableParallelism()} cores of ${model}, load before the run ${load.toFixed(1)}`,
  );
  if (load > availableParallelism() / 2)
    console.log('The machine is busy: trust the ratios and CPU times, not the rates.');
  const interrupted = new Promise<never>((_, reject) => {
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true });
  });
  const run = async (): Promise<void> => {
    if (soakMs > 0) return await runSoak(choosePinning());
    const reports = values.postgres ? [] : [await runGateway(choosePinning())];
    reports.push(await runPostgres());
    judge(reports.flatMap(({ missed }) => missed));
  };
  await Promise.race([run(), interrupted]);
} catch (error) {
  console.error(`The benchmark did not finish: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  clearTimeout(limit);
  await stopRunning();
  // A start that was interrupted may still be waiting; what it started ends with this process.
  process.exit();
}

async function runSoak(pinning: Pinning): Promise<void> {
  const setup = await startSetup(folder, pinning, (started) => running.push(started));
  const verdict = judgeSoak(await soak(setup, soakMs, stop.signal, printProgress));
  console.log(verdict.text);
  if (!verdict.isFlat) process.exitCode = 1;
}

async function runGateway(pinning: Pinning): Promise<Report> {
  console.log(pinning.description);
  const setup = await startSetup(folder, pinning, (started) => running.push(started));
  const { rounds, measureMs } = PLANS[size];
  const report = createReport(await measure(setup, PLANS[size], stop.signal, printProgress));
  await stopRunning();
  pinning.release();
  console.log(`Medians of ${rounds} interleaved rounds of ${measureMs} ms; three upstreams with 12 tools each.\n`);
  console.log(`${report.lines.join('\n')}\n`);
  return report;
}

async function runPostgres(): Promise<Report> {
  const withRival = values.postgres || !values.quick;
  const plan = POSTGRES_PLANS[size];
  const report = await runPostgresBench({ plan, folder, withRival, signal: stop.signal, onProgress: printProgress });
  console.log(
    `Postgres 18 on this machine, MCP over standard input and output; not pinned. Medians of ${plan.rounds} interleaved rounds of ${plan.measureMs} ms.\n`,
  );
  console.log(report.lines.join('\n'));
  return report;
}

function judge(missed: readonly Target[]): void {
  if (missed.length === 0) return;
  console.error(`\n${missed.length} targets are missed. Profile what is slow: node --cpu-prof apps/<app>/dist/main.js`);
  const slack = values.quick ? QUICK_RUN_SLACK : 0;
  if (missed.some((target) => !isMet(target, slack))) process.exitCode = 1;
  else console.error('They are close to their limits, which a quick run cannot tell: run it without --quick.');
}

async function stopRunning(): Promise<void> {
  await Promise.all(running.splice(0).map((entry) => entry.stop({ killAfterMs: 5_000 })));
}

function printProgress(text: string): void {
  console.error(text);
}
