/** Filters: reads the `filter` object of a request into a function that says whether a point passes. */
import { ApiError } from './api-error.ts';
import { readList } from './body-fields.ts';
import { isEmptyAt, isNullAt, readFieldCondition } from './field-condition.ts';
import type { FieldIndexEffect } from './field-condition.ts';
import { field, isObject, toInteger } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { parseJsonPath, toElementPath, valuesAt } from './json-path.ts';
import { toPointId } from './point-id.ts';
import type { PointId } from './point-id.ts';

/** What a filter looks at. Inside `nested` there is neither id nor vectors. */
export interface FilterSubject {
  readonly payload: JsonObject;
  readonly id?: PointId;
  readonly vectors?: ReadonlyMap<string, Float32Array>;
  readonly indexes?: ReadonlyMap<string, FieldIndexEffect>;
}

/** Whether a point passes. */
export type Filter = (subject: FilterSubject) => boolean;

const CLAUSES = ['should', 'min_should', 'must', 'must_not'];

function unknownCondition(): ApiError {
  return ApiError.format(
    'Expected some form of condition, which can be a field condition (like {"key": ..., "match": ... }), ' +
      'or some other mentioned in the documentation: ' +
      'https://qdrant.tech/documentation/concepts/filtering/#filtering-conditions',
  );
}

function readKeyOf(value: Json): string {
  const key = isObject(value) ? field(value, 'key') : undefined;
  if (typeof key !== 'string') throw unknownCondition();
  return key;
}

function readHasId(value: Json): Filter {
  if (!Array.isArray(value)) throw unknownCondition();
  const ids = new Set(
    value.map((item) => {
      const id = toPointId(item);
      if (id === undefined) throw unknownCondition();
      return id;
    }),
  );
  return ({ id }) => id !== undefined && ids.has(id);
}

function readNested(value: Json, at: string): Filter {
  if (!isObject(value)) throw unknownCondition();
  const path = toElementPath(parseJsonPath(readKeyOf(value)));
  const inner = field(value, 'filter');
  if (inner === undefined || !isObject(inner)) throw unknownCondition();
  const filter = readFilter(inner, `${at}.nested.filter`);
  return ({ payload }) => valuesAt(payload, path).some((item) => isObject(item) && filter({ payload: item }));
}

function refuseSlice(value: Json, at: string): never {
  const [index, total] = isObject(value) ? [toInteger(field(value, 'index')), toInteger(field(value, 'total'))] : [];
  if (index === undefined || total === undefined) throw unknownCondition();
  if (index >= total) {
    throw ApiError.validation(
      `${at}.__all__: Validation error: Slice index must be less than the total number of slices [{}]`,
    );
  }
  throw ApiError.notDone('`slice` conditions');
}

function readCondition(value: Json, at: string): Filter {
  if (!isObject(value)) throw unknownCondition();
  if (Object.hasOwn(value, 'key')) {
    const condition = readFieldCondition(value);
    if (condition !== undefined) return ({ payload, indexes }) => condition.test(payload, indexes?.get(condition.key));
    throw ApiError.validation(`${at}.__all__: Validation error: At least one field condition must be specified [{}]`);
  }
  const entries = Object.entries(value);
  for (const [name, inner] of entries) {
    if (name === 'has_id') return readHasId(inner);
    if (name === 'nested') return readNested(inner, at);
    if (name === 'slice') return refuseSlice(inner, at);
    if (name === 'has_vector') {
      if (typeof inner !== 'string') throw unknownCondition();
      return ({ vectors }) => vectors?.has(inner) ?? false;
    }
    if (name === 'is_empty' || name === 'is_null') {
      const test = (name === 'is_empty' ? isEmptyAt : isNullAt)(parseJsonPath(readKeyOf(inner)));
      return ({ payload }) => test(payload, undefined);
    }
  }
  if (entries.some(([name]) => !CLAUSES.includes(name))) throw unknownCondition();
  return readFilter(value, at);
}

function readConditions(value: Json | undefined, at: string): Filter[] | undefined {
  if (value === undefined || value === null) return undefined;
  return (isObject(value) ? [value] : readList(value)).map((item, i) => readCondition(item, `${at}[${i}]`));
}

function readMinShould(value: Json | undefined, at: string): Filter | undefined {
  if (value === undefined || value === null) return undefined;
  const object = isObject(value) ? value : {};
  for (const key of ['conditions', 'min_count']) {
    if (!Object.hasOwn(object, key)) throw ApiError.format(`missing field \`${key}\``);
  }
  const conditions = readList(field(object, 'conditions') ?? null).map((item, i) =>
    readCondition(item, `${at}.conditions[${i}]`),
  );
  const minCount = toInteger(field(object, 'min_count'));
  if (minCount === undefined || minCount < 0n) throw ApiError.format('invalid value for `min_count`, expected usize');
  if (minCount === 0n) throw ApiError.validation(`${at}.min_count: min_count must be greater than 0`);
  return (subject) => conditions.filter((condition) => condition(subject)).length >= Number(minCount);
}

/** Reads a filter; `at` is where it stands in the body, for refusals. */
export function readFilter(value: Json, at: string): Filter {
  if (Array.isArray(value)) {
    throw ApiError.format(`invalid length ${value.length}, expected struct Filter with 4 elements`);
  }
  if (!isObject(value)) throw ApiError.format('invalid type: expected struct Filter');
  const unknown = Object.keys(value).find((key) => !CLAUSES.includes(key));
  if (unknown !== undefined) {
    const expected = CLAUSES.map((key) => `\`${key}\``).join(', ');
    throw ApiError.format(`unknown field \`${unknown}\`, expected one of ${expected}`);
  }
  const must = readConditions(field(value, 'must'), `${at}.must`) ?? [];
  const mustNot = readConditions(field(value, 'must_not'), `${at}.must_not`) ?? [];
  const should = readConditions(field(value, 'should'), `${at}.should`) ?? [];
  const minShould = readMinShould(field(value, 'min_should'), `${at}.min_should`);
  return (subject) =>
    must.every((condition) => condition(subject)) &&
    !mustNot.some((condition) => condition(subject)) &&
    (should.length === 0 || should.some((condition) => condition(subject))) &&
    (minShould?.(subject) ?? true);
}

/** Reads the optional `filter` of a body. */
export function readOptionalFilter(body: JsonObject, at: string): Filter {
  const value = field(body, 'filter') ?? null;
  return value === null ? () => true : readFilter(value, `${at}.filter`);
}
