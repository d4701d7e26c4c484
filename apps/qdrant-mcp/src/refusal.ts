/** Why a part of a filter is refused, and the words in which that is told. */
import { closestName } from '@database-mcp/errors';
import { isObject, jsonTypeOf, printExactJson, type Json, type JsonObject } from './values.ts';

/** A part that is refused. */
export interface Refusal {
  kind: 'refused';
  message: string;
  /** Path of the part, such as `filter.must[0].rang`. */
  where: string;
  hint: string;
}

/** Names of other systems and frequent slips, and what they are called here. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  and: 'must',
  or: 'should',
  not: 'must_not',
  field: 'key',
  name: 'key',
  equals: 'value',
  eq: 'value',
  in: 'any',
  not_in: 'except',
  nin: 'except',
  ids: 'has_id',
  id: 'has_id',
  min: 'gte',
  max: 'lte',
  from: 'gte',
  to: 'lte',
  ge: 'gte',
  le: 'lte',
  keyword: 'value',
};

/** A refusal of the part at `where`; the text says what is wrong with it. */
export function refuse(where: string, text: string, hint: string): Refusal {
  return { kind: 'refused', message: `${where} ${text}.`, where, hint };
}

/** The path of a part of the part at `where`. */
export function step(where: string, key: string | number): string {
  if (typeof key === 'number') return `${where}[${key}]`;
  return /^[A-Za-z_]\w*$/.test(key) ? `${where}.${key}` : `${where}[${JSON.stringify(key.slice(0, 80))}]`;
}

/** Refuses the first key that is not known, naming the one that was probably meant. */
export function checkKeys(
  object: JsonObject,
  known: readonly string[],
  where: string,
  hint: string,
): Refusal | undefined {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown === undefined) return undefined;
  const bare = unknown.replace(/^\$/, '').toLowerCase();
  const other = Object.hasOwn(OTHER_NAMES, bare) ? OTHER_NAMES[bare] : undefined;
  const meant = other !== undefined && known.includes(other) ? other : closestName(bare, known);
  return refuse(step(where, unknown), 'is not known', meant ? `Did you mean "${meant}"? ${hint}` : hint);
}

/** The value in a few words, for "must be … but is …". */
export function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (isObject(value)) return 'an object';
  const text = typeof value === 'number' ? String(value) : printExactJson(value);
  return `the ${jsonTypeOf(value as Json)} ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`;
}

/** Whether the value is a text that is not empty. */
export function isFilledText(value: Json | undefined): value is string {
  return typeof value === 'string' && value !== '';
}
