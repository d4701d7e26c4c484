import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { isProcessAlive } from '../guard.ts';
import { waitUntil } from '../ports.ts';
import { createStandInServer } from './stand-in/server.ts';
import { Store } from './stand-in/store.ts';
import { startQdrant } from './start.ts';
import type { EmbeddedQdrant, QdrantStartOptions } from './start.ts';

const GONE_TIMEOUT_MS = 15_000;

// Answers like Qdrant, and keeps what it was started with.
const FAKE_QDRANT = `#!${process.execPath}
require('node:fs').writeFileSync('started.json', JSON.stringify(process.env));
const server = require('node:http').createServer((_request, response) => {
  response.end(JSON.stringify({ title: 'qdrant - vector search engine', version: '1.16.1' }));
});
server.listen(Number(process.env.QDRANT__SERVICE__HTTP_PORT), process.env.QDRANT__SERVICE__HOST);
`;

// Started by the current test; the tests of a file run one after the other.
const servers: EmbeddedQdrant[] = [];

async function createFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'qdrant-start-test-'));
  t.after(async () => {
    // Hooks run in the order in which they were set; a server that is still there would write its files again.
    for (const server of servers.splice(0)) await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Sets what decides about the binary, for one test. */
function setEnvironment(t: TestContext, named: string | undefined, searchPath: string): void {
  const before = { named: process.env['QDRANT_BINARY'], path: process.env['PATH'] };
  t.after(() => {
    process.env['PATH'] = before.path;
    if (before.named === undefined) delete process.env['QDRANT_BINARY'];
    else process.env['QDRANT_BINARY'] = before.named;
  });
  process.env['PATH'] = searchPath;
  if (named === undefined) delete process.env['QDRANT_BINARY'];
  else process.env['QDRANT_BINARY'] = named;
}

async function start(t: TestContext, options: QdrantStartOptions): Promise<EmbeddedQdrant> {
  const qdrant = await startQdrant(options);
  servers.push(qdrant);
  t.after(() => qdrant.stop());
  return qdrant;
}

async function serve(t: TestContext, server: ReturnType<typeof createServer>): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function writeProgram(path: string): Promise<string> {
  await writeFile(path, FAKE_QDRANT);
  await chmod(path, 0o755);
  return path;
}

async function send(url: string, method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`${url}${path}`, { method, body: body === undefined ? null : JSON.stringify(body) });
  return await response.json();
}

test('an existing server is used and left running, before any binary', async (t) => {
  setEnvironment(t, await writeProgram(join(await createFolder(t), 'qdrant')), '');
  const url = await serve(t, createStandInServer({ store: new Store() }));
  const qdrant = await start(t, { url: `${url}/` });
  assert.deepEqual([qdrant.flavour, qdrant.url, qdrant.pid], ['existing', url, undefined]);
  assert.equal(qdrant.port, Number(new URL(url).port));
  await qdrant.stop();
  assert.equal((await fetch(url)).status, 200);
});

const answerHello: RequestListener = (_request, response) => response.end('hello');
const refuse: RequestListener = (_request, response) => response.writeHead(401).end('Must provide an API key');

test('a server that wants a key counts as one that answers', async (t) => {
  const url = await serve(t, createServer(refuse));
  assert.equal((await start(t, { url })).version, 'unknown');
});

test('a URL at which no Qdrant answers is an error that names it, without its password, and says what to do', async (t) => {
  const other = await serve(t, createServer(answerHello));
  const cases = [
    { why: 'nothing listens', url: 'http://someone:hunter2@127.0.0.1:1', says: /127\.0\.0\.1:1: ECONNREFUSED/ },
    { why: 'something else listens', url: other, says: /not Qdrant answers there \(HTTP 200\)/ },
    { why: 'no URL at all', url: 'localhost 6333', says: /QDRANT_URL \(option `url`\) is not an http/ },
    { why: 'no http', url: 'ftp://127.0.0.1', says: /is not an http/ },
  ];
  for (const { why, url, says } of cases) {
    const error = await startQdrant({ url }).then(
      () => assert.fail(why),
      (reason: unknown) => reason as Error,
    );
    assert.match(error.message, says, why);
    assert.match(error.message, /QDRANT_URL/, why);
    assert.doesNotMatch(error.message, /hunter2/, why);
  }
});

test('the binary named by QDRANT_BINARY runs on 127.0.0.1 in its own folder with telemetry off', async (t) => {
  const folder = await createFolder(t);
  setEnvironment(t, await writeProgram(join(folder, 'my-qdrant')), '');
  process.env['QDRANT__SERVICE__API_KEY'] = 'from-the-parent';
  t.after(() => delete process.env['QDRANT__SERVICE__API_KEY']);
  const dataDirectory = join(folder, 'data');
  const qdrant = await start(t, { dataDirectory });
  assert.deepEqual([qdrant.flavour, qdrant.version], ['binary', '1.16.1']);
  const settings = JSON.parse(await readFile(join(dataDirectory, 'started.json'), 'utf8')) as Record<string, string>;
  assert.equal(settings['QDRANT__SERVICE__HOST'], '127.0.0.1');
  assert.equal(settings['QDRANT__SERVICE__HTTP_PORT'], String(qdrant.port));
  assert.notEqual(settings['QDRANT__SERVICE__GRPC_PORT'], '6334');
  assert.equal(settings['QDRANT__TELEMETRY_DISABLED'], 'true');
  assert.equal(settings['QDRANT__STORAGE__STORAGE_PATH'], join(dataDirectory, 'storage'));
  assert.equal(settings['QDRANT__SERVICE__API_KEY'], undefined);
  const { pid = 0 } = qdrant;
  await qdrant.stop();
  assert.equal(isProcessAlive(pid), false);
});

test('a qdrant on PATH is found, folders of that name are not taken for it', async (t) => {
  const folder = await createFolder(t);
  await mkdir(join(folder, 'first', 'qdrant'), { recursive: true });
  await mkdir(join(folder, 'second'));
  await writeProgram(join(folder, 'second', 'qdrant'));
  setEnvironment(t, undefined, `${join(folder, 'first')}:${join(folder, 'second')}`);
  assert.equal((await start(t, {})).flavour, 'binary');
});

test('a QDRANT_BINARY that leads nowhere is an error, not a silent stand-in', async (t) => {
  setEnvironment(t, '/nowhere/qdrant', '');
  await assert.rejects(startQdrant(), /QDRANT_BINARY names \/nowhere\/qdrant, which is not a program/);
});

test('a binary that ends at once is an error with the end of its log', async (t) => {
  const program = join(await createFolder(t), 'qdrant');
  await writeFile(program, '#!/bin/sh\necho "storage is from the future" >&2\nexit 1\n');
  await chmod(program, 0o755);
  setEnvironment(t, program, '');
  await assert.rejects(startQdrant(), /Qdrant ended while it was starting[^]*storage is from the future/);
});

test('without a URL and a binary the stand-in starts, says that it is one and how to get the real one', async (t) => {
  setEnvironment(t, undefined, '');
  const lines: string[] = [];
  const qdrant = await start(t, { onProgress: (line) => lines.push(line) });
  assert.equal(qdrant.flavour, 'stand-in');
  assert.match(lines.join('\n'), /small stand-in for Qdrant.*QDRANT_URL.*qdrant binary.*QDRANT_BINARY/);
  const about = (await send(qdrant.url, 'GET', '/')) as { title: string; version: string };
  assert.match(about.title, /stand-in/);
  assert.equal(about.version, qdrant.version);
});

test('a port that is taken is an error that names it', async (t) => {
  setEnvironment(t, undefined, '');
  const url = await serve(t, createServer(answerHello));
  const port = Number(new URL(url).port);
  await assert.rejects(startQdrant({ port }), new RegExp(`127\\.0\\.0\\.1:${port}: the port is taken.*--port`));
});

test('the stand-in is gone, with its data saved, when its parent is killed', async (t) => {
  setEnvironment(t, undefined, '');
  const dataDirectory = join(await createFolder(t), 'data');
  const script = `
    const { startQdrant } = await import(${JSON.stringify(new URL('start.ts', import.meta.url).href)});
    const { pid, url } = await startQdrant({ dataDirectory: ${JSON.stringify(dataDirectory)} });
    console.log(JSON.stringify({ pid, url }));
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => parent.kill('SIGKILL'));
  const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
  const { pid, url } = JSON.parse(line) as { pid: number; url: string };
  await send(url, 'PUT', '/collections/c', { vectors: { size: 2, distance: 'Dot' } });
  await send(url, 'PUT', '/collections/c/points', { points: [{ id: 7, vector: [1, 2], payload: { a: 'b' } }] });
  parent.kill('SIGKILL');
  assert.ok(await waitUntil(async () => !isProcessAlive(pid), GONE_TIMEOUT_MS), 'the stand-in is still there');
  const again = await start(t, { dataDirectory });
  const { result } = (await send(again.url, 'GET', '/collections/c/points/7')) as { result: object };
  assert.deepEqual(result, { id: 7, payload: { a: 'b' }, vector: [1, 2] });
});
