/** Preloaded into each process that `npm start` starts: when the parent is gone, however it ended, so is this one. */
import type { Socket } from 'node:net';

const input = process.stdin as unknown as Socket;
input.on('end', () => process.kill(process.pid, 'SIGTERM'));
input.on('error', () => process.kill(process.pid, 'SIGTERM'));
input.resume();
input.unref();
