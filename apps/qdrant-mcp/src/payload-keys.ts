/** Which keys the payloads of a sample have, and of which JSON types: a collection itself has no schema. Pure. */
import { isObject, jsonTypeOf, type Json, type JsonObject } from './values.ts';

/** A key as a filter would name it: `location.lat`, `diet[].food`. */
export interface PayloadKey {
  key: string;
  /** Types seen, such as `string | null` or `array of string`. */
  type: string;
  /** Points of the sample that have it. */
  points: number;
}

const MAX_DEPTH = 3;
/** An object with more inner keys is rather a map (translations by language) than a record. */
const MAX_INNER_KEYS = 12;
const MAX_KEYS = 200;
/** Elements of one list that are looked at. */
const MAX_ELEMENTS = 20;

interface Seen {
  types: Set<string>;
  points: Set<number>;
  inner: Set<string>;
}

/** Summarises the payloads, in the order in which the keys were first seen. */
export function summarisePayloads(payloads: readonly JsonObject[]): PayloadKey[] {
  const seen = new Map<string, Seen>();
  for (const [point, payload] of payloads.entries()) {
    for (const [key, value] of Object.entries(payload)) collect(seen, toPathStep(key), value, point, 1);
  }
  const maps = [...seen].filter(([, { inner }]) => inner.size > MAX_INNER_KEYS).map(([key]) => key);
  return [...seen]
    .filter(([key]) => !maps.some((map) => key.startsWith(`${map}.`) || key.startsWith(`${map}[].`)))
    .slice(0, MAX_KEYS)
    .map(([key, { types, points, inner }]) => ({
      key,
      type:
        [...types].join(' | ') +
        (inner.size > MAX_INNER_KEYS ? ` of keys such as ${[...inner].slice(0, 3).join(', ')}` : ''),
      points: points.size,
    }));
}

function collect(seen: Map<string, Seen>, key: string, value: Json, point: number, depth: number): void {
  const entry = seen.get(key) ?? { types: new Set(), points: new Set(), inner: new Set() };
  seen.set(key, entry);
  entry.points.add(point);
  entry.types.add(describeType(value));
  if (depth >= MAX_DEPTH) return;
  const objects = Array.isArray(value) ? value.slice(0, MAX_ELEMENTS).filter(isObject) : [value].filter(isObject);
  const prefix = Array.isArray(value) ? `${key}[]` : key;
  if (isGeoPoint(value)) return;
  for (const object of objects) {
    for (const [name, item] of Object.entries(object)) {
      entry.inner.add(name);
      collect(seen, `${prefix}.${toPathStep(name)}`, item, point, depth + 1);
    }
  }
}

function describeType(value: Json): string {
  if (isGeoPoint(value)) return 'geo';
  if (!Array.isArray(value)) return jsonTypeOf(value);
  const types = new Set(value.slice(0, MAX_ELEMENTS).map((item) => (isGeoPoint(item) ? 'geo' : jsonTypeOf(item))));
  return types.size === 0 ? 'array' : `array of ${[...types].join(' or ')}`;
}

/** What the geo conditions take: an object of exactly these two numbers. */
function isGeoPoint(value: Json): boolean {
  if (!isObject(value) || Object.keys(value).length !== 2) return false;
  return ['lon', 'lat'].every((key) => ['integer', 'float'].includes(jsonTypeOf(value[key] ?? null)));
}

/** A key that would read as a path is quoted, as Qdrant wants it. */
function toPathStep(key: string): string {
  return /[.[\]"]/.test(key) ? `"${key}"` : key;
}
