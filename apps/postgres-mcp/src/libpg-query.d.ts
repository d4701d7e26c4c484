/** The parts of the parser's WebAssembly module that are used; the package describes only its wrapper. */
declare module 'libpg-query/wasm/libpg-query.js' {
  /** An instance of the module, with Emscripten's helpers. */
  export interface ParserModule {
    _malloc(size: number): number;
    _free(pointer: number): void;
    _wasm_parse_query_raw(sql: number): number;
    _wasm_free_parse_result(result: number): void;
    lengthBytesUTF8(text: string): number;
    stringToUTF8(text: string, pointer: number, size: number): void;
    UTF8ToString(pointer: number): string;
    getValue(pointer: number, type: 'i32'): number;
  }
  export default function createModule(options: { wasmBinary: Uint8Array }): Promise<ParserModule>;
}

declare module '*.wasm' {
  const bytes: Uint8Array;
  export default bytes;
}
