import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { assertNoLeftovers, findMarkedProcesses, RUN_MARKER_VARIABLE, watchProcesses } from './leftovers.ts';
import { isRunning, listProcesses } from './process-table.ts';
import { repositoryRoot } from './repository-root.ts';
import { waitFor } from './wait-for.ts';

const SLEEP = 'setTimeout(() => {}, 30_000)';

interface Run {
  code: number | null;
  output: string;
}

async function runMarked(script: string): Promise<Run> {
  const args = ['libs/testing/src/leftovers-main.ts', '--', process.execPath, '-e', script];
  const child = spawn(process.execPath, args, { cwd: repositoryRoot, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'exit')) as [number | null];
  return { code, output };
}

function end(t: TestContext, pid: number): void {
  t.after(async () => {
    if (isRunning(pid)) process.kill(pid, 'SIGKILL');
    await waitFor(() => !isRunning(pid), { what: 'the leftover to end' });
  });
}

/** The script of a command that leaves a detached process behind and prints its id. */
function leaveBehind(environment: string, thenEndAfterMs: number): string {
  return `
    const { spawn } = require('node:child_process');
    const child = spawn(process.execPath, ['-e', ${JSON.stringify(SLEEP)}],
      { detached: true, stdio: 'ignore', env: ${environment} });
    child.unref();
    console.log('left ' + child.pid);
    setTimeout(() => {}, ${thenEndAfterMs});
  `;
}

test('a command that leaves nothing behind keeps its exit code', async () => {
  assert.deepEqual(await runMarked('process.exit(7)'), { code: 7, output: '' });
  assert.deepEqual(await runMarked(''), { code: 0, output: '' });
  assert.deepEqual(await runMarked('process.kill(process.pid, "SIGKILL")'), { code: 137, output: '' });
});

const LEFT = [
  { why: 'a detached process inherits the marker', environment: 'process.env', thenEndAfterMs: 0 },
  // Longer than the interval of the watch.
  { why: 'a detached process has an environment of its own', environment: '{}', thenEndAfterMs: 1_000 },
];
for (const { why, environment, thenEndAfterMs } of LEFT) {
  test(`a process that is left behind is named and fails the run: ${why}`, async (t) => {
    const { code, output } = await runMarked(leaveBehind(environment, thenEndAfterMs));
    const pid = Number(/left (\d+)/.exec(output)?.[1]);
    end(t, pid);
    assert.equal(code, 1, output);
    assert.match(output, new RegExp(`1 process\\(es\\) that this run started still run.*${pid} .*kill ${pid}`, 's'));
  });
}

test('a process that ends soon after the command is no leftover', async () => {
  const script = leaveBehind('process.env', 0).replace('30_000', '1_000');
  assert.equal((await runMarked(script)).code, 0);
});

test('a command that does not exist, and no command at all, are told', async () => {
  const args = ['libs/testing/src/leftovers-main.ts', '--', 'no-such-command'];
  const child = spawn(process.execPath, args, { cwd: repositoryRoot, stdio: 'ignore' });
  assert.deepEqual(await once(child, 'exit'), [127, null]);
  const empty = spawn(process.execPath, args.slice(0, 1), { cwd: repositoryRoot, stdio: 'ignore' });
  assert.deepEqual(await once(empty, 'exit'), [2, null]);
});

test('assertNoLeftovers names a child that still runs, and excuses what ran before', async (t) => {
  const before = listProcesses();
  // The run that this test is part of has processes of its own, which are no business of this test.
  const marker = `nobody-has-this-${process.pid}`;
  await assertNoLeftovers({ before, deadlineMs: 0, marker });
  const child = spawn(process.execPath, ['-e', SLEEP], { stdio: 'ignore' });
  end(t, child.pid ?? 0);
  await assert.rejects(assertNoLeftovers({ before, deadlineMs: 0, marker }), new RegExp(`${child.pid} .*setTimeout`));
  await assertNoLeftovers({ before: listProcesses(), deadlineMs: 0, marker });
  child.kill('SIGKILL');
  await assertNoLeftovers({ before, marker });
});

test('a marked process is found by its marker alone', async (t) => {
  const env = { ...process.env, [RUN_MARKER_VARIABLE]: 'outer,marker-of-this-test' };
  const child = spawn(process.execPath, ['-e', SLEEP], { stdio: 'ignore', env });
  end(t, child.pid ?? 0);
  const marked = await waitFor(
    () => {
      const found = findMarkedProcesses('marker-of-this-test');
      return found.length > 0 && found;
    },
    { what: 'the process to be found' },
  );
  assert.deepEqual(
    marked.map((entry) => entry.pid),
    [child.pid],
  );
});

test('a watch keeps sight of a grandchild whose parent has ended', async (t) => {
  const watch = watchProcesses(process.pid);
  t.after(() => watch.end());
  const script = leaveBehind('{}', 1_000);
  const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(/left (\d+)/.exec(line.toString())?.[1]);
  end(t, pid);
  await once(parent, 'exit');
  assert.deepEqual(
    watch.alive().map((entry) => entry.pid),
    [pid],
  );
});
