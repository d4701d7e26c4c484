/**
 * Whether a filter means what it says. Qdrant ignores unknown fields inside conditions and takes the first of two tests,
 * so that a mistyped condition matches everything; therefore every part is checked here before anything is sent. Pure.
 * Owns clauses and conditions; tests on the values of one key are checked by field-tests.ts.
 */
import { FIELD_TESTS, validateFieldTest } from './field-tests.ts';
import { checkKeys, describe, isFilledText, refuse, step, type Refusal } from './refusal.ts';
import { isObject, type Json, type JsonObject } from './values.ts';

/** Whether the filter may be sent, and then in which form. */
export type FilterVerdict = { kind: 'allowed'; filter: JsonObject | undefined } | Refusal;

const CLAUSES = ['must', 'should', 'must_not', 'min_should'];
/** Conditions that are not on the values of a key; each stands alone in its object. */
const OTHER_CONDITIONS = ['has_id', 'has_vector', 'is_empty', 'is_null', 'nested', 'slice'];
/** Each level is two levels of JSON, and Qdrant's parser stops at 128 of those. */
const MAX_DEPTH = 32;
const MAX_UINT64 = 18_446_744_073_709_551_615n;
const UUID = /^(?:urn:uuid:)?\{?(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?$/i;
/** Results show ids beyond 2^53 as text, and so they come back. */
const INTEGER_TEXT = /^\d{1,20}$/;

const CONDITION_FORMS =
  'A condition is {"key": "field", "match": {"value": …}}, {"key": …, "range": {"gte": …}}, {"has_id": […]}, ' +
  '{"is_empty": {"key": …}}, {"nested": {"key": …, "filter": {…}}} or another filter.';
const FILTER_FORM =
  'A filter is {"must": [conditions]}, with should, must_not or min_should in place of or beside must.';

/** Checks a filter; `{}` and undefined are no filter. */
export function validateFilter(filter: unknown): FilterVerdict {
  if (filter === undefined || (isObject(filter) && Object.keys(filter).length === 0)) {
    return { kind: 'allowed', filter: undefined };
  }
  const refusal = validateClauses(filter, { where: 'filter', depth: 0, isNested: false });
  return refusal ?? { kind: 'allowed', filter: toRequestForm(filter as Json) as JsonObject };
}

function isEmptyList(value: Json | undefined): boolean {
  return Array.isArray(value) && value.length === 0;
}

interface Place {
  where: string;
  depth: number;
  /** Inside `nested` there is only the element: no id and no vector. */
  isNested: boolean;
}

function inside(place: Place, key: string | number): Place {
  return { ...place, where: step(place.where, key) };
}

function validateClauses(filter: unknown, place: Place): Refusal | undefined {
  const { where } = place;
  if (place.depth >= MAX_DEPTH) return refuse(where, `is nested more than ${MAX_DEPTH} levels deep`, 'Flatten it.');
  if (!isObject(filter)) return refuse(where, `must be an object but is ${describe(filter)}`, FILTER_FORM);
  const unknown = checkKeys(filter, CLAUSES, where, FILTER_FORM);
  if (unknown) return unknown;
  // Clients write every clause they know; what is null or an empty list says nothing.
  const clauses = CLAUSES.filter((name) => (filter[name] ?? null) !== null && !isEmptyList(filter[name]));
  if (clauses.length === 0) {
    const hint = place.depth === 0 ? `Leave the filter out to search everything. ${FILTER_FORM}` : FILTER_FORM;
    return refuse(where, 'has no condition, so that it matches everything', hint);
  }
  for (const name of clauses) {
    const next = inside(place, name);
    const refusal =
      name === 'min_should' ? validateMinShould(filter[name], next) : validateConditions(filter[name], next);
    if (refusal) return refusal;
  }
  return undefined;
}

function validateMinShould(value: Json | undefined, place: Place): Refusal | undefined {
  const form = 'Write {"conditions": [conditions], "min_count": 2}.';
  if (!isObject(value)) return refuse(place.where, `must be an object but is ${describe(value)}`, form);
  const unknown = checkKeys(value, ['conditions', 'min_count'], place.where, form);
  if (unknown) return unknown;
  const count = value['min_count'];
  if (typeof count !== 'number' || !Number.isInteger(count) || count < 1) {
    return refuse(step(place.where, 'min_count'), `must be a whole number from 1 but is ${describe(count)}`, form);
  }
  if (!Array.isArray(value['conditions'])) {
    return refuse(step(place.where, 'conditions'), `must be a list but is ${describe(value['conditions'])}`, form);
  }
  return validateConditions(value['conditions'], inside(place, 'conditions'));
}

/** A clause is a list of conditions; Qdrant also takes a single one without the list. */
function validateConditions(value: Json | undefined, place: Place): Refusal | undefined {
  if (!Array.isArray(value)) return validateCondition(value, place);
  if (isEmptyList(value)) return refuse(place.where, 'is an empty list', CONDITION_FORMS);
  for (const [index, condition] of value.entries()) {
    const refusal = validateCondition(condition, inside(place, index));
    if (refusal) return refusal;
  }
  return undefined;
}

function validateCondition(value: Json | undefined, place: Place): Refusal | undefined {
  const { where } = place;
  if (!isObject(value)) return refuse(where, `must be a condition but is ${describe(value)}`, CONDITION_FORMS);
  const keys = Object.keys(value);
  if (keys.length === 0) return refuse(where, 'is an empty condition, which matches everything', CONDITION_FORMS);
  if (Object.hasOwn(value, 'key')) return validateFieldCondition(value, where);
  if (keys.some((key) => CLAUSES.includes(key))) return validateClauses(value, { ...place, depth: place.depth + 1 });
  const unknown = checkKeys(value, ['key', ...OTHER_CONDITIONS, ...CLAUSES, ...FIELD_TESTS], where, CONDITION_FORMS);
  if (unknown) return unknown;
  const [kind = '', ...more] = keys;
  if (more.length > 0) {
    return refuse(
      where,
      `is ${keys.length} conditions in one object (${keys.join(', ')})`,
      'Make each an object of its own.',
    );
  }
  if (!OTHER_CONDITIONS.includes(kind)) {
    return refuse(where, `has ${kind} but no key`, 'Add "key": the payload field, with dots for inner ones.');
  }
  return validateOther(kind, value[kind], inside(place, kind));
}

function validateFieldCondition(condition: JsonObject, where: string): Refusal | undefined {
  if (!isFilledText(condition['key'])) {
    return refuse(
      step(where, 'key'),
      `must be the name of a payload field but is ${describe(condition['key'])}`,
      CONDITION_FORMS,
    );
  }
  const hint =
    'A key takes one of match, range, geo_bounding_box, geo_radius, geo_polygon, values_count, is_empty, is_null.';
  const unknown = checkKeys(condition, ['key', ...FIELD_TESTS], where, hint);
  if (unknown) return unknown;
  const tests = FIELD_TESTS.filter((name) => (condition[name] ?? null) !== null);
  const [test, ...more] = tests;
  if (test === undefined) return refuse(where, 'has a key but no test', hint);
  if (more.length > 0) {
    const names = tests.join(' and ');
    return refuse(
      where,
      `has ${names} on one key, of which Qdrant uses only one`,
      'Write one condition for each test.',
    );
  }
  return validateFieldTest(test, condition[test], step(where, test));
}

function validateOther(kind: string, value: Json | undefined, place: Place): Refusal | undefined {
  const { where } = place;
  if (place.isNested && (kind === 'has_id' || kind === 'has_vector')) {
    return refuse(where, 'never matches inside nested', 'Put it beside the nested condition.');
  }
  switch (kind) {
    case 'has_id':
      return validateIds(value, where);
    case 'has_vector':
      if (typeof value === 'string') return undefined;
      return refuse(where, `must be the name of a vector but is ${describe(value)}`, 'The default vector is "".');
    case 'nested':
      return validateNested(value, place);
    case 'slice':
      return validateSlice(value, where);
    default: {
      const form = `Write {"${kind}": {"key": "field"}}.`;
      if (!isObject(value)) return refuse(where, `must be an object but is ${describe(value)}`, form);
      const unknown = checkKeys(value, ['key'], where, form);
      if (unknown || isFilledText(value['key'])) return unknown;
      return refuse(step(where, 'key'), `must be the name of a payload field but is ${describe(value['key'])}`, form);
    }
  }
}

function validateNested(value: Json | undefined, place: Place): Refusal | undefined {
  const form = 'Write {"nested": {"key": "field with a list of objects", "filter": {"must": [conditions]}}}.';
  if (!isObject(value)) return refuse(place.where, `must be an object but is ${describe(value)}`, form);
  const unknown = checkKeys(value, ['key', 'filter'], place.where, form);
  if (unknown) return unknown;
  if (!isFilledText(value['key'])) {
    return refuse(
      step(place.where, 'key'),
      `must be the name of a payload field but is ${describe(value['key'])}`,
      form,
    );
  }
  return validateClauses(value['filter'], { ...inside(place, 'filter'), depth: place.depth + 1, isNested: true });
}

function validateSlice(value: Json | undefined, where: string): Refusal | undefined {
  const form = 'Write {"slice": {"index": 0, "total": 4}}.';
  if (!isObject(value)) return refuse(where, `must be an object but is ${describe(value)}`, form);
  const unknown = checkKeys(value, ['index', 'total'], where, form);
  if (unknown) return unknown;
  const { index, total } = value;
  const isWhole = Number.isInteger(index) && Number.isInteger(total);
  if (isWhole && Number(index) >= 0 && Number(index) < Number(total)) return undefined;
  return refuse(where, 'needs whole numbers, index from 0 and below total', form);
}

function validateIds(value: Json | undefined, where: string): Refusal | undefined {
  const hint = 'A point id is a whole number from 0 to 18446744073709551615 or a UUID.';
  if (!Array.isArray(value)) return refuse(where, `must be a list of ids but is ${describe(value)}`, hint);
  const index = value.findIndex((id) => !isPointId(id));
  if (index === -1) return undefined;
  return refuse(step(where, index), `must be a point id but is ${describe(value[index])}`, hint);
}

function isPointId(value: Json): boolean {
  if (typeof value === 'string') {
    return UUID.test(value) || (INTEGER_TEXT.test(value) && BigInt(value) <= MAX_UINT64);
  }
  if (typeof value === 'bigint') return value >= 0n && value <= MAX_UINT64;
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Ids that are integers as text become integers; a checked filter has nothing else under `has_id`. */
function toRequestForm(value: Json): Json {
  if (Array.isArray(value)) return value.map(toRequestForm);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === 'has_id' && Array.isArray(item) ? item.map(toExactId) : toRequestForm(item),
    ]),
  );
}

function toExactId(id: Json): Json {
  return typeof id === 'string' && INTEGER_TEXT.test(id) ? BigInt(id) : id;
}
