/**
 * Preloaded into each process that `npm start` starts: when the parent is gone, however it ended, so is this one.
 * Plain JavaScript: stripping types would cost each process 16 MiB, for these few lines.
 */
const input = process.stdin;
const end = () => process.kill(process.pid, 'SIGTERM');
input.on('end', end).on('error', end);
input.resume();
if ('unref' in input && typeof input.unref === 'function') input.unref();
