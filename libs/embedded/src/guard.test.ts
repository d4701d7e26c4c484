import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { startChildParent } from './child-parent.ts';
import { createProgramEnvironment, startGuard } from './guard.ts';
import type { Guard } from './guard.ts';
import { waitUntil } from './ports.ts';
import { isLiveProcess } from './process-lock.ts';

interface Facts {
  guardPid: number;
  serverPid: number;
  folder: string;
}

const DEADLINE_MS = 15_000;

// A server that says when it is up and, if asked to, shrugs off polite signals.
const SERVER = (isStubborn: boolean): string => `
  ${isStubborn ? "for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => console.log('no'));" : ''}
  console.log('up');
  setInterval(() => {}, 1000);`;

const PARENT_SCRIPT = `
  const { mkdtemp } = await import('node:fs/promises');
  const g = await guard.startGuard('test');
  const folder = await mkdtemp(${JSON.stringify(join(tmpdir(), 'guard-test-'))});
  await g.own(folder);
  const serverPid = await g.serve({
    command: process.execPath, args: ['-e', ${JSON.stringify(SERVER(false))}], env: guard.createProgramEnvironment(),
    logFile: folder + '/log', stopSteps: [{ signal: 'SIGTERM', waitMs: 5000 }, { signal: 'SIGKILL', waitMs: 5000 }],
  });
  tell({ guardPid: g.pid, serverPid, folder });`;

async function isGone({ guardPid, serverPid, folder }: Facts): Promise<boolean> {
  const isRunning = (await isLiveProcess(guardPid, 'guard-process')) || (await isLiveProcess(serverPid, 'setInterval'));
  return !isRunning && !existsSync(folder);
}

async function serveHere(t: TestContext, isStubborn: boolean): Promise<{ guard: Guard; facts: Facts }> {
  const guard = await startGuard('test');
  t.after(() => guard.stop());
  const folder = mkdtempSync(join(tmpdir(), 'guard-test-'));
  await guard.own(folder);
  const logFile = join(folder, 'log');
  const serverPid = await guard.serve({
    command: process.execPath,
    args: ['-e', SERVER(isStubborn)],
    env: createProgramEnvironment(),
    logFile,
    stopSteps: [
      { signal: 'SIGTERM', waitMs: 300 },
      { signal: 'SIGKILL', waitMs: 5_000 },
    ],
  });
  assert.ok(await waitUntil(async () => readFileSync(logFile, 'utf8').includes('up'), DEADLINE_MS));
  return { guard, facts: { guardPid: guard.pid, serverPid, folder } };
}

const endings: { name: string; end(pid: number): void; why: string }[] = [
  {
    name: 'is killed',
    end: (pid) => process.kill(pid, 'SIGKILL'),
    why: 'no handler of the parent runs, only the pipe tells',
  },
  {
    name: 'is killed with its whole process group',
    end: (pid) => process.kill(-pid, 'SIGKILL'),
    why: 'the guard must not be in that group',
  },
  {
    name: 'gets Ctrl-C in a terminal',
    end: (pid) => process.kill(-pid, 'SIGINT'),
    why: 'a terminal signals the group',
  },
  { name: 'is terminated', end: (pid) => process.kill(pid, 'SIGTERM'), why: 'what a service manager sends first' },
];
for (const ending of endings) {
  test(`the server and its folder are gone after the parent ${ending.name} (${ending.why})`, async (t) => {
    const { child, facts } = await startChildParent<Facts>(PARENT_SCRIPT);
    t.after(() => child.kill('SIGKILL'));
    assert.ok(await isLiveProcess(facts.serverPid, 'setInterval'));
    ending.end(child.pid ?? 0);
    assert.ok(await waitUntil(() => isGone(facts), DEADLINE_MS), 'something is left');
  });
}

test('the parent ends by itself when it has nothing else to do, and the server goes with it', async (t) => {
  const { child, facts } = await startChildParent<Facts>(`${PARENT_SCRIPT} clearInterval(idle);`);
  t.after(() => child.kill('SIGKILL'));
  assert.ok(await waitUntil(() => isGone(facts), DEADLINE_MS));
});

test('stop resolves when the server, the guard and the folder are gone', async (t) => {
  const { guard, facts } = await serveHere(t, false);
  await guard.stop();
  assert.ok(await isGone(facts));
  assert.equal((await guard.exited).signal, 'SIGTERM');
});

test('a server that ignores the polite signal is killed after its grace', async (t) => {
  const { guard, facts } = await serveHere(t, true);
  await guard.stop();
  assert.ok(await isGone(facts));
  const exit = await guard.exited;
  assert.equal(exit.signal, 'SIGKILL');
  assert.match(exit.output, /no/, 'the polite signal came first');
});

test('a server that ends by itself is reported with the end of its log, and the guard ends too', async (t) => {
  const { guard, facts } = await serveHere(t, false);
  process.kill(facts.serverPid, 'SIGKILL');
  const exit = await guard.exited;
  assert.deepEqual(exit, { code: null, signal: 'SIGKILL', output: 'up\n' });
  assert.ok(await isGone(facts));
});

test('when the guard itself is killed the parent finishes its work', async (t) => {
  const { guard, facts } = await serveHere(t, false);
  process.kill(guard.pid, 'SIGKILL');
  await guard.exited;
  assert.ok(await isGone(facts));
});

test('a signal to the guard ends the server as well', async (t) => {
  const { guard, facts } = await serveHere(t, false);
  process.kill(guard.pid, 'SIGTERM');
  await guard.exited;
  assert.ok(await isGone(facts));
});

test('a program that does not exist is an error of the order, not of the guard', async (t) => {
  const guard = await startGuard('test');
  t.after(() => guard.stop());
  const missing = { command: '/nowhere/program', args: [], env: {} };
  await assert.rejects(guard.run(missing), /ENOENT/);
  const folder = await mkdtemp(join(tmpdir(), 'guard-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await assert.rejects(guard.serve({ ...missing, logFile: join(folder, 'log'), stopSteps: [] }), /ENOENT/);
  assert.equal((await guard.run({ command: '/bin/sh', args: ['-c', 'echo fine'], env: {} })).output, 'fine\n');
});

test('programs get none of the environment of the parent but what they need to run', () => {
  process.env['GUARD_TEST_SECRET'] = 'hunter2';
  try {
    assert.deepEqual(
      Object.keys(createProgramEnvironment()).filter((name) => /SECRET|NODE_/.test(name)),
      [],
    );
  } finally {
    delete process.env['GUARD_TEST_SECRET'];
  }
});
