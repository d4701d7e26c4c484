/** Tests on one payload value: match, range, geo, counts and emptiness. filter.ts combines them. */
import { ApiError } from './api-error.ts';
import { readCount } from './body-fields.ts';
import { toMicroseconds } from './date-time.ts';
import { readBoundingBox, readPolygon, readRadius, toGeoPoint } from './geo.ts';
import type { GeoArea } from './geo.ts';
import { describeJson, field, isObject, toDouble, toInteger } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { parseJsonPath, valuesAt } from './json-path.ts';
import type { JsonPath } from './json-path.ts';
import { toPointId } from './point-id.ts';
import { matchSubstring } from './text-index.ts';
import type { TextMatchKind, TextMatcher } from './text-index.ts';

/** What an index on a field changes about its filters. */
export interface FieldIndexEffect {
  readonly matchText?: TextMatcher;
  readonly isUuid?: boolean;
}

/** A test of the values under one key. */
export type FieldTest = (payload: JsonObject, index: FieldIndexEffect | undefined) => boolean;

type ValueTest = (value: Json, index: FieldIndexEffect | undefined) => boolean;
type Scalar = string | bigint | boolean;

const UNKNOWN_MATCH = 'data did not match any variant of untagged enum MatchInterface';
const UNKNOWN_RANGE = 'data did not match any variant of untagged enum RangeInterface';

/** Any element of an array counts, one level deep. */
function anyElement(test: ValueTest): ValueTest {
  return (value, index) => (Array.isArray(value) ? value.some((item) => test(item, index)) : test(value, index));
}

function toScalar(value: Json): Scalar | undefined {
  return typeof value === 'string' || typeof value === 'boolean' ? value : toInteger(value);
}

function isSame(stored: Json, wanted: Scalar, index: FieldIndexEffect | undefined): boolean {
  if (toScalar(stored) === wanted) return true;
  if (index?.isUuid !== true || typeof stored !== 'string' || typeof wanted !== 'string') return false;
  const id = toPointId(stored);
  return id !== undefined && id === toPointId(wanted);
}

function readVariants(value: Json): Scalar[] {
  const variants = Array.isArray(value) ? value.map(toScalar) : [undefined];
  const known = variants.filter((item) => typeof item === 'string' || typeof item === 'bigint');
  const isUniform = known.length === variants.length && new Set(known.map((item) => typeof item)).size <= 1;
  if (!isUniform) throw ApiError.format(UNKNOWN_MATCH);
  return known;
}

function readMatch(value: Json): ValueTest {
  const match = isObject(value) ? value : {};
  const exact = field(match, 'value');
  if (exact !== undefined) {
    const wanted = toScalar(exact);
    if (wanted === undefined) throw ApiError.format(UNKNOWN_MATCH);
    return anyElement((stored, index) => isSame(stored, wanted, index));
  }
  for (const kind of ['text', 'text_any', 'phrase'] satisfies TextMatchKind[]) {
    const wanted = field(match, kind);
    if (typeof wanted !== 'string') continue;
    return anyElement(
      (stored, index) => typeof stored === 'string' && (index?.matchText ?? matchSubstring)(kind, stored, wanted),
    );
  }
  const prefix = field(match, 'prefix');
  if (typeof prefix === 'string')
    return anyElement((stored) => typeof stored === 'string' && stored.startsWith(prefix));
  const any = field(match, 'any');
  if (any !== undefined) {
    const wanted = readVariants(any);
    return anyElement((stored, index) => wanted.some((item) => isSame(stored, item, index)));
  }
  const except = field(match, 'except');
  if (except === undefined) throw ApiError.format(UNKNOWN_MATCH);
  const unwanted = readVariants(except);
  return anyElement((stored, index) => stored !== null && !unwanted.some((item) => isSame(stored, item, index)));
}

interface Bounds<T> {
  readonly lt?: T;
  readonly lte?: T;
  readonly gt?: T;
  readonly gte?: T;
}

function isWithin<T extends number | bigint>(value: T, { lt, lte, gt, gte }: Bounds<T>): boolean {
  return (
    (lt === undefined || value < lt) &&
    (lte === undefined || value <= lte) &&
    (gt === undefined || value > gt) &&
    (gte === undefined || value >= gte)
  );
}

function readBounds<T>(range: JsonObject, toBound: (value: Json) => T | undefined): Bounds<T> {
  const bounds: { [key: string]: T } = {};
  for (const key of ['lt', 'lte', 'gt', 'gte']) {
    const value = field(range, key) ?? null;
    if (value === null) continue;
    const bound = toBound(value);
    if (bound === undefined) throw ApiError.format(UNKNOWN_RANGE);
    bounds[key] = bound;
  }
  return bounds;
}

function readRange(value: Json): ValueTest {
  if (!isObject(value)) throw ApiError.format(UNKNOWN_RANGE);
  if (Object.values(value).some((bound) => typeof bound === 'string')) {
    const bounds = readBounds(value, (bound) => (typeof bound === 'string' ? toMicroseconds(bound) : undefined));
    return anyElement((stored) => {
      const time = typeof stored === 'string' ? toMicroseconds(stored) : undefined;
      return time !== undefined && isWithin(time, bounds);
    });
  }
  const bounds = readBounds(value, toDouble);
  return anyElement((stored) => {
    const number = toDouble(stored);
    return number !== undefined && isWithin(number, bounds);
  });
}

function inArea(area: GeoArea): ValueTest {
  return anyElement((stored) => {
    const point = toGeoPoint(stored);
    return point !== undefined && area(point);
  });
}

function countOf(stored: Json): number {
  if (Array.isArray(stored)) return stored.length;
  return stored === null ? 0 : 1;
}

function readValuesCount(value: Json): FieldTestOf {
  if (!isObject(value)) throw ApiError.format(`invalid type: ${describeJson(value)}, expected struct ValuesCount`);
  const bounds = {
    lt: readCount(value, 'lt'),
    lte: readCount(value, 'lte'),
    gt: readCount(value, 'gt'),
    gte: readCount(value, 'gte'),
  };
  return (path) => (payload) => {
    const values = valuesAt(payload, path);
    return values.length === 0 ? isWithin(0, bounds) : values.some((stored) => isWithin(countOf(stored), bounds));
  };
}

type FieldTestOf = (path: JsonPath) => FieldTest;

function onValues(test: ValueTest): FieldTestOf {
  return (path) => (payload, index) => valuesAt(payload, path).some((value) => test(value, index));
}

function onFlag(value: Json, test: FieldTestOf): FieldTestOf {
  if (typeof value !== 'boolean') throw ApiError.format(`invalid type: ${describeJson(value)}, expected a boolean`);
  return (path) => (payload, index) => test(path)(payload, index) === value;
}

/** Whether there is nothing under the path: no key, null, or an empty list. */
export const isEmptyAt: FieldTestOf = (path) => (payload) =>
  valuesAt(payload, path).every((value) => value === null || (Array.isArray(value) && value.length === 0));

/** Whether there is an explicit null under the path. */
export const isNullAt: FieldTestOf = (path) => (payload) => valuesAt(payload, path).includes(null);

// In the order in which the server looks at them: with two tests in one condition the first one counts.
const READERS: ReadonlyArray<readonly [string, (value: Json) => FieldTestOf]> = [
  ['match', (value) => onValues(readMatch(value))],
  ['range', (value) => onValues(readRange(value))],
  ['geo_radius', (value) => onValues(inArea(readRadius(value)))],
  ['geo_bounding_box', (value) => onValues(inArea(readBoundingBox(value)))],
  ['geo_polygon', (value) => onValues(inArea(readPolygon(value)))],
  ['values_count', readValuesCount],
  ['is_empty', (value) => onFlag(value, isEmptyAt)],
  ['is_null', (value) => onFlag(value, isNullAt)],
];

/** Reads a condition on a key; undefined when it names no test at all. */
export function readFieldCondition(
  condition: JsonObject,
): { readonly key: string; readonly test: FieldTest } | undefined {
  const path = parseJsonPath(field(condition, 'key'));
  const tests = READERS.flatMap(([name, read]) => {
    const value = field(condition, name) ?? null;
    return value === null ? [] : [read(value)(path)];
  });
  const test = tests[0];
  return test === undefined ? undefined : { key: String(condition['key']), test };
}
