import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { choosePort, waitUntil } from './ports.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const DEADLINE_MS = 30_000;

interface RunningCommand {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string };
  readonly exitCode: Promise<number | null>;
}

async function createFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'embedded-main-test-'));
  // As root Postgres runs as another user, who must be able to pass through.
  await chmod(folder, 0o711);
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function runMain(t: TestContext, ...args: string[]): RunningCommand {
  const { QDRANT_URL: _existing, ...env } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
  t.after(() => child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  return { child, output, exitCode: once(child, 'close').then(([code]) => code as number | null) };
}

async function waitForReady({ output }: RunningCommand): Promise<void> {
  assert.ok(await waitUntil(async () => output.stderr.includes('is ready'), DEADLINE_MS), output.stderr);
}

test('one database alone: settings on standard output, the given port and folder, ended by Ctrl-C', async (t) => {
  const folder = await createFolder(t);
  const port = await choosePort(undefined, 'test');
  const running = runMain(t, 'postgres', '--port', String(port), '--data', folder);
  await waitForReady(running);
  assert.match(
    running.output.stdout,
    new RegExp(`^POSTGRES_URL=postgresql://mcp_reader:\\S+@127\\.0\\.0\\.1:${port}/`),
  );
  const { reader } = JSON.parse(readFileSync(join(folder, 'credentials.json'), 'utf8')) as { reader: string };
  assert.ok(running.output.stdout.includes(reader));
  assert.ok(!running.output.stderr.includes(reader));
  running.child.kill('SIGINT');
  assert.equal(await running.exitCode, 0);
  assert.ok(!existsSync(join(folder, 'server.pid')), 'the server is gone before the command ends');
  assert.equal(await choosePort(port, 'test'), port);
});

test('a server that dies ends the command with an error and the end of its log', async (t) => {
  const folder = await createFolder(t);
  const running = runMain(t, 'qdrant', '--data', folder);
  await waitForReady(running);
  const { serverPid } = JSON.parse(readFileSync(join(folder, 'server.pid'), 'utf8')) as { serverPid: number };
  process.kill(serverPid, 'SIGKILL');
  assert.equal(await running.exitCode, 1);
  assert.match(running.output.stderr, /qdrant ended unexpectedly \(SIGKILL\)/);
});

test('a mistake on the command line is explained with the usage, and nothing is started', async (t) => {
  const running = runMain(t, 'postgres', '--prot', '1');
  assert.equal(await running.exitCode, 2);
  assert.match(running.output.stderr, /--prot.*Usage: npm run embedded/s);
});
