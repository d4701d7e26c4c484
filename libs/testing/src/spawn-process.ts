/**
 * Starts one of our processes for a test, waits until it can be used, and makes sure that it ends: at `stop()`, and at
 * the latest with the test process. What the process is and how it is configured is the caller's business.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning, processTree } from './process-table.ts';
import { repositoryRoot } from './repository-root.ts';
import { waitFor } from './wait-for.ts';

/** When a process counts as ready: an URL answers 2xx, or a line of its output matches. */
export type ReadyCondition = { url: string } | { line: RegExp };

/** Options of {@link spawnProcess}. */
export interface SpawnOptions {
  /** Default: this Node. */
  command?: string;
  args: readonly string[];
  /** Added to the environment of this process; undefined removes a variable. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Default: the repository root, so that `apps/gateway/src/main.ts` is found from every package. */
  cwd?: string;
  /** Without it the process counts as ready as soon as it runs. */
  ready?: ReadyCondition;
  readyDeadlineMs?: number;
  /** What the error messages call it; default: the last part of the first argument. */
  name?: string;
  /** Registers `stop()` as clean-up, usually the test context `t`. */
  t?: { after(cleanUp: () => Promise<void>): void };
  /** `pipe` keeps its standard input open and gives it as `stdin`; default: no input. */
  stdin?: 'ignore' | 'pipe';
}

/** How a process ended. */
export interface ProcessExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A process that runs, or has run. */
export interface SpawnedProcess {
  readonly pid: number;
  readonly name: string;
  /** Its standard input, when asked for. */
  readonly stdin: NodeJS.WritableStream | undefined;
  /** What the line condition matched. */
  readonly readyLine: RegExpExecArray | undefined;
  /** Settles when the process has ended and its output is complete. */
  readonly exited: Promise<ProcessExit>;
  /** The end of what it printed so far. */
  stdout(): string;
  stderr(): string;
  /** Sends a signal and waits for nothing. */
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL for it and its children when it has not ended after the limit. Idempotent. */
  stop(options?: { killAfterMs?: number }): Promise<ProcessExit>;
}

/** Enough for an error message and for the assertions of tests on log lines. */
const MAX_OUTPUT_CHARACTERS = 256 * 1024;
const READY_DEADLINE_MS = 20_000;
/** Above the drain time of our services, so that a kill means that something hangs. */
const KILL_AFTER_MS = 30_000;
/** The part of the output that goes into an error message. */
const MESSAGE_CHARACTERS = 4_000;
/** A connection that hangs must not use up the whole deadline. */
const PROBE_TIMEOUT_MS = 2_000;
/** How long the output of an ended process may stay open in the hands of its children. */
const OUTPUT_GRACE_MS = 500;

const living = new Set<ChildProcess>();

/** Starts a process and waits until it is ready. Rejects with its output when it ends or the deadline passes before. */
export async function spawnProcess(options: SpawnOptions): Promise<SpawnedProcess> {
  const { child, running, text } = start(options);
  options.t?.after(async () => {
    await running.stop();
  });
  try {
    const readyLine = await becomeReady(child, running, options, text);
    return { ...running, readyLine };
  } catch (error) {
    await running.stop({ killAfterMs: 2_000 });
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${running.name} did not become ready: ${reason}\n${describeOutput(text)}`, { cause: error });
  }
}

/** What a process printed, newest last. */
interface Output {
  stdout: string;
  stderr: string;
}

function start(options: SpawnOptions): { child: ChildProcess; running: SpawnedProcess; text: Output } {
  const command = options.command ?? process.execPath;
  const name = options.name ?? (options.args[0] ?? command).split('/').slice(-3).join('/');
  installExitHook();
  const child = spawn(command, options.args, {
    cwd: options.cwd ?? repositoryRoot,
    env: { ...process.env, ...options.env },
    stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe'],
  });
  living.add(child);
  const text: Output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.setEncoding('utf8').on('data', (chunk: string) => {
      text[stream] = (text[stream] + chunk).slice(-MAX_OUTPUT_CHARACTERS);
    });
  }
  // A pipe that the other side closed is told by the exit, not here.
  child.stdin?.on('error', () => {});
  const exited = watchExit(child, text);
  let stopping: Promise<ProcessExit> | undefined;
  const running: SpawnedProcess = {
    pid: child.pid ?? 0,
    name,
    stdin: child.stdin ?? undefined,
    readyLine: undefined,
    exited,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    kill: (signal) => void child.kill(signal),
    stop: ({ killAfterMs = KILL_AFTER_MS } = {}) => (stopping ??= stop(child, exited, killAfterMs)),
  };
  return { child, running, text };
}

function watchExit(child: ChildProcess, text: Output): Promise<ProcessExit> {
  const { promise, resolve } = Promise.withResolvers<ProcessExit>();
  child.once('error', (error) => {
    living.delete(child);
    text.stderr += `${error.message}\n`;
    resolve({ code: null, signal: null });
  });
  child.once('exit', (code, signal) => {
    living.delete(child);
    const finish = (): void => {
      clearTimeout(timer);
      // A child of the child that lives on would hold these open, and with them the test process.
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ code, signal });
    };
    const timer = setTimeout(finish, OUTPUT_GRACE_MS);
    child.once('close', finish);
  });
  return promise;
}

async function becomeReady(
  child: ChildProcess,
  running: SpawnedProcess,
  options: SpawnOptions,
  text: Output,
): Promise<RegExpExecArray | undefined> {
  const { ready } = options;
  let ended: ProcessExit | undefined;
  void running.exited.then((exit) => (ended = exit));
  const outcome = await waitFor(
    async () => {
      if (ended) return { kind: 'ended' as const, exit: ended };
      if (!ready) return child.pid !== undefined && { kind: 'ready' as const, match: undefined };
      const match = 'url' in ready ? await answers(ready.url) : findLine(ready.line, text);
      return match && { kind: 'ready' as const, match };
    },
    { deadlineMs: options.readyDeadlineMs ?? READY_DEADLINE_MS, what: describeCondition(ready) },
  );
  if (outcome.kind === 'ended') {
    throw new Error(`it ended with code ${outcome.exit.code}, signal ${outcome.exit.signal}.`);
  }
  return Array.isArray(outcome.match) ? outcome.match : undefined;
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
  const body = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${body.slice(0, 300)}`);
  return true;
}

function findLine(pattern: RegExp, text: Output): RegExpExecArray | undefined {
  for (const line of `${text.stdout}\n${text.stderr}`.split('\n')) {
    const match = new RegExp(pattern.source, pattern.flags.replace('g', '')).exec(line);
    if (match) return match;
  }
  return undefined;
}

function describeCondition(ready: ReadyCondition | undefined): string {
  if (!ready) return 'the process to run';
  return 'url' in ready ? `${ready.url} to answer` : `a line like ${ready.line}`;
}

function describeOutput(text: Output): string {
  const tail = (name: string, value: string): string =>
    value ? `--- ${name} ---\n${value.slice(-MESSAGE_CHARACTERS).trimEnd()}` : `--- ${name}: nothing ---`;
  return `${tail('stdout', text.stdout)}\n${tail('stderr', text.stderr)}`;
}

async function stop(child: ChildProcess, exited: Promise<ProcessExit>, killAfterMs: number): Promise<ProcessExit> {
  child.kill('SIGTERM');
  const limit = new AbortController();
  const late = delay(killAfterMs, 'late' as const, { signal: limit.signal }).catch(() => 'ended' as const);
  const first = await Promise.race([exited, late]);
  limit.abort();
  if (first === 'late') killTree(child);
  return await exited;
}

/**
 * Ends a process and the children that belong to its group. A child that was started detached, such as the guard of an
 * embedded database, is left alone: it sees its parent go and cleans up by itself, which a SIGKILL would prevent.
 */
function killTree(child: ChildProcess): void {
  if (child.pid === undefined) return;
  const tree = processTree(child.pid);
  const group = tree[0]?.groupId;
  for (const entry of tree) {
    if (entry.groupId !== group || !isRunning(entry.pid)) continue;
    try {
      process.kill(entry.pid, 'SIGKILL');
    } catch {
      // It has ended in this very moment.
    }
  }
}

let hasExitHook = false;

function installExitHook(): void {
  if (hasExitHook) return;
  hasExitHook = true;
  const killAll = (): void => {
    for (const child of living) killTree(child);
    living.clear();
  };
  process.on('exit', killAll);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const onSignal = (): void => {
      // Somebody who listens too ends in their own way, and what they leave running is killed at the exit.
      if (process.listenerCount(signal) > 1) return;
      killAll();
      process.off(signal, onSignal);
      process.kill(process.pid, signal);
    };
    // First in line: a listener for one time is gone from the count as soon as it was called.
    process.prependListener(signal, onSignal);
  }
}
