import { readFileSync, writeFileSync } from 'node:fs';
import { residentBytes } from './process-table.ts';

const SAMPLE_MS = 20;

/**
 * The most resident memory, in bytes, that a process of this user had while the work ran. On Linux the system's own
 * high-water mark (proc(5): `clear_refs` sets it back, `VmHWM` tells it), elsewhere the largest of samples.
 */
export async function peakResidentBytes(pid: number, work: () => Promise<unknown>): Promise<number> {
  const hasMark = resetMark(pid);
  let largest = residentBytes(pid);
  const timer = hasMark ? undefined : setInterval(() => (largest = Math.max(largest, residentBytes(pid))), SAMPLE_MS);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return hasMark ? readMark(pid) : Math.max(largest, residentBytes(pid));
}

function resetMark(pid: number): boolean {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
    return true;
  } catch {
    return false;
  }
}

function readMark(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes ?? Number.NaN) * 1024;
}
