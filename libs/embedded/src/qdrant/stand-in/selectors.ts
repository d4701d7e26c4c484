/** `with_payload` and `with_vector`: which parts of a point an answer holds. */
import { ApiError } from './api-error.ts';
import type { Collection, Point } from './collection.ts';
import { field, isObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { excludePaths, includePaths, parseJsonPath } from './json-path.ts';

/** Prints the parts of a point that a request asked for; the order of the keys is the server's. */
export type PointPrinter = (point: Point, extra?: object) => object;

type PayloadSelector = (payload: JsonObject) => JsonObject | undefined;
type VectorSelector = boolean | readonly string[];

function isTexts(value: Json | undefined): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function readPayloadSelector(value: Json): PayloadSelector {
  if (typeof value === 'boolean') return (payload) => (value ? payload : undefined);
  const object = isObject(value) ? value : {};
  const include = isTexts(value) ? value : field(object, 'include');
  const exclude = field(object, 'exclude');
  if (isTexts(include) && exclude === undefined) {
    const paths = include.map(parseJsonPath);
    return (payload) => includePaths(payload, paths);
  }
  if (isTexts(exclude) && include === undefined) {
    const paths = exclude.map(parseJsonPath);
    return (payload) => excludePaths(payload, paths);
  }
  throw ApiError.format('Expected a boolean, an array of strings, or an object with an include/exclude field');
}

function readVectorSelector(value: Json): VectorSelector {
  if (typeof value === 'boolean' || isTexts(value)) return value;
  throw ApiError.format('Expected a boolean, or an array of strings');
}

function printVectors(collection: Collection, point: Point, selector: readonly string[] | true): unknown {
  const unnamed = point.vectors.get('');
  if (selector === true && unnamed !== undefined && collection.config.vectors.has('')) return unnamed;
  const names = selector === true ? [...point.vectors.keys()] : selector.filter((name) => point.vectors.has(name));
  return Object.fromEntries(names.map((name) => [name, point.vectors.get(name)]));
}

/** Reads the two selectors of a body; `payloadDefault` says whether the endpoint returns payload when not asked. */
export function readPointPrinter(body: JsonObject, payloadDefault: boolean): (collection: Collection) => PointPrinter {
  const selectPayload = readPayloadSelector(field(body, 'with_payload') ?? payloadDefault);
  const vectors = readVectorSelector(field(body, 'with_vector') ?? field(body, 'with_vectors') ?? false);
  return (collection) => {
    if (typeof vectors !== 'boolean') for (const name of vectors) collection.vectorParams(name);
    return (point, extra) => {
      const payload = selectPayload(point.payload);
      return {
        id: point.id,
        ...extra,
        ...(payload === undefined ? {} : { payload }),
        ...(vectors === false ? {} : { vector: printVectors(collection, point, vectors) }),
      };
    };
  };
}
