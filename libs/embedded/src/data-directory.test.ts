import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { loadPasswords, openDataDirectory } from './data-directory.ts';
import { startGuard } from './guard.ts';

async function createFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'data-directory-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function startTestGuard(t: TestContext): ReturnType<typeof startGuard> {
  const guard = await startGuard('test');
  t.after(() => guard.stop());
  return guard;
}

test('a second open of a directory is refused with the process that holds it, and works after the first ended', async (t) => {
  const folder = await createFolder(t);
  const first = await startTestGuard(t);
  const second = await startTestGuard(t);
  await openDataDirectory('test', folder, first);
  await assert.rejects(openDataDirectory('test', folder, second), new RegExp(`in use .*process ${first.pid}.*--data`));
  await first.stop();
  await openDataDirectory('test', folder, second);
});

test('of many that open a directory at once exactly one gets it', async (t) => {
  const folder = await createFolder(t);
  const guards = await Promise.all(Array.from({ length: 6 }, () => startTestGuard(t)));
  // A stale lock makes it harder: everybody wants to remove it.
  await writeFile(join(folder, 'server.pid'), JSON.stringify({ guardPid: 2 ** 30, guardToken: 'x' }));
  const outcomes = await Promise.allSettled(guards.map((guard) => openDataDirectory('test', folder, guard)));
  assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1);
});

test('a lock whose process id now belongs to another program is taken over', async (t) => {
  const other = spawn('sleep', ['60'], { stdio: 'ignore' });
  t.after(() => other.kill('SIGKILL'));
  const folder = await createFolder(t);
  const stale = { guardPid: other.pid, guardToken: 'token-of-a-dead-guard', serverPid: other.pid };
  await writeFile(join(folder, 'server.pid'), JSON.stringify(stale));
  await openDataDirectory('test', folder, await startTestGuard(t));
});

test('a temporary folder whose processes were all killed is removed by the next start', async (t) => {
  const abandoned = await mkdtemp(join(tmpdir(), 'database-mcp-sweeptest-'));
  t.after(() => rm(abandoned, { recursive: true, force: true }));
  await mkdir(join(abandoned, 'pgdata'));
  await writeFile(join(abandoned, 'server.pid'), JSON.stringify({ guardPid: 2 ** 30, guardToken: 'x' }));
  const inUse = await openDataDirectory('sweeptest', undefined, await startTestGuard(t));
  const fresh = await openDataDirectory('sweeptest', undefined, await startTestGuard(t));
  assert.ok(!existsSync(abandoned));
  assert.ok(existsSync(inUse.path) && existsSync(fresh.path), 'a folder in use stays');
});

test('passwords are random, kept for the next start and readable by their owner alone', async (t) => {
  const folder = await createFolder(t);
  const first = await loadPasswords(folder, ['admin', 'reader'], false);
  assert.ok(first.admin.length >= 32 && first.reader.length >= 32 && first.admin !== first.reader);
  assert.deepEqual(await loadPasswords(folder, ['admin', 'reader'], true), first);
  assert.equal(statSync(join(folder, 'credentials.json')).mode & 0o777, 0o600);
});

test('a database without its passwords is an error that says which file is missing', async (t) => {
  const folder = await createFolder(t);
  await assert.rejects(loadPasswords(folder, ['admin'], true), /credentials\.json/);
  await writeFile(join(folder, 'credentials.json'), '{ broken');
  await assert.rejects(loadPasswords(folder, ['admin'], false), /credentials\.json/);
  assert.equal(await readFile(join(folder, 'credentials.json'), 'utf8'), '{ broken', 'nothing is overwritten');
});
