/**
 * The parent's side of the guard (guard-process.mjs): starts one, passes it orders over a pipe, and finishes
 * its work should the guard itself be killed. What a database needs in order to start is not known here.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** One signal to send to a server, and how long to wait for it to end before the next one. */
export interface StopStep {
  signal: NodeJS.Signals;
  waitMs: number;
}

/** A program that the guard starts. */
export interface CommandOptions {
  command: string;
  args: readonly string[];
  env: Record<string, string>;
  cwd?: string;
  user?: { uid: number; gid: number } | undefined;
  /** Lowest priority, for work that nobody waits for. */
  background?: boolean;
}

/** A program that runs to its end. */
export interface RunOptions extends CommandOptions {
  streamOutput?: boolean;
}

/** The server that the guard looks after. */
export interface ServeOptions extends CommandOptions {
  logFile: string;
  stopSteps: readonly StopStep[];
}

/** How a program ended, with the end of what it printed. */
export interface ProcessExit {
  code: number | null;
  signal: string | null;
  output: string;
}

/** What the parent may ask of the guard, one JSON line each. */
export type GuardRequest = { id: number } & (
  | ({ do: 'run' } & RunOptions)
  | ({ do: 'serve' } & ServeOptions)
  | { do: 'own'; path: string }
  | { do: 'disown'; path: string }
  | { do: 'stop' }
);

type GuardOrder = GuardRequest extends infer Request ? (Request extends unknown ? Omit<Request, 'id'> : never) : never;

/** What the guard tells the parent, one JSON line each. */
export interface GuardReport {
  id?: number;
  pid?: number;
  done?: ProcessExit;
  output?: string;
  error?: string;
  warning?: string;
  exited?: ProcessExit;
  gone?: true;
}

/** A running guard. */
export interface Guard {
  readonly pid: number;
  /** A random word on the guard's command line: process ids are reused, this is not. */
  readonly token: string;
  /** Lets the guard remove a file or folder at the end. */
  own(path: string): Promise<void>;
  /** Takes a path back from the guard. */
  disown(path: string): Promise<void>;
  run(options: RunOptions, onOutput?: (text: string) => void): Promise<ProcessExit>;
  /** Starts the one server of this guard and gives its process id. */
  serve(options: ServeOptions): Promise<number>;
  /** Settles when the server has ended, whoever ended it, and everything is cleaned up. */
  readonly exited: Promise<ProcessExit>;
  stop(): Promise<void>;
}

interface PendingRequest {
  resolve(report: GuardReport): void;
  reject(error: Error): void;
  onOutput?: ((text: string) => void) | undefined;
  /** Nobody waits for it: it must not keep the parent's event loop alive. */
  isBackground: boolean;
}

// Longer than the longest list of stop steps; after it the guard is taken to be stuck.
const GUARD_STOP_DEADLINE_MS = 45_000;
const POLL_MS = 50;
const TOKEN_BYTES = 8;

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself in the meantime.
  }
}

/** Whether a process with this id exists. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

class GuardConnection implements Guard {
  readonly pid: number;
  readonly token: string;
  readonly exited: Promise<ProcessExit>;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #pending = new Map<number, PendingRequest>();
  readonly #ownedPaths = new Set<string>();
  #nextId = 1;
  #server: { pid: number; stopSteps: readonly StopStep[] } | undefined;
  #serverExit: ProcessExit | undefined;
  #isFinished = false;

  constructor(child: ChildProcessByStdio<Writable, Readable, null>, token: string) {
    this.#child = child;
    this.token = token;
    this.pid = child.pid ?? 0;
    // Writing to a guard that has just ended is reported by its exit, not here.
    child.stdin.on('error', () => {});
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(JSON.parse(line) as GuardReport));
    this.exited = new Promise((resolve) => {
      // 'close' and not 'exit': the last lines of the guard are read before it.
      child.on('close', () => void this.#afterGuard().then(resolve));
    });
    this.#setReferenced(false);
  }

  async own(path: string): Promise<void> {
    this.#ownedPaths.add(path);
    await this.#ask({ do: 'own', path });
  }

  async disown(path: string): Promise<void> {
    this.#ownedPaths.delete(path);
    await this.#ask({ do: 'disown', path });
  }

  async run(options: RunOptions, onOutput?: (text: string) => void): Promise<ProcessExit> {
    const report = await this.#ask({ do: 'run', ...options, streamOutput: onOutput !== undefined }, onOutput);
    if (report.done === undefined) throw new Error(`The guard lost track of ${options.command}.`);
    return report.done;
  }

  async serve(options: ServeOptions): Promise<number> {
    const report = await this.#ask({ do: 'serve', ...options });
    if (report.pid === undefined) throw new Error(`The guard could not start ${options.command}.`);
    this.#server = { pid: report.pid, stopSteps: options.stopSteps };
    return report.pid;
  }

  async stop(): Promise<void> {
    if (this.#isFinished) return;
    this.#setReferenced(true);
    this.#child.stdin.write(`${JSON.stringify({ id: 0, do: 'stop' })}\n`);
    const deadline = new AbortController();
    const stuck = delay(GUARD_STOP_DEADLINE_MS, 'stuck' as const, { signal: deadline.signal }).catch(() => undefined);
    if ((await Promise.race([this.exited, stuck])) === 'stuck') {
      this.#child.kill('SIGKILL');
      await this.exited;
    }
    deadline.abort();
  }

  /** A guard that is only standing by must not keep the parent's event loop alive. */
  #setReferenced(isReferenced: boolean): void {
    for (const handle of [this.#child, this.#child.stdin, this.#child.stdout]) {
      if (!(handle instanceof Socket) && handle !== this.#child) continue;
      if (isReferenced) handle.ref();
      else handle.unref();
    }
  }

  #ask(order: GuardOrder, onOutput?: (text: string) => void): Promise<GuardReport> {
    if (this.#isFinished) return Promise.reject(new Error('The guard process has ended.'));
    const id = this.#nextId++;
    const isBackground = order.do === 'run' && order.background === true;
    if (!isBackground) this.#setReferenced(true);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onOutput, isBackground });
      this.#child.stdin.write(`${JSON.stringify({ id, ...order })}\n`);
    });
  }

  #hear(report: GuardReport): void {
    if (report.exited !== undefined) this.#serverExit = report.exited;
    if (report.id === undefined) return;
    const request = this.#pending.get(report.id);
    if (report.output !== undefined) {
      request?.onOutput?.(report.output);
      return;
    }
    this.#pending.delete(report.id);
    if (![...this.#pending.values()].some((waiting) => !waiting.isBackground)) this.#setReferenced(false);
    if (report.error === undefined) request?.resolve(report);
    else request?.reject(new Error(report.error));
  }

  async #afterGuard(): Promise<ProcessExit> {
    this.#isFinished = true;
    for (const request of this.#pending.values()) request.reject(new Error('The guard process ended unexpectedly.'));
    this.#pending.clear();
    // An exit that was reported means that the guard did its work; otherwise it was killed and the work is left to us.
    if (this.#server !== undefined && this.#serverExit === undefined) await this.#stopServerAlone(this.#server);
    for (const path of this.#ownedPaths) await rm(path, { recursive: true, force: true, maxRetries: 5 });
    return this.#serverExit ?? { code: null, signal: null, output: '' };
  }

  async #stopServerAlone(server: { pid: number; stopSteps: readonly StopStep[] }): Promise<void> {
    for (const step of server.stopSteps) {
      const deadline = Date.now() + step.waitMs;
      if (isProcessAlive(server.pid)) sendSignal(server.pid, step.signal);
      while (isProcessAlive(server.pid) && Date.now() < deadline) await delay(POLL_MS);
    }
  }
}

// The last one marks the processes of a test run, so that any that stays behind is found.
const PASSED_ON = [
  'PATH',
  'HOME',
  'TMPDIR',
  'TZ',
  'JAVA_HOME',
  'LD_LIBRARY_PATH',
  'SystemRoot',
  'DATABASE_MCP_TEST_RUN',
];

/** Environment for started programs: what they need to run, and none of the parent's secrets or Node settings. */
export function createProgramEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return { ...environment, LC_ALL: 'C', ...extra };
}

/** Starts a guard for one database; the name is shown by `ps`. */
export function startGuard(name: string): Promise<Guard> {
  const script = fileURLToPath(new URL('guard-process.mjs', import.meta.url));
  const token = randomBytes(TOKEN_BYTES).toString('hex');
  const child = spawn(process.execPath, [script, name, token], {
    cwd: '/',
    env: createProgramEnvironment(),
    stdio: ['pipe', 'pipe', 'ignore'],
    // A session of its own: neither Ctrl-C in the terminal nor a kill of the parent's group reaches it.
    detached: true,
  });
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(new Error(`Could not start the guard process of ${name}.`, { cause })));
    child.once('spawn', () => resolve(new GuardConnection(child, token)));
  });
}
