import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Defined by the bundler only, which puts the module into the bundle as base64 text. */
declare const IS_BUNDLED: boolean;

/** The bytes of the parser's WebAssembly module. */
export async function loadParserWasm(): Promise<Uint8Array> {
  if (typeof IS_BUNDLED === 'undefined') {
    return await readFile(fileURLToPath(import.meta.resolve('libpg-query/wasm/libpg-query.wasm')));
  }
  const { default: text } = await import('libpg-query/wasm/libpg-query.wasm');
  return Buffer.from(text, 'base64');
}
