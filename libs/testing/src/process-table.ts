/** What the system knows about processes: from /proc on Linux, from `ps` elsewhere. Synchronous, for use at exit. */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

/** One process. */
export interface ProcessInfo {
  pid: number;
  parentPid: number;
  /** Process group; a process that was started detached leads its own. */
  groupId: number;
  /** Differs when a process id is used again by another process. */
  startedAt: string;
  /** The command line, cut. */
  command: string;
}

/** Enough to recognise a process in a message. */
const MAX_COMMAND_LENGTH = 200;
/** USER_HZ, the unit of CPU times in /proc, is 100 on every Linux that Node supports. */
const TICKS_PER_SECOND = 100;

const isLinux = process.platform === 'linux';

/** Every process that this user may see. A process that has ended and waits for its parent (a zombie) is left out. */
export function listProcesses(): ProcessInfo[] {
  if (!isLinux) return listWithPs();
  const processes: ProcessInfo[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const fields = readStat(Number(entry));
    if (!fields || fields[0] === 'Z') continue;
    processes.push({
      pid: Number(entry),
      parentPid: Number(fields[1]),
      groupId: Number(fields[2]),
      startedAt: fields[19] ?? '',
      command: readCommand(entry),
    });
  }
  return processes;
}

/** The process and everything below it, the process itself first; empty when it does not exist. */
export function processTree(pid: number): ProcessInfo[] {
  const all = listProcesses();
  const root = all.find((entry) => entry.pid === pid);
  const tree = root ? [root] : [];
  // The array grows while it is walked: children are appended behind their parents.
  for (const parent of tree) tree.push(...all.filter((entry) => entry.parentPid === parent.pid));
  return tree;
}

/** Resident memory of one process in bytes; 0 when it does not exist. */
export function residentBytes(pid: number): number {
  if (isLinux) {
    try {
      const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      return Number(kilobytes ?? 0) * 1024;
    } catch {
      return 0;
    }
  }
  try {
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1024;
  } catch {
    return 0;
  }
}

/** User and system CPU time that a process has used, in seconds; undefined where the system does not tell. */
export function cpuSeconds(pid: number): number | undefined {
  const fields = isLinux ? readStat(pid) : undefined;
  if (!fields) return undefined;
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Whether a process with this id exists and runs. */
export function isRunning(pid: number): boolean {
  if (isLinux) {
    const fields = readStat(pid);
    return fields !== undefined && fields[0] !== 'Z';
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Fields of /proc/<pid>/stat from the state on (field 3 of proc(5) is index 0 here). */
function readStat(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command name stands in parentheses and may itself hold spaces and parentheses.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function readCommand(pid: string): string {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return command.slice(0, MAX_COMMAND_LENGTH);
  } catch {
    return '';
  }
}

function listWithPs(): ProcessInfo[] {
  // lstart is five words: weekday, month, day, time, year.
  const columns = ['-o', 'pid=', '-o', 'ppid=', '-o', 'pgid=', '-o', 'stat=', '-o', 'lstart=', '-o', 'command='];
  const lines = execFileSync('ps', ['-ax', ...columns], { encoding: 'utf8' }).split('\n');
  const pattern = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/;
  return lines.flatMap((line) => {
    const [, pid, parentPid, groupId, state, startedAt, command] = pattern.exec(line) ?? [];
    if (pid === undefined || state?.startsWith('Z')) return [];
    return {
      pid: Number(pid),
      parentPid: Number(parentPid),
      groupId: Number(groupId),
      startedAt: startedAt ?? '',
      command: (command ?? '').slice(0, MAX_COMMAND_LENGTH),
    };
  });
}
