/**
 * Finds processes that a test run started and that still run at its end. Two ways, because neither finds all: a marker
 * in the environment finds detached processes whose parents are gone; watching the tree of processes while the run
 * lasts finds those that were started with an environment of their own, as the embedded databases are.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { listProcesses, type ProcessInfo } from './process-table.ts';
import { waitFor } from './wait-for.ts';

/** The environment variable that every process of a marked run inherits. Runs inside runs add to its value. */
export const RUN_MARKER_VARIABLE = 'DATABASE_MCP_TEST_RUN';

/** A watch over everything below one process. */
export interface ProcessWatch {
  /** What it has seen so far and still runs, the process itself excepted. */
  alive(): ProcessInfo[];
  /** Stops looking. */
  end(): void;
}

/** Options of {@link assertNoLeftovers}. */
export interface LeftoverOptions {
  /** What ran before; default: nothing is excused. */
  before?: readonly ProcessInfo[];
  /** Default: the marker in the environment of this process, when it has one. */
  marker?: string;
  /** Default: the processes below this one at the time of the check. */
  watch?: ProcessWatch;
  /** How long processes may take to end. */
  deadlineMs?: number;
}

/** Often enough to see a process before its parent is gone, seldom enough to cost nothing. */
const WATCH_INTERVAL_MS = 250;
const DEADLINE_MS = 5_000;

/** Watches everything that is started below a process, itself or by its children. */
export function watchProcesses(rootPid: number): ProcessWatch {
  const seen = new Set<string>();
  const look = (): ProcessInfo[] => {
    const all = listProcesses();
    const known = new Set<number>([rootPid]);
    for (const entry of all) if (seen.has(identify(entry))) known.add(entry.pid);
    // Children may be listed before their parents, so it is looked until nothing new is found.
    for (let size = -1; size !== known.size;) {
      size = known.size;
      for (const entry of all) if (known.has(entry.parentPid)) known.add(entry.pid);
    }
    const found = all.filter((entry) => known.has(entry.pid) && entry.pid !== rootPid);
    for (const entry of found) seen.add(identify(entry));
    return found;
  };
  look();
  const timer = setInterval(look, WATCH_INTERVAL_MS);
  timer.unref();
  return { alive: look, end: () => clearInterval(timer) };
}

/** The running processes whose environment holds the marker. Process environments of other users cannot be read. */
export function findMarkedProcesses(marker: string): ProcessInfo[] {
  if (process.platform === 'linux') return listProcesses().filter((entry) => readEnvironment(entry).includes(marker));
  // `ps -E` shows the environment behind the command; systems that hide it show none, and only the watch is left.
  const lines = execFileSync('ps', ['-axEww', '-o', 'pid=', '-o', 'command='], { encoding: 'utf8' }).split('\n');
  const marked = lines.filter((line) => line.includes(marker)).map((line) => Number.parseInt(line, 10));
  return listProcesses().filter((entry) => marked.includes(entry.pid));
}

/** Fails, with a list, if something that this test run started still runs when the deadline has passed. */
export async function assertNoLeftovers(options: LeftoverOptions = {}): Promise<void> {
  const leftovers = await findLeftovers(options);
  if (leftovers.length > 0) throw new Error(describeLeftovers(leftovers));
}

/** What still runs when the deadline has passed; returns as soon as nothing does. */
export async function findLeftovers(options: LeftoverOptions): Promise<ProcessInfo[]> {
  const excused = new Set((options.before ?? []).map(identify));
  const marker = options.marker ?? process.env[RUN_MARKER_VARIABLE];
  const watch = options.watch ?? watchProcesses(process.pid);
  const look = (): ProcessInfo[] => {
    const found = [...watch.alive(), ...(marker ? findMarkedProcesses(marker) : [])];
    const own = new Set([process.pid, process.ppid]);
    // `ps` itself is a child of this process while it makes the list.
    const candidates = found.filter((entry) => !own.has(entry.pid) && !/^(\/bin\/)?ps -ax/.test(entry.command));
    return [...new Map(candidates.map((entry) => [identify(entry), entry])).values()].filter(
      (entry) => !excused.has(identify(entry)),
    );
  };
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  await waitFor(() => look().length === 0, { deadlineMs, pollMs: 50, what: 'processes to end' }).catch(() => {});
  if (!options.watch) watch.end();
  return look();
}

/** The leftovers as lines of text, with what to do about them. */
export function describeLeftovers(leftovers: readonly ProcessInfo[]): string {
  const lines = leftovers.map((entry) => `  ${entry.pid}  ${entry.command || '(no command line)'}`);
  const pids = leftovers.map((entry) => entry.pid).join(' ');
  return (
    `${leftovers.length} process(es) that this run started still run at its end:\n${lines.join('\n')}\n` +
    `Whoever started them must stop them (t.after). To end them now: kill ${pids}`
  );
}

/** Process ids are used again; together with the start time they are not. */
function identify(entry: ProcessInfo): string {
  return `${entry.pid}@${entry.startedAt}`;
}

function readEnvironment(entry: ProcessInfo): string {
  try {
    const variables = readFileSync(`/proc/${entry.pid}/environ`, 'latin1').split('\0');
    return variables.find((variable) => variable.startsWith(`${RUN_MARKER_VARIABLE}=`)) ?? '';
  } catch {
    return '';
  }
}
