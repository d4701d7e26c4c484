import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Defined by the bundler only, which puts the module's bytes into the bundle. */
declare const IS_BUNDLED: boolean;

/** The bytes of the parser's WebAssembly module. */
export async function loadParserWasm(): Promise<Uint8Array> {
  if (typeof IS_BUNDLED !== 'undefined') return (await import('libpg-query/wasm/libpg-query.wasm')).default;
  return await readFile(fileURLToPath(import.meta.resolve('libpg-query/wasm/libpg-query.wasm')));
}
