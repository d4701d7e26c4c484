/**
 * JSON that keeps what the sender wrote: 64-bit integers stay exact and `18.0` stays apart from `18`.
 * Owns the value type, parsing and printing; what is wrong with a text that does not parse is told by json-syntax.ts.
 */
import { ApiError } from './api-error.ts';
import { describeSyntaxError } from './json-syntax.ts';

/** A number that was written with a fraction or exponent but has a whole value, such as `18.0`. */
export class WholeFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** Any JSON value; integers beyond 2^53 are bigints. */
export type Json = null | boolean | number | bigint | string | WholeFloat | Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  [key: string]: Json;
}

// Node has both; the TypeScript library of this compiler version does not describe them yet.
interface SourceAwareJson {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): unknown;
}

const exactJson = JSON as unknown as SourceAwareJson;

// As in the real server; it also keeps every recursion over a value within the stack.
const MAX_DEPTH = 127;
const MAX_UINT64 = 18446744073709551615n;
const MIN_INT64 = -9223372036854775808n;

function toExactNumber(value: number, source: string): Json {
  if (/[.eE]/.test(source) || source === '-0') return Number.isInteger(value) ? new WholeFloat(value) : value;
  if (Number.isSafeInteger(value)) return value;
  const exact = BigInt(source);
  // What fits neither 64-bit integer type becomes a double, as in the real server.
  return exact > MAX_UINT64 || exact < MIN_INT64 ? new WholeFloat(value) : exact;
}

/** Whether lists and objects stand in each other deeper than the limit; brackets inside texts do not count. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let isInText = false;
  for (let at = 0; at < text.length && depth <= MAX_DEPTH; at++) {
    const character = text[at];
    if (character === '"') isInText = !isInText;
    else if (isInText) at += character === '\\' ? 1 : 0;
    else if (character === '[' || character === '{') depth++;
    else if (character === ']' || character === '}') depth--;
  }
  return depth > MAX_DEPTH;
}

/** Parses a request body, or throws the answer that a Qdrant server gives for it. */
export function parseJson(text: string): Json {
  if (isTooDeep(text)) throw ApiError.format('recursion limit exceeded');
  try {
    return exactJson.parse(text, (_key, value, context) =>
      typeof value === 'number' && context.source !== undefined ? toExactNumber(value, context.source) : value,
    ) as Json;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw ApiError.format(describeSyntaxError(text));
  }
}

/** Prints a value as JSON; `Float32Array`s come out in the shortest form that reads back as the same 32-bit floats. */
export function printJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'bigint') return exactJson.rawJSON(item.toString());
    if (item instanceof WholeFloat) return exactJson.rawJSON(printFloat(item.value, String(item.value)));
    if (item instanceof Float32Array) return Array.from(item, float32Json);
    return item;
  });
}

function printFloat(value: number, shortest: string): string {
  if (!Number.isFinite(value)) return 'null';
  if (Object.is(value, -0)) return '-0.0';
  return /^-?\d+$/.test(shortest) ? `${shortest}.0` : shortest;
}

/** A 32-bit float as a printable JSON number (`null` when it is not finite). */
export function float32Json(value: number): unknown {
  // Nine digits always suffice for 32 bits; most values need seven or eight.
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return exactJson.rawJSON(printFloat(value, String(shorter)));
  }
  return exactJson.rawJSON(printFloat(value, String(Number(value.toPrecision(9)))));
}

/** Whether the value is a JSON object. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof WholeFloat);
}

/** The own value under a key; inherited names such as `constructor` are not found. */
export function field(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Sets an own value under any key, `__proto__` included. */
export function setField(object: JsonObject, key: string, value: Json): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

/** The value as a double, or undefined when it is not a number. */
export function toDouble(value: Json | undefined): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  return value instanceof WholeFloat ? value.value : undefined;
}

/** The value as an integer, or undefined when it is not one (`18.0` is not). */
export function toInteger(value: Json | undefined): bigint | undefined {
  if (typeof value === 'bigint') return value;
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : undefined;
}

/** The value in the words of the server's error texts: `map`, `sequence`, `string "x"`, `integer `1``. */
export function describeJson(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'sequence';
  if (typeof value === 'string') return `string ${JSON.stringify(value)}`;
  if (typeof value === 'boolean') return `boolean \`${value}\``;
  if (toInteger(value) !== undefined) return `integer \`${String(value)}\``;
  return isObject(value) ? 'map' : `floating point \`${printJson(value)}\``;
}
