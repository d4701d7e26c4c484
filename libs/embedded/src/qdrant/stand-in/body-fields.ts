/** Readers for the fields of a request body that several endpoints share, with the server's error texts. */
import { ApiError } from './api-error.ts';
import { describeJson, field, isObject, toDouble, toInteger } from './json.ts';
import type { Json, JsonObject } from './json.ts';

/** The body as an object. */
export function readBody(value: Json, structName: string): JsonObject {
  if (isObject(value)) return value;
  throw ApiError.format(`invalid type: ${describeJson(value)}, expected struct ${structName}`);
}

/** A field that must be there. */
export function requiredField(object: JsonObject, key: string): Json {
  const value = field(object, key);
  if (value === undefined) throw ApiError.format(`missing field \`${key}\``);
  return value;
}

/** A list. */
export function readList(value: Json): Json[] {
  if (Array.isArray(value)) return value;
  throw ApiError.format(`invalid type: ${describeJson(value)}, expected a sequence`);
}

/** A list of texts. */
export function readTexts(value: Json): string[] {
  return readList(value).map((item) => {
    if (typeof item === 'string') return item;
    throw ApiError.format(`invalid type: ${describeJson(item)}, expected a string`);
  });
}

/** An optional number that counts something; `null` is as good as absent. */
export function readCount(object: JsonObject, key: string): number | undefined {
  const value = field(object, key) ?? null;
  if (value === null) return undefined;
  const integer = toInteger(value);
  if (integer === undefined) throw ApiError.format(`invalid type: ${describeJson(value)}, expected usize`);
  if (integer < 0n) throw ApiError.format(`invalid value: integer \`${integer}\`, expected usize`);
  return Number(integer);
}

/** An optional limit of at least one; `at` is the place that a refusal names. */
export function readLimit(object: JsonObject, at: string): number | undefined {
  const limit = readCount(object, 'limit');
  if (limit === 0) throw ApiError.validation(`${at}.limit: value 0 invalid, must be 1 or larger`);
  return limit;
}

/** An optional double. */
export function readDouble(object: JsonObject, key: string): number | undefined {
  const value = field(object, key) ?? null;
  if (value === null) return undefined;
  const number = toDouble(value);
  if (number === undefined) throw ApiError.format(`invalid type: ${describeJson(value)}, expected f32`);
  return number;
}

/** An optional text. */
export function readText(object: JsonObject, key: string): string | undefined {
  const value = field(object, key) ?? null;
  if (value === null) return undefined;
  if (typeof value !== 'string') throw ApiError.format(`invalid type: ${describeJson(value)}, expected a string`);
  return value;
}
