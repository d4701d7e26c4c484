/** Keeps one of our own processes running: starts it, waits until it is ready, restarts it when it ends by itself. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A process to run. Secrets belong into `env`, which `ps` does not show. */
export interface ManagedProcessOptions {
  name: string;
  /** Path of the bundle below the repository's root. */
  script: string;
  args?: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Answers 200 once the process serves. */
  healthUrl: string;
  onNotice: (line: string) => void;
}

/** A process that is kept running until it is stopped. */
export interface ManagedProcess {
  readonly name: string;
  stop(): Promise<void>;
}

const ROOT = new URL('../../../', import.meta.url);
/** Starts of Node with our sources take about a second; shared and slow machines take longer. */
const READY_DEADLINE_MS = 30_000;
const POLL_MS = 50;
const RESTART_DELAY_MS = 1_000;
/** A little more than the drain time of the service. */
const STOP_DEADLINE_MS = 28_000;

/** Starts the process; resolves when it serves and rejects when it ends or takes too long before that. */
export async function startManagedProcess(options: ManagedProcessOptions): Promise<ManagedProcess> {
  let stopping = false;
  let restart: NodeJS.Timeout | undefined;
  let child = launch(options);
  const watch = (running: ChildProcess): void => {
    running.once('exit', (code, signal) => {
      if (stopping) return;
      options.onNotice(`${options.name} ended by itself (${signal ?? `code ${code}`}); it is started again`);
      restart = setTimeout(() => watch((child = launch(options))), RESTART_DELAY_MS);
    });
  };
  await untilHealthy(options, child);
  watch(child);
  return {
    name: options.name,
    async stop() {
      stopping = true;
      clearTimeout(restart);
      await end(child);
    },
  };
}

/** The preload ends the process when our end of its standard input closes, so that it never outlives us. */
function launch(options: ManagedProcessOptions): ChildProcess {
  const preload = new URL('end-with-parent.mjs', import.meta.url).href;
  const script = fileURLToPath(new URL(options.script, ROOT));
  return spawn(process.execPath, ['--import', preload, script, ...(options.args ?? [])], {
    cwd: fileURLToPath(ROOT),
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'inherit', 'inherit'],
    // A group of its own: Ctrl-C reaches us alone, and we end the processes in order.
    detached: true,
  });
}

async function untilHealthy(options: ManagedProcessOptions, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_DEADLINE_MS;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${options.name} ended while it started (see its message above).`);
    }
    const healthy = await fetch(options.healthUrl).then(
      (response) => response.ok,
      () => false,
    );
    if (healthy) return;
    if (Date.now() > deadline) {
      await end(child);
      throw new Error(`${options.name} did not answer at ${options.healthUrl} within ${READY_DEADLINE_MS / 1000} s.`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
  await exited;
  clearTimeout(timer);
}
