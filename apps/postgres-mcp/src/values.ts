/**
 * Postgres's text of a value → JSON, exactly. A value becomes a JSON number only when a double holds exactly that value;
 * everything else stays the text that Postgres wrote. The other way is `parameters.ts`.
 */
import { LongText, type Cell, type SourceCell } from '@database-mcp/mcp-kit';

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

/** Elements in quotes with backslash escapes, bare elements, and the braces between them; by the delimiter of the type. */
const ARRAY_TOKENS: Readonly<Record<string, RegExp>> = {
  ',': /"((?:[^"\\]|\\.)*)"|[{}]|[^{},"]+/gs,
  ';': /"((?:[^"\\]|\\.)*)"|[{}]|[^{};"]+/gs,
};

/**
 * A Postgres array as a JSON array. Text stays text when the array has bounds of its own (`[2:3]={1,2}`), which a JSON
 * array cannot carry.
 */
export function toExactArray(text: string, convert: CellConverter, delimiter = ','): Cell {
  const tokens = ARRAY_TOKENS[delimiter];
  if (!text.startsWith('{') || tokens === undefined) return text;
  const root: Cell[] = [];
  const open: Cell[][] = [root];
  for (const [token, quoted] of text.matchAll(tokens)) {
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

/** By type OID: the types whose text is not the cell. The numbers are fixed in Postgres (pg_type.dat). */
const CONVERTERS: ReadonlyMap<number, CellConverter> = new Map([
  [16, toBoolean],
  // int2, int4, int8, oid, numeric
  ...[21, 23, 20, 26, 1700].map((oid): [number, CellConverter] => [oid, toInteger]),
  // float4, float8
  [700, toSingle],
  [701, toDouble],
  // json, jsonb
  [114, toExactJson],
  [3802, toExactJson],
]);

/** The OID of bytea. */
const BYTEA = 17;
/** The OID of box, whose arrays alone have another delimiter. */
const BOX = 603;

/** OID of each array type of Postgres itself → OID of its elements. */
const ELEMENTS: ReadonlyMap<number, number> = new Map([
  // bool, bytea, "char", name, int8, int2, int4, regproc, text, oid, tid, xid, cid
  [1000, 16], [1001, 17], [1002, 18], [1003, 19], [1016, 20], [1005, 21], [1007, 23], [1008, 24], [1009, 25], [1028, 26],
  [1010, 27], [1011, 28], [1012, 29],
  // int2vector, oidvector, json, xml, point, lseg, path, box, polygon, line, circle
  [1006, 22], [1013, 30], [199, 114], [143, 142], [1017, 600], [1018, 601], [1019, 602], [1020, BOX], [1027, 604],
  [629, 628], [719, 718],
  // cidr, inet, macaddr, macaddr8, float4, float8, money, aclitem, bpchar, varchar
  [651, 650], [1041, 869], [1040, 829], [775, 774], [1021, 700], [1022, 701], [791, 790], [1034, 1033], [1014, 1042],
  [1015, 1043],
  // date, time, timestamp, timestamptz, interval, timetz, bit, varbit, numeric, refcursor
  [1182, 1082], [1183, 1083], [1115, 1114], [1185, 1184], [1187, 1186], [1270, 1266], [1561, 1560], [1563, 1562],
  [1231, 1700], [2201, 1790],
  // regprocedure, regoper, regoperator, regclass, regtype, regconfig, regdictionary, regnamespace, regrole, regcollation
  [2207, 2202], [2208, 2203], [2209, 2204], [2210, 2205], [2211, 2206], [3735, 3734], [3770, 3769], [4090, 4089],
  [4097, 4096], [4192, 4191],
  // uuid, txid_snapshot, pg_lsn, tsvector, tsquery, jsonb, jsonpath, pg_snapshot, xid8
  [2951, 2950], [2949, 2970], [3221, 3220], [3643, 3614], [3645, 3615], [3807, 3802], [4073, 4072], [5039, 5038],
  [271, 5069],
  // ranges and multiranges of int4, numeric, timestamp, timestamptz, date, int8
  [3905, 3904], [3907, 3906], [3909, 3908], [3911, 3910], [3913, 3912], [3927, 3926],
  [6150, 4451], [6151, 4532], [6152, 4533], [6153, 4534], [6155, 4535], [6157, 4536],
]); // prettier-ignore

/** How values of a type become cells. */
export function converterOf(typeOid: number): CellConverter {
  const element = ELEMENTS.get(typeOid);
  if (element === undefined) return CONVERTERS.get(typeOid) ?? toText;
  const convert = converterOf(element);
  return (text) => toExactArray(text, convert, element === BOX ? ';' : ',');
}

/** Longer hexadecimal text is given with the size of the bytes that it writes, for the case that it is cut. */
const SHORT_BYTEA_CHARACTERS = 100;

/**
 * How the values of a column become cells; `cutBytes` is the full size of a value of which only the beginning came.
 * What is cut stays text, whatever its type.
 */
export function cellMakerOf(typeOid: number): (text: string, cutBytes?: number) => SourceCell {
  if (typeOid === BYTEA) {
    return (text, cutBytes) => {
      if (cutBytes === undefined && text.length <= SHORT_BYTEA_CHARACTERS) return text;
      // `\x` and two digits for each byte.
      return new LongText(text, ((cutBytes ?? text.length) - 2) / 2, cutBytes === undefined);
    };
  }
  const convert = converterOf(typeOid);
  return (text, cutBytes) => (cutBytes === undefined ? convert(text) : new LongText(text, cutBytes, false));
}
