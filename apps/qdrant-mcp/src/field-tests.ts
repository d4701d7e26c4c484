/** Checks the tests on the values of one payload key: match, range, areas, counts, emptiness. Pure. */
import { checkKeys, describe, isFilledText, refuse, step, type Refusal } from './refusal.ts';
import { isObject, type Json } from './values.ts';

type Check = (value: Json | undefined, where: string) => Refusal | undefined;

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
/** RFC 3339, and the shorter spellings that Qdrant takes: a date alone, a blank for the T, no zone (UTC). */
const DATE_TIME =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ]([01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:Z|z|[+-]\d\d:?\d\d|[+-]\d\d)?)?$/;
const BOUNDS = ['gt', 'gte', 'lt', 'lte'];
const MATCHES = ['value', 'any', 'except', 'text', 'text_any', 'phrase', 'prefix'];
/** A closed ring: three corners and the first one again. */
const MIN_RING_POINTS = 4;

const CHECKS: Readonly<Record<string, Check>> = {
  match: validateMatch,
  range: validateRange,
  geo_bounding_box: validateBoundingBox,
  geo_radius: validateRadius,
  geo_polygon: validatePolygon,
  values_count: validateValuesCount,
  is_empty: validateFlag,
  is_null: validateFlag,
};

/** The tests that a key can have. */
export const FIELD_TESTS: readonly string[] = Object.keys(CHECKS);

/** Checks one test; the name is one of {@link FIELD_TESTS}. */
export function validateFieldTest(name: string, value: Json | undefined, where: string): Refusal | undefined {
  return CHECKS[name]?.(value, where);
}

function validateMatch(value: Json | undefined, where: string): Refusal | undefined {
  const form = `A match is {"value": exact value} or one of ${MATCHES.slice(1).join(', ')}.`;
  if (!isObject(value)) {
    return refuse(where, `must be an object but is ${describe(value)}`, 'Write "match": {"value": …}.');
  }
  const unknown = checkKeys(value, MATCHES, where, form);
  if (unknown) return unknown;
  const [kind, ...more] = Object.keys(value);
  if (kind === undefined) return refuse(where, 'is empty', form);
  if (more.length > 0) {
    const kinds = Object.keys(value).join(' and ');
    return refuse(where, `has ${kinds}, of which Qdrant uses only one`, 'Write one condition for each.');
  }
  const wanted = value[kind];
  const at = step(where, kind);
  if (kind === 'value') return validateMatchValue(wanted, at);
  if (kind === 'any' || kind === 'except') return validateMatchList(wanted, at);
  if (isFilledText(wanted)) return undefined;
  const hint =
    kind === 'text_any' ? 'Write the words in one text, with blanks between.' : 'Write the text to look for.';
  return refuse(at, `must be a text that is not empty but is ${describe(wanted)}`, hint);
}

function validateMatchValue(value: Json | undefined, where: string): Refusal | undefined {
  if (typeof value === 'string' || typeof value === 'boolean' || isInt64(value)) return undefined;
  const text = `must be a text, a whole number of 64 bits or a boolean but is ${describe(value)}`;
  if (value === null) return refuse(where, text, 'For null use {"is_null": {"key": …}}.');
  if (typeof value === 'number') return refuse(where, text, 'For other numbers use range with gte and lte.');
  return refuse(where, text, 'For one of several values use {"any": […]}.');
}

function validateMatchList(value: Json | undefined, where: string): Refusal | undefined {
  const hint = 'Write a list that holds only texts or only whole numbers.';
  if (!Array.isArray(value)) return refuse(where, `must be a list but is ${describe(value)}`, hint);
  const isFirstText = typeof value[0] === 'string';
  const index = value.findIndex((item) => !(isFirstText ? typeof item === 'string' : isInt64(item)));
  if (index === -1) return undefined;
  const expected = isFirstText ? 'a text like the first one' : 'a whole number of 64 bits or a text';
  return refuse(step(where, index), `must be ${expected} but is ${describe(value[index])}`, hint);
}

function isInt64(value: Json | undefined): boolean {
  if (typeof value === 'bigint') return value >= MIN_INT64 && value <= MAX_INT64;
  return Number.isSafeInteger(value);
}

function validateRange(value: Json | undefined, where: string): Refusal | undefined {
  const form = `A range has one or more of ${BOUNDS.join(', ')}: numbers, or dates such as "2024-01-31T00:00:00Z".`;
  if (!isObject(value)) return refuse(where, `must be an object but is ${describe(value)}`, form);
  const unknown = checkKeys(value, BOUNDS, where, form);
  if (unknown) return unknown;
  const given = BOUNDS.filter((name) => (value[name] ?? null) !== null);
  if (given.length === 0) return refuse(where, 'has no bound, so that it matches everything', form);
  const wrong = given.find((name) => !isNumber(value[name]) && !isDateTime(value[name]));
  if (wrong !== undefined) {
    const found = value[wrong];
    const hint =
      typeof found === 'string' && /^\s*-?[\d.]+\s*$/.test(found) ? 'Write the number without quotes.' : form;
    return refuse(step(where, wrong), `must be a number or a date but is ${describe(found)}`, hint);
  }
  if (new Set(given.map((name) => typeof value[name] === 'string')).size === 2) {
    return refuse(where, 'mixes numbers and dates', form);
  }
  return undefined;
}

function isNumber(value: Json | undefined): boolean {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isFinite(value));
}

function isDateTime(value: Json | undefined): boolean {
  const parts = typeof value === 'string' ? DATE_TIME.exec(value) : null;
  if (!parts) return false;
  const [year, month, day] = parts.slice(1, 4).map(Number) as [number, number, number];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

function validateValuesCount(value: Json | undefined, where: string): Refusal | undefined {
  const form = `It has one or more of ${BOUNDS.join(', ')}, whole numbers from 0.`;
  if (!isObject(value)) return refuse(where, `must be an object but is ${describe(value)}`, form);
  const unknown = checkKeys(value, BOUNDS, where, form);
  if (unknown) return unknown;
  const given = BOUNDS.filter((name) => (value[name] ?? null) !== null);
  if (given.length === 0) return refuse(where, 'has no bound, so that it matches everything', form);
  const wrong = given.find((name) => !Number.isSafeInteger(value[name]) || Number(value[name]) < 0);
  if (wrong === undefined) return undefined;
  return refuse(step(where, wrong), `must be a whole number from 0 but is ${describe(value[wrong])}`, form);
}

function validateFlag(value: Json | undefined, where: string): Refusal | undefined {
  if (typeof value === 'boolean') return undefined;
  return refuse(where, `must be true or false but is ${describe(value)}`, 'Write true or false.');
}

function validateBoundingBox(value: Json | undefined, where: string): Refusal | undefined {
  const form = 'Write {"top_left": {"lon": …, "lat": …}, "bottom_right": {"lon": …, "lat": …}}.';
  if (!isObject(value)) return refuse(where, `must be an object but is ${describe(value)}`, form);
  const { top_left: topLeft, bottom_right: bottomRight } = value;
  const refusal =
    checkKeys(value, ['top_left', 'bottom_right'], where, form) ??
    validatePoint(topLeft, step(where, 'top_left')) ??
    validatePoint(bottomRight, step(where, 'bottom_right'));
  if (refusal || !isObject(topLeft) || !isObject(bottomRight)) return refusal;
  if (Number(topLeft['lat']) > Number(bottomRight['lat'])) return undefined;
  return refuse(where, 'has its top_left south of its bottom_right, so that nothing is inside', 'Swap the latitudes.');
}

function validateRadius(value: Json | undefined, where: string): Refusal | undefined {
  const form = 'Write {"center": {"lon": …, "lat": …}, "radius": metres}.';
  if (!isObject(value)) return refuse(where, `must be an object but is ${describe(value)}`, form);
  const { center, radius } = value;
  const refusal = checkKeys(value, ['center', 'radius'], where, form) ?? validatePoint(center, step(where, 'center'));
  if (refusal || (isNumber(radius) && Number(radius) > 0)) return refusal;
  return refuse(step(where, 'radius'), `must be a number of metres above 0 but is ${describe(radius)}`, form);
}

function validatePolygon(value: Json | undefined, where: string): Refusal | undefined {
  const form = 'Write {"exterior": {"points": [{"lon": …, "lat": …}, …]}}; interiors is a list of such rings.';
  if (!isObject(value)) return refuse(where, `must be an object but is ${describe(value)}`, form);
  const refusal =
    checkKeys(value, ['exterior', 'interiors'], where, form) ??
    validateRing(value['exterior'], step(where, 'exterior'), form);
  const interiors = value['interiors'] ?? null;
  if (refusal || interiors === null) return refusal;
  const at = step(where, 'interiors');
  if (!Array.isArray(interiors)) return refuse(at, `must be a list but is ${describe(interiors)}`, form);
  return firstRefusal(interiors, (ring, index) => validateRing(ring, step(at, index), form));
}

function validateRing(value: Json | undefined, where: string, form: string): Refusal | undefined {
  if (!isObject(value)) return refuse(where, `must be an object but is ${describe(value)}`, form);
  const unknown = checkKeys(value, ['points'], where, form);
  if (unknown) return unknown;
  const points = value['points'];
  const at = step(where, 'points');
  if (!Array.isArray(points)) return refuse(at, `must be a list but is ${describe(points)}`, form);
  const refusal = firstRefusal(points, (point, index) => validatePoint(point, step(at, index)));
  if (refusal) return refusal;
  const [first, last] = [points[0], points.at(-1)];
  const isClosed = isObject(first) && isObject(last) && first['lon'] === last['lon'] && first['lat'] === last['lat'];
  if (points.length >= MIN_RING_POINTS && isClosed) return undefined;
  return refuse(
    at,
    'is no closed line',
    `It needs at least ${MIN_RING_POINTS} points, the last one equal to the first.`,
  );
}

function validatePoint(value: Json | undefined, where: string): Refusal | undefined {
  const form = 'Write {"lon": -180 to 180, "lat": -90 to 90}, in degrees.';
  if (!isObject(value)) return refuse(where, `must be a position but is ${describe(value)}`, form);
  const unknown = checkKeys(value, ['lon', 'lat'], where, form);
  if (unknown) return unknown;
  for (const [name, limit] of [
    ['lon', 180],
    ['lat', 90],
  ] as const) {
    const degrees = value[name];
    if (typeof degrees === 'number' && Math.abs(degrees) <= limit) continue;
    return refuse(step(where, name), `must be a number from -${limit} to ${limit} but is ${describe(degrees)}`, form);
  }
  return undefined;
}

function firstRefusal<T>(
  items: readonly T[],
  check: (item: T, index: number) => Refusal | undefined,
): Refusal | undefined {
  for (const [index, item] of items.entries()) {
    const refusal = check(item, index);
    if (refusal) return refusal;
  }
  return undefined;
}
