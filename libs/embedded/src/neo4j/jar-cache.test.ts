import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync, utimesSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { startGuard } from '../guard.ts';
import type { Guard } from '../guard.ts';
import { prepareJars } from './jar-cache.ts';
import { NEO4J_VERSION, POM_FILE, loadJarLock } from './jar-lock.ts';
import type { JarLock } from './jar-lock.ts';
import { createDownloadSource, createMavenSource } from './jar-sources.ts';
import type { JarSource } from './jar-sources.ts';

const CONTENT: Record<string, string> = { 'c.jar': 'content of c', 'a.jar': 'content of a', 'b.jar': 'content of b' };

interface Bench {
  readonly folder: string;
  readonly lock: JarLock;
  readonly guard: Guard;
  prepare(...sources: JarSource[]): Promise<string[]>;
}

async function createBench(t: TestContext): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'jar-cache-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const entries = Object.entries(CONTENT).map(([name, text]) => ({
    path: `org/example/${name}`,
    sha256: createHash('sha256').update(text).digest('hex'),
    bytes: text.length,
  }));
  const lockFile = join(folder, 'jars.lock.json');
  await writeFile(lockFile, JSON.stringify(entries));
  const lock = await loadJarLock(lockFile);
  const guard = await startGuard('test');
  t.after(() => guard.stop());
  const cache = join(folder, 'cache');
  return {
    folder,
    lock,
    guard,
    prepare: (...sources) => prepareJars({ lock, folder: cache, sources, guard, onProgress: () => {} }),
  };
}

function createSource(content: Record<string, string>, calls: string[][] = []): JarSource {
  return {
    name: 'test source',
    async fetch(jars, folder) {
      calls.push(jars.map((jar) => jar.name));
      for (const { name } of jars) if (content[name] !== undefined) await writeFile(join(folder, name), content[name]);
      return undefined;
    },
  };
}

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/maven`;
}

test('jars come from the sources once, in the order of the class path, and from the cache from then on', async (t) => {
  const bench = await createBench(t);
  const calls: string[][] = [];
  const first = await bench.prepare(createSource(CONTENT, calls));
  assert.deepEqual(
    first.map((file) => readFileSync(file, 'utf8')),
    ['content of a', 'content of b', 'content of c'],
  );
  assert.deepEqual(await bench.prepare(createSource({}, calls)), first);
  assert.equal(calls.length, 1);
});

test('a jar that a source delivers wrong is refused and asked for at the next source, alone', async (t) => {
  const bench = await createBench(t);
  const calls: string[][] = [];
  const [a = ''] = await bench.prepare(
    createSource({ ...CONTENT, 'a.jar': 'content of X' }),
    createSource(CONTENT, calls),
  );
  assert.deepEqual(calls, [['a.jar']]);
  assert.equal(readFileSync(a, 'utf8'), 'content of a');
});

test('without a right jar there is an error that names the jar and the ways out, and no cache', async (t) => {
  const bench = await createBench(t);
  const tampered = createSource({ ...CONTENT, 'b.jar': 'content of X' });
  await assert.rejects(bench.prepare(tampered), /1 of the 3 jars.*SHA-256.*b\.jar.*MAVEN_REPO_URL/s);
  assert.deepEqual(readdirSync(join(bench.folder, 'cache')), []);
});

const tamperings: { name: string; text: string; keepTime: boolean; why: string }[] = [
  { name: 'changed in place', text: 'content of X', keepTime: false, why: 'same size, so only the hash tells' },
  { name: 'cut short', text: 'cont', keepTime: true, why: 'a full disk; the time may look right' },
];
for (const { name, text, keepTime, why } of tamperings) {
  test(`a cached jar that was ${name} is not used (${why})`, async (t) => {
    const bench = await createBench(t);
    const [a = ''] = await bench.prepare(createSource(CONTENT));
    const { atime, mtime } = statSync(a);
    await writeFile(a, text);
    if (keepTime) utimesSync(a, atime, mtime);
    await assert.rejects(bench.prepare(), /a\.jar|1 of the 3/);
    const calls: string[][] = [];
    await bench.prepare(createSource(CONTENT, calls));
    assert.deepEqual(calls, [['a.jar']], 'the good ones are kept');
    assert.equal(readFileSync(a, 'utf8'), 'content of a');
  });
}

test('two that fill the cache at once download once and leave a whole cache', async (t) => {
  const bench = await createBench(t);
  const other = await startGuard('test');
  t.after(() => other.stop());
  const calls: string[][] = [];
  const options = { lock: bench.lock, folder: join(bench.folder, 'cache'), onProgress: () => {} };
  const sources = [createSource(CONTENT, calls)];
  const results = await Promise.all([bench.guard, other].map((guard) => prepareJars({ ...options, sources, guard })));
  assert.deepEqual(results[0], results[1]);
  assert.equal(calls.length, 1);
  assert.equal(readdirSync(options.folder).length, 1, 'nothing temporary is left');
});

test('the turn of a process that was killed while filling is taken over', async (t) => {
  const bench = await createBench(t);
  const cache = join(bench.folder, 'cache');
  await mkdir(cache);
  await writeFile(join(cache, `jars-${bench.lock.digest.slice(0, 12)}.lock`), `${2 ** 30} some-token`);
  await bench.prepare(createSource(CONTENT));
});

test('MAVEN_REPO_URL: jars are downloaded below its path, with its login in a header', async (t) => {
  const bench = await createBench(t);
  const seen = new Set<string>();
  const url = await serve(t, (request, response) => {
    seen.add(`${request.url} ${request.headers.authorization}`);
    response.end(CONTENT[(request.url ?? '').split('/').pop() ?? '']);
  });
  const source = createDownloadSource(url.replace('//', '//user:pass%21@'));
  assert.ok(source !== undefined);
  assert.equal((await bench.prepare(source)).length, 3);
  const login = `Basic ${Buffer.from('user:pass!').toString('base64')}`;
  assert.ok(seen.has(`/maven/org/example/a.jar ${login}`), [...seen].join());
});

const badAnswers: { name: string; answer: RequestListener; says: RegExp }[] = [
  { name: 'refuses', answer: (_request, response) => response.writeHead(403).end(), says: /answered 403/ },
  { name: 'sends more than it should', answer: (_request, response) => response.end('x'.repeat(99)), says: /larger/ },
];
for (const { name, answer, says } of badAnswers) {
  test(`MAVEN_REPO_URL: a repository that ${name} is an error that says so, without the login`, async (t) => {
    const bench = await createBench(t);
    const source = createDownloadSource((await serve(t, answer)).replace('//', '//user:hunter2@'));
    assert.ok(source !== undefined);
    await assert.rejects(
      bench.prepare(source),
      (error: Error) => says.test(error.message) && !/hunter2/.test(error.message),
    );
  });
}

test('MAVEN_REPO_URL must be https', () => {
  assert.throws(() => createDownloadSource('http://example.org/maven'), /MAVEN_REPO_URL.*https/);
  assert.throws(() => createDownloadSource('nonsense'), /MAVEN_REPO_URL.*https/);
  assert.equal(createDownloadSource(undefined), undefined);
});

test('without Maven the error says that mvn is not on the PATH', async (t) => {
  const bench = await createBench(t);
  await assert.rejects(
    bench.prepare(createMavenSource(bench.guard, { PATH: bench.folder })),
    /`mvn` is not on the PATH/,
  );
});

test('the checked-in lock list and pom are of one version and name no host', async () => {
  const lock = await loadJarLock();
  assert.equal(lock.jars.length, 202);
  assert.ok(lock.jars.some((jar) => jar.name === `neo4j-${NEO4J_VERSION}.jar`));
  assert.equal(new Set(lock.jars.map((jar) => jar.name)).size, lock.jars.length);
  const pom = readFileSync(POM_FILE, 'utf8');
  assert.match(pom, new RegExp(`<artifactId>neo4j</artifactId><version>${NEO4J_VERSION}</version>`));
  const lockText = readFileSync(join(dirname(POM_FILE), 'jars.lock.json'), 'utf8');
  assert.doesNotMatch(pom.replace('http://maven.apache.org/POM/4.0.0', '') + lockText, /https?:\/\//);
});
