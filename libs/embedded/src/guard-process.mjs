/**
 * The guard: a small process of its own session between a parent and one database server.
 * It owns starting the server and ending it: when the parent says so, when the parent's end of the pipe
 * closes (however the parent ended, SIGKILL included) or when somebody ends the guard itself.
 * What to start, and whether it came up well, is the parent's business (guard.ts).
 *
 * Plain JavaScript with types in comments: stripping types at start costs this process 18 MB of memory,
 * and one of these runs beside every database. It imports nothing but node:builtins for the same reason.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */
/** @typedef {import('./guard.ts').GuardRequest} GuardRequest */
/** @typedef {import('./guard.ts').GuardReport} GuardReport */

// The end of a command's output that is kept for the error message.
const OUTPUT_TAIL_CHARACTERS = 8_000;

/** @type {Set<string>} */
const ownedPaths = new Set();
/** @type {Set<ChildProcess>} */
const commands = new Set();
/** @type {{ child: ChildProcess, stopSteps: readonly import('./guard.ts').StopStep[], gone: Promise<void> } | undefined} */
let server;
let ending = false;

/** @param {GuardReport} report */
function tell(report) {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** @param {import('./guard.ts').CommandOptions} options @param {import('node:child_process').StdioOptions} stdio */
function launch(options, stdio) {
  const child = spawn(options.command, options.args, {
    cwd: options.cwd ?? '/',
    env: options.env,
    stdio,
    // A group of its own, so that it can be ended together with everything that it starts.
    detached: true,
    ...(options.user === undefined ? {} : { uid: options.user.uid, gid: options.user.gid }),
  });
  if (options.background === true && child.pid !== undefined) {
    const LOWEST_PRIORITY = 19;
    setPriority(child.pid, LOWEST_PRIORITY);
  }
  return child;
}

/** @param {ChildProcess} child @param {NodeJS.Signals} signal */
function killGroup(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}

/** @param {Extract<GuardRequest, { do: 'run' }>} request */
function run(request) {
  const child = launch(request, ['ignore', 'pipe', 'pipe']);
  commands.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      output = (output + text).slice(-OUTPUT_TAIL_CHARACTERS);
      if (request.streamOutput === true) tell({ id: request.id, output: text });
    });
  }
  child.on('error', (error) => {
    commands.delete(child);
    tell({ id: request.id, error: error.message });
  });
  child.on('close', (code, signal) => {
    if (commands.delete(child)) tell({ id: request.id, done: { code, signal, output } });
  });
}

/** Read here because the log of a temporary server is removed in a moment. @param {string} logFile */
function readTail(logFile) {
  try {
    return readFileSync(logFile, 'utf8').slice(-OUTPUT_TAIL_CHARACTERS);
  } catch {
    return '';
  }
}

/** @param {Extract<GuardRequest, { do: 'serve' }>} request */
function serve(request) {
  const log = openSync(request.logFile, 'w', 0o600);
  const child = launch(request, ['ignore', log, log]);
  closeSync(log);
  const gone = new Promise((resolve) => {
    child.on('error', (error) => {
      tell({ id: request.id, error: error.message });
      resolve(undefined);
    });
    child.on('exit', (code, signal) => {
      tell({ exited: { code, signal, output: readTail(request.logFile) } });
      resolve(undefined);
      void end();
    });
  });
  server = { child, stopSteps: request.stopSteps, gone };
  if (child.pid !== undefined) tell({ id: request.id, pid: child.pid });
}

async function stopServer() {
  if (server === undefined) return;
  let isGone = false;
  const gone = server.gone.then(() => (isGone = true));
  for (const step of server.stopSteps) {
    if (isGone) return;
    server.child.kill(step.signal);
    await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, step.waitMs))]);
  }
}

async function end() {
  if (ending) return;
  ending = true;
  for (const child of commands) killGroup(child, 'SIGKILL');
  await stopServer();
  for (const path of ownedPaths) {
    try {
      // A server that had to be killed may still have children that write for a moment.
      rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    } catch (error) {
      tell({ warning: `could not remove ${path}: ${error instanceof Error ? error.message : String(error)}` });
    }
  }
  tell({ gone: true });
  process.stdout.end(() => process.exit(0));
  // The parent may be gone without having read the rest.
  setTimeout(() => process.exit(0), 200);
}

/** @param {GuardRequest} request */
function handle(request) {
  if (request.do === 'stop') void end();
  else if (request.do === 'run') run(request);
  else if (request.do === 'serve') serve(request);
  else {
    if (request.do === 'own') ownedPaths.add(request.path);
    else ownedPaths.delete(request.path);
    tell({ id: request.id });
  }
}

process.stdout.on('error', () => {});
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => void end());
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  if (ending) return;
  /** @type {GuardRequest} */
  const request = JSON.parse(line);
  try {
    handle(request);
  } catch (error) {
    tell({ id: request.id, error: error instanceof Error ? error.message : String(error) });
  }
});
lines.on('close', () => void end());
process.stdin.on('error', () => void end());
