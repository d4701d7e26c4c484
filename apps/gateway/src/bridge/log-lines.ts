/** Hands the lines of a program's output to a log: bounded in length and number, without the secrets it was given. */
import type { Readable } from 'node:stream';

const MAX_LINE_CHARS = 2_000;
/** A program that floods must not fill the log: more lines than this within the window are counted, not written. */
const MAX_LINES = 100;
const WINDOW_MS = 1_000;
/** Shorter values (a number, "true") stand in ordinary text as well. */
const MIN_SECRET_CHARS = 6;
const LINE_FEED = '\n';

/** Reads the stream to its end. */
export function logLines(stream: Readable, secrets: readonly string[], write: (line: string) => void): void {
  // A path is no secret, and the log is of little use without paths.
  const hidden = secrets.filter((secret) => secret.length >= MIN_SECRET_CHARS && !secret.startsWith('/'));
  // Hidden before a line is cut: half a secret would not be known as one.
  const hide = (line: string): string => hidden.reduce((text, secret) => text.replaceAll(secret, '***'), line);
  const maxRest = MAX_LINE_CHARS + Math.max(0, ...hidden.map((secret) => secret.length));
  let rest = '';
  let windowEnd = 0;
  let written = 0;
  let dropped = 0;
  const writeLine = (line: string): void => {
    if (line.trim() === '') return;
    const now = performance.now();
    if (now >= windowEnd) {
      if (dropped > 0) write(`(${dropped} more lines were left out)`);
      windowEnd = now + WINDOW_MS;
      written = 0;
      dropped = 0;
    }
    if (written++ < MAX_LINES) write(line);
    else dropped++;
  };
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = `${rest}${chunk}`.split(LINE_FEED);
    // What is over the bound is cut off; the rest of a line without end is held no longer than the bound.
    rest = (lines.pop() ?? '').slice(0, maxRest);
    for (const line of lines) writeLine(hide(line).slice(0, MAX_LINE_CHARS).trimEnd());
  });
  stream.on('end', () => writeLine(hide(rest).slice(0, MAX_LINE_CHARS)));
  stream.on('error', () => {});
}
