/** Writing points: `PUT /collections/{name}/points` in both of its forms. */
import { ApiError } from './api-error.ts';
import { readBody, readList, requiredField } from './body-fields.ts';
import type { Collection, Point } from './collection.ts';
import { readFilter } from './filter.ts';
import type { Filter } from './filter.ts';
import { describeJson, field, isObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { readPointId } from './point-id.ts';
import type { PointId } from './point-id.ts';
import { readVectorStruct, toDense, toRawVector, toStored } from './vectors.ts';
import type { RawVector } from './vectors.ts';

interface RawPoint {
  readonly id: PointId;
  readonly vectors: ReadonlyMap<string, RawVector>;
  readonly payload: JsonObject;
}

const MODES = ['upsert', 'insert_only', 'update_only'];

/** A read upsert request, to be applied to a collection; returns the number of the operation. */
export type Upsert = (collection: Collection) => number;

function readPayload(value: Json | undefined): JsonObject {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw ApiError.format(`invalid type: ${describeJson(value)}, expected a map`);
  return value;
}

function readPoint(value: Json, i: number): RawPoint {
  const point = readBody(value, 'PointStruct');
  const id = readPointId(requiredField(point, 'id'));
  const vectors = readVectorStruct(requiredField(point, 'vector'));
  const payload = readPayload(field(point, 'payload'));
  for (const vector of vectors.values()) {
    if (vector.kind === 'dense' && vector.values.length === 0) {
      throw ApiError.validation(`points[${i}].vector.vector: dense vector must not be empty`);
    }
  }
  return { id, vectors, payload };
}

function readBatchVectors(value: Json, count: number): ReadonlyMap<string, RawVector>[] {
  const columns = Array.isArray(value)
    ? [['', value] as const]
    : Object.entries(isObject(value) ? value : { '': null });
  const rows = Array.from({ length: count }, () => new Map<string, RawVector>());
  for (const [name, column] of columns) {
    const vectors = Array.isArray(column) ? column.map(toRawVector) : [undefined];
    if (vectors.includes(undefined)) {
      throw ApiError.format('data did not match any variant of untagged enum BatchVectorStruct');
    }
    if (vectors.length !== count) {
      const problem = `number of ids and vectors must be equal (${count} != ${vectors.length})`;
      throw ApiError.validation(`batch.batch: ${problem}`);
    }
    for (const [i, vector] of vectors.entries()) if (vector !== undefined) rows[i]?.set(name, vector);
  }
  return rows;
}

function readBatch(value: Json): RawPoint[] {
  const batch = readBody(value, 'Batch');
  const ids = readList(requiredField(batch, 'ids')).map(readPointId);
  const vectors = readBatchVectors(requiredField(batch, 'vectors'), ids.length);
  const given = field(batch, 'payloads') ?? null;
  const payloads = given === null ? undefined : readList(given).map(readPayload);
  if (payloads !== undefined && payloads.length !== ids.length) {
    const problem = `number of ids and payloads must be equal (${ids.length} != ${payloads.length})`;
    throw ApiError.validation(`batch.batch: ${problem}`);
  }
  return ids.map((id, i) => ({ id, vectors: vectors[i] ?? new Map(), payload: payloads?.[i] ?? {} }));
}

function validateSizes(collection: Collection, points: readonly RawPoint[]): void {
  for (const { vectors } of points) {
    for (const [name, vector] of vectors) {
      const values = toDense(vector);
      const size = collection.config.vectors.get(name)?.size ?? values.length;
      if (size === values.length) continue;
      const where = name === '' ? '' : ` for vector '${name}'`;
      throw ApiError.wrongInput(`Vector dimension error: expected dim: ${size}, got ${values.length}${where}`);
    }
  }
}

function toPoint(collection: Collection, raw: RawPoint, version: number): Point {
  const vectors = [...raw.vectors].map(([name, vector]) => {
    const { distance } = collection.vectorParams(name);
    return [name, toStored(toDense(vector), distance)] as const;
  });
  return { id: raw.id, version, payload: raw.payload, vectors: new Map(vectors) };
}

function isWritten(collection: Collection, id: PointId, mode: Json, filter: Filter): boolean {
  const old = collection.get(id);
  if (old === undefined) return mode !== 'update_only';
  return mode !== 'insert_only' && collection.isMatch(old, filter);
}

/** Reads an upsert request. */
export function readUpsert(value: Json): Upsert {
  const body = readBody(value, 'PointInsertOperations');
  const [list, batch] = [field(body, 'points'), field(body, 'batch')];
  if (list === undefined && batch === undefined) throw ApiError.format('Invalid PointInsertOperations format');
  const points = list === undefined ? readBatch(batch ?? null) : readList(list).map(readPoint);
  const mode = field(body, 'update_mode') ?? 'upsert';
  if (typeof mode !== 'string' || !MODES.includes(mode)) {
    const expected = MODES.map((item) => `\`${item}\``).join(', ');
    throw ApiError.format(`unknown variant \`${String(mode)}\`, expected one of ${expected}`);
  }
  const condition = field(body, 'update_filter') ?? null;
  const filter = condition === null ? () => true : readFilter(condition, 'update_filter');
  return (collection) => {
    if (points.length === 0) throw new ApiError(400, 'Bad request: Empty update request');
    validateSizes(collection, points);
    // Sizes are checked before the write is logged, names after it: only the latter use up an operation number.
    const version = ++collection.operation;
    // All points are made before the first one is stored: a bad one leaves the collection as it was.
    for (const point of points.map((raw) => toPoint(collection, raw, version))) {
      if (isWritten(collection, point.id, mode, filter)) collection.set(point);
    }
    return version;
  };
}
