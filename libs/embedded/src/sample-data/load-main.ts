/** The process of load-apart.ts: targets as JSON on standard input, progress on standard output, a problem on standard error. */
import { json } from 'node:stream/consumers';
import { loadSampleData, type SampleDataTargets } from './load.ts';

try {
  const targets = (await json(process.stdin)) as SampleDataTargets;
  await loadSampleData({ ...targets, onProgress: (line) => console.log(line) });
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
