/**
 * Postgres's text of a value → JSON, exactly. A value becomes a JSON number only when a double holds exactly that value;
 * everything else stays the text that Postgres wrote. The other way is `parameters.ts`.
 */
import type { Cell } from '@database-mcp/mcp-kit';

/** Makes a cell of Postgres's text. */
export type CellConverter = (text: string) => Cell;

/** int2, int4, int8, oid and numeric: a decimal with a scale stays text, because a JSON number would lose the scale. */
const toInteger: CellConverter = (text) => {
  const value = Number(text);
  return /^-?\d+$/.test(text) && Number.isSafeInteger(value) ? value : text;
};

/** float8: the text is the shortest that reads as the same double, so the number is the value itself. */
const toDouble: CellConverter = (text) => {
  const value = Number(text);
  // JSON has neither NaN nor Infinity, and JSON.stringify drops the sign of -0.
  return Number.isFinite(value) && !Object.is(value, -0) ? value : text;
};

/** float4: the text is the shortest for a single; read as a double it is often another number (0.1). */
const toSingle: CellConverter = (text) => (Math.fround(Number(text)) === Number(text) ? toDouble(text) : text);

const toBoolean: CellConverter = (text) => (text === 't' ? true : text === 'f' ? false : text);
const toText: CellConverter = (text) => text;

class InexactError extends Error {}

/** The JSON value when nothing of it is lost, otherwise its text: long numbers, scales (1.10), repeated keys, -0. */
export function toExactJson(text: string): Cell {
  try {
    // A repeated key is seen by its count: the text has one name for each key that was written.
    let keys = 0;
    const value = JSON.parse(text, (_key, item: unknown, context?: { source?: string }) => {
      if (typeof item === 'number' && context?.source !== JSON.stringify(item)) throw new InexactError();
      if (typeof item === 'object' && item !== null && !Array.isArray(item)) keys += Object.keys(item).length;
      return item;
    }) as Cell;
    return keys === countKeys(text) ? value : text;
  } catch (error) {
    // Deep nesting overflows the stack (RangeError); text that is no JSON cannot come from Postgres, but is kept too.
    if (error instanceof InexactError || error instanceof RangeError || error instanceof SyntaxError) return text;
    throw error;
  }
}

/** Counts the colons outside of strings, one for each key. */
function countKeys(text: string): number {
  let count = 0;
  for (const token of text.matchAll(/"(?:[^"\\]|\\.)*"|:/gs)) if (token[0] === ':') count++;
  return count;
}

/**
 * A Postgres array as a JSON array. Text stays text when the array has bounds of its own (`[2:3]={1,2}`), which a JSON
 * array cannot carry.
 */
export function toExactArray(text: string, convert: CellConverter): Cell {
  if (!text.startsWith('{')) return text;
  const root: Cell[] = [];
  const open: Cell[][] = [root];
  // Quoted elements with backslash escapes, bare elements, and the braces and commas between them.
  for (const [token, quoted] of text.matchAll(/"((?:[^"\\]|\\.)*)"|[{}]|[^{},"]+/gs)) {
    const current = open.at(-1);
    if (current === undefined) return text;
    if (token === '{') {
      const inner: Cell[] = [];
      current.push(inner);
      open.push(inner);
    } else if (token === '}') open.pop();
    else if (quoted !== undefined) current.push(convert(quoted.replace(/\\(.)/gs, '$1')));
    else current.push(token === 'NULL' ? null : convert(token));
  }
  return open.length === 1 && root.length === 1 ? (root[0] ?? text) : text;
}

const array =
  (convert: CellConverter): CellConverter =>
  (text) =>
    toExactArray(text, convert);

/** By type OID (pg_type.dat): these are fixed in Postgres. Every other type is text. */
const CONVERTERS: ReadonlyMap<number, CellConverter> = new Map<number, CellConverter>([
  ...pairs([16], [1000], toBoolean),
  // int2, int4, int8, oid, numeric
  ...pairs([21, 23, 20, 26, 1700], [1005, 1007, 1016, 1028, 1231], toInteger),
  // float4, float8
  ...pairs([700], [1021], toSingle),
  ...pairs([701], [1022], toDouble),
  // json, jsonb
  ...pairs([114, 3802], [199, 3807], toExactJson),
  // text, varchar, bpchar, name, uuid, date, time, timetz, timestamp, timestamptz, interval, inet, cidr, bytea
  ...pairs([], [1009, 1015, 1014, 1003, 2951, 1182, 1183, 1270, 1115, 1185, 1187, 1041, 651, 1001], toText),
]);

function pairs(
  scalars: readonly number[],
  arrays: readonly number[],
  convert: CellConverter,
): [number, CellConverter][] {
  return [
    ...scalars.map((oid): [number, CellConverter] => [oid, convert]),
    ...arrays.map((oid): [number, CellConverter] => [oid, array(convert)]),
  ];
}

/** How values of a type become cells. */
export function converterOf(typeOid: number): CellConverter {
  return CONVERTERS.get(typeOid) ?? toText;
}
