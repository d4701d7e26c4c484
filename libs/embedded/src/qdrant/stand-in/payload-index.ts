/** Payload indexes: what they are called in a collection's info, what they count, and what they change in filters. */
import { ApiError } from './api-error.ts';
import { toMicroseconds } from './date-time.ts';
import type { FieldIndexEffect } from './field-condition.ts';
import { toGeoPoint } from './geo.ts';
import { field, isObject, toDouble, toInteger } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { parseJsonPath, valuesAt } from './json-path.ts';
import type { JsonPath } from './json-path.ts';
import { toPointId } from './point-id.ts';
import { createTextMatcher } from './text-index.ts';

/** An index on one payload key. */
export interface PayloadIndex extends FieldIndexEffect {
  readonly type: string;
  readonly path: JsonPath;
  /** The schema as it was given: a type's name, or an object with parameters. */
  readonly schema: Json;
  /** The sort key of a value, if the index can order by it. */
  readonly orderOf?: (value: Json) => number | bigint | undefined;
}

const isText = (value: Json): boolean => typeof value === 'string';

const INDEXABLE: { readonly [type: string]: (value: Json) => boolean } = {
  keyword: isText,
  text: isText,
  integer: (value) => toInteger(value) !== undefined,
  float: (value) => toDouble(value) !== undefined,
  bool: (value) => typeof value === 'boolean',
  geo: (value) => toGeoPoint(value) !== undefined,
  datetime: (value) => typeof value === 'string' && toMicroseconds(value) !== undefined,
  uuid: (value) => typeof value === 'string' && toPointId(value) !== undefined,
};

function orderBy(type: string, schema: JsonObject): PayloadIndex['orderOf'] {
  if (type === 'integer') return field(schema, 'range') === false ? undefined : (value) => toInteger(value);
  if (type === 'float') return toDouble;
  if (type === 'datetime') return (value) => (typeof value === 'string' ? toMicroseconds(value) : undefined);
  return undefined;
}

/** Creates an index from the `field_name` and `field_schema` of a request. */
export function createPayloadIndex(key: string, schema: Json): PayloadIndex {
  const options = isObject(schema) ? schema : {};
  const type = isObject(schema) ? field(schema, 'type') : schema;
  if (typeof type !== 'string' || !Object.hasOwn(INDEXABLE, type)) {
    throw ApiError.format('data did not match any variant of untagged enum PayloadFieldSchema');
  }
  return {
    type,
    schema,
    path: parseJsonPath(key),
    orderOf: orderBy(type, options),
    isUuid: type === 'uuid',
    matchText: type === 'text' ? createTextMatcher(options) : undefined,
  };
}

/** The values under an index's key, lists taken apart. */
export function indexedValues(index: PayloadIndex, payload: JsonObject): Json[] {
  return valuesAt(payload, index.path).flat();
}

/** The entry of the index in a collection's info. */
export function describeIndex(index: PayloadIndex, payloads: Iterable<JsonObject>): JsonObject {
  const isIndexable = INDEXABLE[index.type] ?? isText;
  let points = 0;
  for (const payload of payloads) if (indexedValues(index, payload).some(isIndexable)) points++;
  const principal: JsonObject = index.type === 'integer' ? { is_principal: null } : {};
  const params: JsonObject = isObject(index.schema) ? { params: { ...principal, ...index.schema } } : {};
  return { data_type: index.type, ...params, points };
}
