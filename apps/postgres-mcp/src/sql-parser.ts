/**
 * PostgreSQL's own parser (libpg_query, compiled to WebAssembly): SQL text → parse tree.
 * The package's wrapper is passed by, because it can neither be bundled nor be started again after a stack overflow.
 */
import createModule, { type ParserModule } from 'libpg-query/wasm/libpg-query.js';
import { loadParserWasm } from './parser-wasm.ts';

/** A parse tree node as libpg_query writes it in JSON. */
export type ParseNode = { [key: string]: unknown };

/** What became of parsing. `position` counts characters from 1; `end`, before a semicolon, bytes from 0. */
export type ParseOutcome =
  | { kind: 'parsed'; statements: { node: ParseNode; position: number; end: number }[] }
  | { kind: 'syntax-error'; message: string; position: number }
  | { kind: 'too-complex' };

// Offsets in libpg_query's PgQueryParseResult and PgQueryError on a 32-bit machine.
const RESULT_TREE = 0;
const RESULT_ERROR = 8;
const ERROR_MESSAGE = 0;
const ERROR_POSITION = 16;

interface RawStatement {
  stmt?: ParseNode;
  stmt_location?: number;
  /** Absent when the statement ends where the text does. */
  stmt_len?: number;
}

const compiled = await WebAssembly.compile(await loadParserWasm());
let parser = await startParser();

function startParser(): Promise<ParserModule> {
  return createModule({
    instantiateWasm(imports, done) {
      void WebAssembly.instantiate(compiled, imports).then(done);
    },
  });
}

/** Parses SQL text, which must be well-formed Unicode without NUL. */
export async function parseSql(sql: string): Promise<ParseOutcome> {
  try {
    return parseWith(parser, sql);
  } catch (error) {
    // Deep nesting overflows the stack inside the module, which leaves its own stack and memory in disorder.
    if (!(error instanceof RangeError || error instanceof WebAssembly.RuntimeError)) throw error;
    parser = await startParser();
    return { kind: 'too-complex' };
  }
}

/** A token or comment as libpg_query's scanner tells it; `start` and `end` are bytes. */
export interface SqlToken {
  start: number;
  end: number;
  tokenName: string;
}

/** The tokens of SQL text, which must be well-formed Unicode without NUL; undefined when it cannot be read as such. */
export function scanSql(sql: string): SqlToken[] | undefined {
  const text = toPointer(parser, sql);
  const result = parser._wasm_scan(text);
  try {
    // It leaves form feeds and the like in its strings as they are, which JSON does not allow.
    const answer = parser.UTF8ToString(result).replaceAll(/\p{Cc}/gu, ' ');
    // In place of JSON there is the message of an error, such as an open string.
    return answer.startsWith('{') ? (JSON.parse(answer) as { tokens: SqlToken[] }).tokens : undefined;
  } finally {
    parser._free(text);
    parser._wasm_free_string(result);
  }
}

function toPointer(module: ParserModule, sql: string): number {
  const size = module.lengthBytesUTF8(sql) + 1;
  const text = module._malloc(size);
  module.stringToUTF8(sql, text, size);
  return text;
}

function parseWith(module: ParserModule, sql: string): ParseOutcome {
  const text = toPointer(module, sql);
  const result = module._wasm_parse_query_raw(text);
  try {
    const error = module.getValue(result + RESULT_ERROR, 'i32');
    if (error !== 0) {
      const message = module.UTF8ToString(module.getValue(error + ERROR_MESSAGE, 'i32'));
      // What the grammar says beyond 10,000 open parentheses.
      if (message.startsWith('memory exhausted')) return { kind: 'too-complex' };
      return { kind: 'syntax-error', message, position: module.getValue(error + ERROR_POSITION, 'i32') };
    }
    const tree = JSON.parse(module.UTF8ToString(module.getValue(result + RESULT_TREE, 'i32'))) as {
      stmts?: RawStatement[];
    };
    const before = Buffer.from(sql);
    const statements = (tree.stmts ?? []).map(({ stmt = {}, stmt_location: offset = 0, stmt_len: length }) => ({
      node: stmt,
      position: [...before.subarray(0, offset).toString()].length + 1,
      end: length === undefined ? before.length : offset + length,
    }));
    return { kind: 'parsed', statements };
  } finally {
    module._free(text);
    module._wasm_free_parse_result(result);
  }
}
