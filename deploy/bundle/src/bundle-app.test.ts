import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { stop } from 'esbuild';
import { bundleApp } from './bundle-app.ts';

const run = promisify(execFile);
after(() => stop());

test('a bundle runs alone in an empty folder, with CommonJS dependencies and WebAssembly inside', async (t) => {
  const app = await mkdtemp(join(tmpdir(), 'database-mcp-bundle-'));
  t.after(() => rm(app, { recursive: true, force: true }));
  await mkdir(join(app, 'src'));
  await writeFile(join(app, 'src', 'module.wasm'), 'wasm bytes');
  await writeFile(join(app, 'src', 'common.cjs'), `module.exports = require('node:path').sep;`);
  await writeFile(
    join(app, 'src', 'main.ts'),
    `import sep from './common.cjs';
     declare const IS_BUNDLED: boolean;
     const { default: wasm } = await import('./module.wasm');
     console.log(String(IS_BUNDLED), sep as string, Buffer.from(wasm, 'base64').toString());`,
  );
  const bundle = await bundleApp(app);
  const alone = join(app, 'alone');
  await mkdir(alone);
  await copyFile(bundle, join(alone, 'main.mjs'));
  await rm(join(app, 'src'), { recursive: true });
  const { stdout } = await run(process.execPath, ['main.mjs'], { cwd: alone });
  assert.equal(stdout, 'true / wasm bytes\n');
});
