import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { logLines } from './log-lines.ts';

const SECRET = 'hunter2-and-more';

async function readLines(chunks: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  const stream = new PassThrough();
  logLines(stream, [SECRET, '/usr/bin', 'true'], (line) => lines.push(line));
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await once(stream, 'end');
  return lines;
}

const CASES = [
  { why: 'two lines and a rest', chunks: ['one\ntw', 'o\n\nthree'], lines: ['one', 'two', 'three'] },
  { why: 'a secret, but no path and no word', chunks: [`key ${SECRET} at /usr/bin is true\n`], lines: ['key *** at /usr/bin is true'] }, // prettier-ignore
  { why: 'a secret in two pieces', chunks: [`key ${SECRET.slice(0, 5)}`, `${SECRET.slice(5)}\n`], lines: ['key ***'] },
  { why: 'a line that is too long', chunks: [`${'x'.repeat(5_000)}\n`], lines: ['x'.repeat(2_000)] },
  {
    why: 'a secret where a line is cut',
    chunks: [`${'x'.repeat(1_990)}${SECRET} and more\n`],
    lines: [`${'x'.repeat(1_990)}*** and mo`],
  },
  {
    why: 'a secret where a line without end is cut',
    chunks: [`${'x'.repeat(1_990)}${SECRET}`, 'and more without end'],
    lines: [`${'x'.repeat(1_990)}***and mor`],
  },
];

for (const { why, chunks, lines } of CASES) {
  test(`what a command writes is logged line by line, without its secrets (${why})`, async () => {
    const got = await readLines(chunks);
    assert.deepEqual(got, lines);
    assert.ok(!got.join('').includes(SECRET.slice(0, 7)), 'no part of the secret');
  });
}
