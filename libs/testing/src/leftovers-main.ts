/**
 * Runs a command and fails if something that it started still runs afterwards:
 * `node libs/testing/src/leftovers-main.ts -- npx nx run-many -t test`. Otherwise its exit code is the command's.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import { describeLeftovers, findLeftovers, RUN_MARKER_VARIABLE, watchProcesses } from './leftovers.ts';

const args = process.argv.slice(process.argv[2] === '--' ? 3 : 2);
const [command, ...commandArgs] = args;
if (command === undefined) {
  console.error('Say which command to run: node libs/testing/src/leftovers-main.ts -- <command> [arguments]');
  process.exit(2);
}

const marker = randomUUID();
const outer = process.env[RUN_MARKER_VARIABLE];
const child = spawn(command, commandArgs, {
  stdio: 'inherit',
  env: { ...process.env, [RUN_MARKER_VARIABLE]: outer ? `${outer},${marker}` : marker },
});
const watch = watchProcesses(process.pid);

// A Ctrl-C reaches the command by itself, being sent to the whole group of the terminal; we stay to look afterwards.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));

child.on('error', (error) => {
  console.error(`Cannot run ${command}: ${error.message}`);
  process.exit(127);
});
child.on('exit', async (code, signal) => {
  const leftovers = await findLeftovers({ marker, watch });
  watch.end();
  if (leftovers.length > 0) console.error(describeLeftovers(leftovers));
  const ownCode = signal ? 128 + constants.signals[signal] : (code ?? 1);
  process.exit(leftovers.length > 0 ? 1 : ownCode);
});
