/**
 * `npm run bench [-- --quick]`: the gateway beside a bare pass-through and beside no middle at all, in one run.
 * `npm run bench -- --soak MINUTES`: the gateway alone under mixed load, watching its memory.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { SpawnedProcess } from '@database-mcp/testing';
import { choosePinning } from './pinning.ts';
import { startSetup } from './processes.ts';
import { createReport } from './report.ts';
import { measure, type Plan } from './rounds.ts';
import { judgeSoak, soak } from './soak.ts';
import { isMet, QUICK_RUN_SLACK } from './targets.ts';

/** Beyond these something hangs. */
const LIMIT_MS = { quick: 120_000, full: 300_000 };
/** 17 stretches a round, about 60 s and 170 s in all. Many short rounds bear a busy machine better than few long ones. */
const PLANS: Record<'quick' | 'full', Plan> = {
  quick: { rounds: 7, measureMs: 250 },
  full: { rounds: 17, measureMs: 400 },
};

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, soak: { type: 'string' } } });
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
  const pinning = choosePinning();
  const model = cpus()[0]?.model ?? 'an unknown processor';
  const load = loadavg()[0] ?? 0;
  console.log(
    `Node ${process.version}, ${availableParallelism()} cores of ${model}, load before the run ${load.toFixed(1)}`,
  );
  console.log(pinning.description);
  if (load > availableParallelism() / 2)
    console.log('The machine is busy: trust the ratios and CPU times, not the rates.');
  const interrupted = new Promise<never>((_, reject) => {
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true });
  });
  const run = async (): Promise<void> => {
    const setup = await startSetup(folder, pinning, (started) => running.push(started));
    if (soakMs > 0) {
      const verdict = judgeSoak(await soak(setup, soakMs, stop.signal, printProgress));
      console.log(verdict.text);
      if (!verdict.isFlat) process.exitCode = 1;
      return;
    }
    const measured = await measure(setup, PLANS[size], stop.signal, printProgress);
    const report = createReport(measured);
    const { rounds, measureMs } = PLANS[size];
    console.log(`Medians of ${rounds} interleaved rounds of ${measureMs} ms; three upstreams with 12 tools each.\n`);
    console.log(report.lines.join('\n'));
    const { missed } = report;
    if (missed.length === 0) return;
    const hint = 'Profile the gateway: node --cpu-prof apps/gateway/dist/main.js';
    console.error(`\n${missed.length} targets are missed. ${hint}`);
    const slack = values.quick ? QUICK_RUN_SLACK : 0;
    if (missed.some((target) => !isMet(target, slack))) process.exitCode = 1;
    else console.error('They are close to their limits, which a quick run cannot tell: run it without --quick.');
  };
  await Promise.race([run(), interrupted]);
} catch (error) {
  console.error(`The benchmark did not finish: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  clearTimeout(limit);
  await Promise.all(running.map((entry) => entry.stop({ killAfterMs: 5_000 })));
  // A start that was interrupted may still be waiting; what it started ends with this process.
  process.exit();
}

function printProgress(text: string): void {
  console.error(text);
}
