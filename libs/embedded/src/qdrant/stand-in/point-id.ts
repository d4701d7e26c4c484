/** Point ids: unsigned 64-bit integers and UUIDs, in the one spelling in which they are stored. */
import { ApiError } from './api-error.ts';
import { isObject, toInteger } from './json.ts';
import type { Json } from './json.ts';

/** An integer, or a UUID in lower case with dashes. */
export type PointId = bigint | string;

const MAX_UINT64 = 18446744073709551615n;

function toUuid(text: string): string | undefined {
  const bare = /^urn:uuid:/i.test(text) ? text.slice(9) : /^\{.*\}$/.test(text) ? text.slice(1, -1) : text;
  if (!/^[0-9a-f]{32}$/i.test(bare) && !/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(bare)) return undefined;
  const digits = bare.replaceAll('-', '').toLowerCase();
  return [0, 8, 12, 16, 20].map((start, i, starts) => digits.slice(start, starts[i + 1])).join('-');
}

/** The id that the value stands for, or undefined when it is none. */
export function toPointId(value: Json | undefined): PointId | undefined {
  if (typeof value === 'string') return toUuid(value);
  const integer = toInteger(value);
  return integer !== undefined && integer >= 0n && integer <= MAX_UINT64 ? integer : undefined;
}

function inWords(value: Json): string {
  if (value === null) return 'Unit';
  if (Array.isArray(value)) return 'Seq';
  if (typeof value === 'object' && 'value' in value && !isObject(value)) return String(value.value);
  // Large doubles are printed with all their digits.
  return isObject(value) ? 'Map' : String(value);
}

/** Reads an id from a body. */
export function readPointId(value: Json): PointId {
  const id = toPointId(value);
  if (id !== undefined) return id;
  throw ApiError.format(
    `value ${inWords(value)} is not a valid point ID, valid values are either an unsigned integer or a UUID`,
  );
}

/** Reads an id from a path segment. */
export function readPathPointId(text: string): PointId {
  const id = /^\d{1,20}$/.test(text) ? toPointId(toIntegerJson(text)) : toUuid(text);
  if (id === undefined) throw ApiError.wrongInput(`Can not recognize "${text}" as point id`);
  return id;
}

function toIntegerJson(text: string): Json {
  return BigInt(text);
}

/** Orders ids as the server does: integers first, then UUIDs. */
export function comparePointIds(a: PointId, b: PointId): number {
  if (typeof a !== typeof b) return typeof a === 'bigint' ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
