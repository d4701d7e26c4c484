/** JSON without losing digits: 64-bit integers are read, written and shown exactly. */
import type { Cell } from '@database-mcp/mcp-kit';

/** A JSON value as Qdrant sends it; an integer beyond ±2^53 is a bigint. */
export type Json = null | boolean | number | bigint | string | WholeFloat | Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  [key: string]: Json;
}

/** A number that was written like `18.0`: whole, but not an integer to a filter that matches integers. */
export class WholeFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

// Node has both; the TypeScript library does not describe them yet.
interface SourceAwareJson {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): unknown;
}

const exactJson = JSON as unknown as SourceAwareJson;

/** Fewer digits than this are always exact in a double (2^53 has 16), and a reviver costs ten times the plain parser. */
const LONG_NUMBER = /\d{16}/;

/** Parses a text; throws SyntaxError like `JSON.parse`. Whole floats are told apart only where that is asked for. */
export function parseExactJson(text: string, options: { wholeFloats: boolean } = { wholeFloats: false }): Json {
  if (!options.wholeFloats && !LONG_NUMBER.test(text)) return JSON.parse(text) as Json;
  return exactJson.parse(text, (_key, value, { source }) => {
    if (typeof value !== 'number' || source === undefined) return value;
    if (/^-?\d+$/.test(source)) return Number.isSafeInteger(value) ? value : BigInt(source);
    return options.wholeFloats && Number.isInteger(value) ? new WholeFloat(value) : value;
  }) as Json;
}

/** Prints a value as JSON, bigints digit for digit. */
export function printExactJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'bigint' ? exactJson.rawJSON(item.toString()) : item,
  );
}

/** The value in the result form: what a double cannot hold exactly is text. */
export function toCell(value: Json | undefined): Cell {
  if (value === undefined) return null;
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof WholeFloat) return toCell(value.value);
  // JSON.stringify would drop the sign.
  if (Object.is(value, -0)) return '-0.0';
  if (Array.isArray(value)) return value.map(toCell);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toCell(item)]));
}

/** Whether the value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof WholeFloat);
}

/** The own value under a key; undefined for everything that is no object. */
export function field(value: Json | undefined, key: string): Json | undefined {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** The value's JSON type in the words of a schema: `integer` and `float` are what filters tell apart. */
export function jsonTypeOf(value: Json): string {
  if (value === null) return 'null';
  if (value instanceof WholeFloat) return 'float';
  if (typeof value === 'bigint') return 'integer';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'float';
  if (Array.isArray(value)) return 'array';
  return typeof value;
}
