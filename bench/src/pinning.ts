import { spawnSync } from 'node:child_process';

/** How to start the processes: those that make load and answer it on one core, the one that is measured on another. */
export interface Pinning {
  /** A sentence for the report. */
  description: string;
  /** Put in front of a Node command line. */
  outer: { command: string; args: readonly string[] };
  middle: { command: string; args: readonly string[] };
}

/** Finds out whether `taskset` can pin to cores 0 and 1, and pins this process to core 0. */
export function choosePinning(): Pinning {
  const node = { command: process.execPath, args: [] };
  if (process.platform !== 'linux') {
    return { description: 'not pinned: only Linux has taskset', outer: node, middle: node };
  }
  const canPin = ['0', '1'].every((core) => spawnSync('taskset', ['-c', core, 'true']).status === 0);
  if (!canPin) {
    return { description: 'not pinned: taskset or a second core is missing', outer: node, middle: node };
  }
  // This process reads what the others log.
  spawnSync('taskset', ['-acp', '0', String(process.pid)]);
  return {
    description:
      'pinned with taskset: driver, upstreams and the reader of the logs on core 0, the measured process on core 1',
    outer: onCore('0'),
    middle: onCore('1'),
  };
}

function onCore(core: string): Pinning['outer'] {
  return { command: 'taskset', args: ['-c', core, process.execPath] };
}
