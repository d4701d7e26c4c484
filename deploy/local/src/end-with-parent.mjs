/**
 * Preloaded into each process that `npm start` starts: when the parent is gone, however it ended, so is this one.
 * A temporary folder that the parent can no longer remove goes with it.
 * Plain JavaScript: stripping types would cost each process 16 MiB, for these few lines.
 */
import { rmSync } from 'node:fs';

const input = process.stdin;
const end = () => {
  const folder = process.env.REMOVE_WITH_PARENT;
  if (folder) rmSync(folder, { recursive: true, force: true });
  process.kill(process.pid, 'SIGTERM');
};
input.on('end', end).on('error', end);
input.resume();
if ('unref' in input && typeof input.unref === 'function') input.unref();
