/** The parts of the parser's WebAssembly module that are used; the package describes only its wrapper. */
declare module 'libpg-query/wasm/libpg-query.js' {
  /** An instance of the module, with Emscripten's helpers. */
  export interface ParserModule {
    _malloc(size: number): number;
    _free(pointer: number): void;
    _wasm_scan(sql: number): number;
    _wasm_free_string(text: number): void;
    _wasm_parse_query_raw(sql: number): number;
    _wasm_free_parse_result(result: number): void;
    lengthBytesUTF8(text: string): number;
    stringToUTF8(text: string, pointer: number, size: number): void;
    UTF8ToString(pointer: number): string;
    getValue(pointer: number, type: 'i32'): number;
  }
  /** `instantiateWasm` replaces the reading of the module from a file beside the script. */
  export default function createModule(options: {
    instantiateWasm(imports: object, done: (instance: object) => void): void;
  }): Promise<ParserModule>;
}

declare module '*.wasm' {
  /** Base64, as the bundler gives it. */
  const text: string;
  export default text;
}

/** The part of the global that Node's types leave to the DOM's. */
declare namespace WebAssembly {
  class RuntimeError extends Error {}
  interface Module {
    readonly __module: unique symbol;
  }
  function compile(bytes: Uint8Array): Promise<Module>;
  function instantiate(module: Module, imports: object): Promise<object>;
}
