import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { startGuard } from '../guard.ts';
import { openClassArchive } from './class-archive.ts';
import type { ClassArchive } from './class-archive.ts';
import { JavaMissingError, findJava } from './java.ts';
import type { Java } from './java.ts';

interface Bench {
  readonly java: Java;
  readonly open: (java?: Java) => Promise<ClassArchive>;
}

async function createBench(t: TestContext): Promise<Bench | undefined> {
  const java = await findJava().catch((error: unknown) => {
    if (!(error instanceof JavaMissingError)) throw error;
    t.skip('there is no Java here');
  });
  if (java === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'class-archive-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'logs'));
  return { java, open: (other = java) => openClassArchive(join(folder, 'cache'), other, [], folder) };
}

function runJava(java: Java, archive: ClassArchive): string {
  return execFileSync(java.command, [...archive.jvmFlags, '-version'], { encoding: 'utf8', stdio: 'pipe' });
}

test('the first server notes its classes, an archive is made of them, and the next one uses it', async (t) => {
  const bench = await createBench(t);
  if (bench === undefined) return;
  const guard = await startGuard('test');
  t.after(() => guard.stop());
  const first = await bench.open();
  assert.equal(first.isUsed, false);
  runJava(bench.java, first);
  await first.make(guard);
  const second = await bench.open();
  assert.equal(second.isUsed, true);
  assert.ok(statSync(second.file).size > 1_000_000);
  runJava(bench.java, second);
  const otherJava = await bench.open({ ...bench.java, description: 'another build of Java' });
  assert.equal(otherJava.isUsed, false, 'an archive is of one Java only');
  assert.equal(readdirSync(join(second.file, '..')).length, 2, 'nothing temporary is left');
});

test('a damaged archive does not stop the JVM', async (t) => {
  const bench = await createBench(t);
  if (bench === undefined) return;
  const { file } = await bench.open();
  await mkdir(join(file, '..'));
  await writeFile(file, 'rubbish');
  assert.equal((await bench.open()).isUsed, false, 'a size that was not noted is not trusted');
  await writeFile(`${file}.bytes`, String('rubbish'.length));
  const archive = await bench.open();
  assert.equal(archive.isUsed, true);
  runJava(bench.java, archive);
  await archive.discard();
  assert.ok(!existsSync(file));
});

test('an archive that the JVM refuses to make is not tried again at every start', async (t) => {
  const bench = await createBench(t);
  if (bench === undefined) return;
  const guard = await startGuard('test');
  t.after(() => guard.stop());
  const first = await bench.open();
  const [flag = ''] = first.jvmFlags;
  await writeFile(flag.slice(flag.indexOf('=') + 1), '@no-such-directive\n\n');
  await first.make(guard);
  const second = await bench.open();
  assert.equal(second.isUsed, false);
  assert.deepEqual(second.jvmFlags, []);
});
