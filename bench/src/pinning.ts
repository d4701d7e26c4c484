import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** How to start the processes: those that make load and answer it on one core, the one that is measured on another. */
export interface Pinning {
  /** A sentence for the report. */
  description: string;
  /** Put in front of a Node command line. */
  outer: { command: string; args: readonly string[] };
  middle: { command: string; args: readonly string[] };
  /** Gives this process, and what it starts from now on, all its cores again. */
  release(): void;
}

/** Finds out whether `taskset` can pin to cores 0 and 1, and pins this process to core 0. */
export function choosePinning(): Pinning {
  if (process.platform !== 'linux') return unpinned('only Linux has taskset');
  const canPin = ['0', '1'].every((core) => spawnSync('taskset', ['-c', core, 'true']).status === 0);
  if (!canPin) return unpinned('taskset or a second core is missing');
  const allowed = allowedCores();
  // This process reads what the others log.
  pinThis('0');
  return {
    description:
      'pinned with taskset: driver, upstreams and the reader of the logs on core 0, the measured process on core 1',
    outer: onCore('0'),
    middle: onCore('1'),
    release: () => pinThis(allowed),
  };
}

function unpinned(reason: string): Pinning {
  const node = { command: process.execPath, args: [] };
  return { description: `not pinned: ${reason}`, outer: node, middle: node, release: () => {} };
}

function pinThis(cores: string): void {
  spawnSync('taskset', ['-acp', cores, String(process.pid)]);
}

/** The cores that this process may use, such as `0-3`. */
function allowedCores(): string {
  return /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
}

function onCore(core: string): Pinning['outer'] {
  return { command: 'taskset', args: ['-c', core, process.execPath] };
}
