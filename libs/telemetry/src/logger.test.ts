import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

const LINES = 500;
/** `mayOvertake`: a piece may be on its way in the background, and what is left is written before it has arrived. */
const ENDS: readonly { code: string; why: string; mayOvertake?: boolean }[] = [
  { code: '', why: 'nothing is left to do' },
  { code: 'process.exit(0)', why: 'it exits at once', mayOvertake: true },
  { code: 'throw new Error("planned")', why: 'it crashes', mayOvertake: true },
  { code: 'setTimeout(() => {}, 250)', why: 'the lines were written before' },
];

for (const { code, why, mayOvertake } of ENDS) {
  test(`no line of the log is lost at the end of the process: ${why}`, async () => {
    const script = `
      import { createLogger } from ${JSON.stringify(pathToFileURL(`${import.meta.dirname}/logger.ts`).href)};
      const logger = await createLogger({ service: 'test', level: 'info', pretty: false });
      for (let n = 0; n < ${LINES}; n++) logger.info({ n, filler: 'x'.repeat(100) }, 'line');
      ${code};`;
    const stderr = await new Promise<string>((resolve) => {
      execFile(process.execPath, ['--input-type=module', '-e', script], (_error, _stdout, text) => resolve(text));
    });
    const numbers = [...stderr.matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n));
    assert.deepEqual(
      mayOvertake ? numbers.toSorted((a, b) => a - b) : numbers,
      Array.from({ length: LINES }, (_, n) => n),
    );
  });
}
