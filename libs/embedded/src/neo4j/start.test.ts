import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import neo4j from 'neo4j-driver';
import { startChildParent } from '../child-parent.ts';
import { JavaMissingError, startNeo4j } from '../index.ts';
import { choosePort, waitUntil } from '../ports.ts';
import { isLiveProcess } from '../process-lock.ts';
import { findJava } from './java.ts';

const DEADLINE_MS = 30_000;

type Login = Pick<Awaited<ReturnType<typeof startNeo4j>>, 'uri' | 'username' | 'password'>;

async function createFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'neo4j-test-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

async function query(login: Login, cypher: string): Promise<unknown> {
  const driver = neo4j.driver(login.uri, neo4j.auth.basic(login.username, login.password));
  try {
    const { records } = await driver.executeQuery(cypher);
    return records[0]?.get(0);
  } finally {
    await driver.close();
  }
}

async function replaceJava(t: TestContext, path: string): Promise<void> {
  const { PATH, JAVA_HOME } = process.env;
  t.after(() => {
    process.env['PATH'] = PATH;
    if (JAVA_HOME !== undefined) process.env['JAVA_HOME'] = JAVA_HOME;
  });
  process.env['PATH'] = path;
  delete process.env['JAVA_HOME'];
}

async function createFakeJava(t: TestContext, says: string): Promise<string> {
  const folder = await createFolder(t);
  await writeFile(join(folder, 'java'), `#!/bin/sh\necho '${says}' >&2\n`);
  await chmod(join(folder, 'java'), 0o755);
  return folder;
}

const hasJava = await findJava().then(
  () => true,
  () => false,
);
const skip = hasJava ? false : 'there is no Java 17 here';

test('without Java there is an error that says how to install it, before anything is downloaded', async (t) => {
  await replaceJava(t, await createFolder(t));
  const progress: string[] = [];
  await assert.rejects(
    startNeo4j({ onProgress: (line) => progress.push(line) }),
    (error) => error instanceof JavaMissingError && /Java 17.*no working `java`.*apt install/s.test(error.message),
  );
  assert.deepEqual(progress, []);
});

const versions: { says: string; major: number | undefined; why: string }[] = [
  { says: 'openjdk version "1.8.0_402"', major: undefined, why: 'Java 8 counts as 8, not as 1' },
  { says: 'java version "11.0.22" 2024-01-16 LTS', major: undefined, why: 'too old' },
  { says: 'openjdk version "17.0.15" 2025-04-15', major: 17, why: 'the lowest that works' },
  { says: 'openjdk version "25" 2025-09-16', major: 25, why: 'no dot in the version' },
  { says: 'openjdk version "26-ea" 2026-03-17', major: 26, why: 'early access' },
  { says: 'No Java runtime present, requesting install.', major: undefined, why: 'the placeholder of macOS' },
];
for (const { says, major, why } of versions) {
  test(`\`${says}\` is ${major === undefined ? 'refused' : 'accepted'} (${why})`, async (t) => {
    await replaceJava(t, `${await createFakeJava(t, says)}:/usr/bin:/bin`);
    if (major === undefined) await assert.rejects(findJava(), JavaMissingError);
    else assert.equal((await findJava()).majorVersion, major);
  });
}

test('a taken port is an error that names the port and the flag, and leaves nothing behind', { skip }, async (t) => {
  const blocker = createServer().listen(0, '127.0.0.1');
  t.after(() => blocker.close());
  await new Promise((resolve) => blocker.once('listening', resolve));
  const { port } = blocker.address() as { port: number };
  const dataDirectory = await createFolder(t);
  await assert.rejects(startNeo4j({ port, dataDirectory }), new RegExp(`127\\.0\\.0\\.1:${port}.*--port`));
  assert.deepEqual(readdirSync(dataDirectory), []);
});

test(
  'it answers safely, refuses a second start in its directory, and data survive a kill and a restart',
  { skip },
  async (t) => {
    const dataDirectory = await createFolder(t);
    const first = await startNeo4j({ dataDirectory });
    t.after(() => first.stop());
    await query(first, 'CREATE (:Kept {answer: 42, exact: 9007199254740993})');
    await assert.rejects(query({ ...first, password: 'wrong' }, 'RETURN 1'), { code: /Unauthorized/ });
    await assert.rejects(query(first, "LOAD CSV FROM 'file:///etc/passwd' AS line RETURN line"), /file/i);
    await assert.rejects(startNeo4j({ dataDirectory }), new RegExp(`in use .*process ${first.pid}`));
    const seen = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    const log = readFileSync(join(dataDirectory, 'logs', 'console.log'), 'utf8');
    assert.ok(!`${seen}${log}`.includes(first.password));
    process.kill(first.pid, 'SIGKILL');
    assert.equal((await first.exited).signal, 'SIGKILL');
    const second = await startNeo4j({ dataDirectory, port: first.port });
    t.after(() => second.stop());
    assert.deepEqual([second.uri, second.password], [first.uri, first.password]);
    assert.equal(await query(second, 'MATCH (k:Kept) RETURN toString(k.exact)'), '9007199254740993');
    await second.stop();
    assert.ok(!(await isLiveProcess(second.pid, dataDirectory)));
    await rm(join(dataDirectory, 'credentials.json'));
    await assert.rejects(startNeo4j({ dataDirectory }), /credentials\.json/);
  },
);

test('after the parent is killed the server and its temporary folder are gone', { skip }, async () => {
  const script = 'const { pid, port } = await embedded.startNeo4j(); tell({ pid, port });';
  const { child, facts } = await startChildParent<{ pid: number; port: number }>(script);
  const commandLine = execFileSync('ps', ['-ww', '-p', String(facts.pid), '-o', 'args='], { encoding: 'utf8' });
  const folder = /--home-dir=(\S+)/.exec(commandLine)?.[1] ?? assert.fail(commandLine);
  assert.ok(existsSync(folder));
  process.kill(-(child.pid ?? 0), 'SIGKILL');
  const isGone = async (): Promise<boolean> => !existsSync(folder) && !(await isLiveProcess(facts.pid, folder));
  assert.ok(await waitUntil(isGone, DEADLINE_MS));
  assert.equal(await choosePort(facts.port, 'test'), facts.port, 'its port is free again');
});

test('a failed start tells the end of the log', { skip }, async (t) => {
  const dataDirectory = await createFolder(t);
  await mkdir(join(dataDirectory, 'data'));
  await writeFile(join(dataDirectory, 'data', 'transactions'), 'a file where a folder has to be');
  await assert.rejects(startNeo4j({ dataDirectory }), /Neo4j (ended|did not).*end of its log:.*transactions/s);
  assert.ok(!existsSync(join(dataDirectory, 'server.pid')));
});
