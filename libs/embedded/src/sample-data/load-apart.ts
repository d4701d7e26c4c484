/** Loads the sample data in a process that ends afterwards, so that a long-lived caller does not keep the drivers in memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { SampleDataTargets } from './load.ts';

const LOAD_MAIN = fileURLToPath(new URL('load-main.ts', import.meta.url));

/** As `loadSampleData`, in a process of its own; the targets reach it through its standard input, not its arguments. */
export async function loadSampleDataApart(targets: SampleDataTargets): Promise<void> {
  const { onProgress = () => {}, ...places } = targets;
  const child = spawn(process.execPath, [LOAD_MAIN], { stdio: 'pipe' });
  child.stdin.end(JSON.stringify(places));
  createInterface({ input: child.stdout }).on('line', onProgress);
  const [[code], problem] = await Promise.all([once(child, 'close') as Promise<[number | null]>, text(child.stderr)]);
  if (code !== 0) throw new Error(problem.trim() || `Loading the sample data ended early (code ${code}).`);
}
