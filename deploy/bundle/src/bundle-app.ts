/** Makes one self-contained file of an app: all it imports, WebAssembly included, for a plain Node 22.19 or later (undici's oldest). */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

/** CommonJS dependencies call `require` for Node's own modules, which an ES module does not have. */
const BANNER = [
  `import { createRequire as createBundleRequire } from 'node:module';`,
  `const require = createBundleRequire(import.meta.url);`,
  `const __dirname = import.meta.dirname;`,
].join(' ');

/** Bundles `src/main.ts` of the app in that folder and gives the path of the bundle, `dist/main.js`. */
export async function bundleApp(appDirectory: string): Promise<string> {
  const result = await build({
    absWorkingDir: appDirectory,
    entryPoints: ['src/main.ts'],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    loader: { '.wasm': 'base64' },
    define: { IS_BUNDLED: 'true' },
    // The text stays in memory as long as the process, 2 MB less of it; names and short lines keep stacks readable.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
    banner: { js: BANNER },
    outfile: 'dist/main.js',
    logLevel: 'warning',
    write: false,
  });
  const [output] = result.outputFiles;
  if (!output) throw new Error(`the bundler gave nothing for ${appDirectory}`);
  const path = join(appDirectory, 'dist', 'main.js');
  await mkdir(join(appDirectory, 'dist'), { recursive: true });
  // Renamed into place, so that a process that starts meanwhile never reads half a file.
  const unfinished = `${path}.${process.pid}`;
  await writeFile(unfinished, output.contents);
  await rename(unfinished, path);
  return path;
}
