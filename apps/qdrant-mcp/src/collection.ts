/** What `GET /collections/{name}` says, in our words. Pure: reads an answer, sends nothing. */
import { field, isObject, type Json, type JsonObject } from './values.ts';

/** A vector that holds a number in every place; the default vector has the name ''. */
export interface DenseVector {
  name: string;
  size: number;
  distance: string;
  datatype: string;
  /** A list of vectors a point, compared by a late interaction model. */
  isMulti: boolean;
}

/** A vector of index and value pairs. */
export interface SparseVector {
  name: string;
  /** `idf`, or undefined. */
  modifier: string | undefined;
}

/** An index on a payload key. */
export interface PayloadIndex {
  field: string;
  type: string;
  points: Json;
}

/** A collection as its owner configured it, and its state. */
export interface Collection {
  /** `green`, `yellow` (being optimised), `grey` (optimisation pending) or `red`. */
  status: Json;
  /** Approximate while the collection is optimised. */
  points: Json;
  /** What the optimiser complains about, or undefined. */
  problem: string | undefined;
  dense: DenseVector[];
  sparse: SparseVector[];
  indexes: PayloadIndex[];
  /** The `limit` that strict mode allows, when it is on and says so. */
  maxLimit: number | undefined;
  /** Configuration that changes how one would search: name and value. */
  config: [name: string, value: Json][];
}

/** Distances of which a lower score is nearer. */
const ASCENDING = new Set(['Euclid', 'Manhattan']);

/** Whether a lower score is nearer. */
export function isAscending(vector: DenseVector): boolean {
  return ASCENDING.has(vector.distance);
}

/** Reads the `result` of a collection's info. */
export function toCollection(result: Json): Collection {
  const config = field(result, 'config');
  const params = field(config, 'params');
  const strict = field(config, 'strict_mode_config');
  const isStrict = field(strict, 'enabled') === true;
  const maxLimit = isStrict ? field(strict, 'max_query_limit') : undefined;
  const optimizer = field(result, 'optimizer_status');
  return {
    status: field(result, 'status') ?? null,
    points: field(result, 'points_count') ?? null,
    problem: isObject(optimizer) ? String(field(optimizer, 'error')) : undefined,
    dense: toDenseVectors(field(params, 'vectors')),
    sparse: entriesOf(field(params, 'sparse_vectors')).map(([name, vector]) => ({
      name,
      modifier: textOf(field(vector, 'modifier')),
    })),
    indexes: entriesOf(field(result, 'payload_schema')).map(([name, index]) => ({
      field: name,
      type: textOf(field(index, 'data_type')) ?? 'unknown',
      points: field(index, 'points') ?? null,
    })),
    maxLimit: typeof maxLimit === 'number' ? maxLimit : undefined,
    config: toConfig(config, params, isStrict ? strict : undefined),
  };
}

function toDenseVectors(vectors: Json | undefined): DenseVector[] {
  // A single vector has no name; a vector that is named "size" is an object, not a number.
  if (typeof field(vectors, 'size') === 'number') return [toDenseVector('', vectors)];
  return entriesOf(vectors).map(([name, vector]) => toDenseVector(name, vector));
}

function toDenseVector(name: string, vector: Json | undefined): DenseVector {
  return {
    name,
    size: Number(field(vector, 'size')),
    distance: textOf(field(vector, 'distance')) ?? 'unknown distance',
    datatype: textOf(field(vector, 'datatype')) ?? 'float32',
    isMulti: isObject(field(vector, 'multivector_config')),
  };
}

function toConfig(config: Json | undefined, params: Json | undefined, strict: Json | undefined): [string, Json][] {
  const found: [string, Json | undefined][] = [
    ['hnsw.m', field(field(config, 'hnsw_config'), 'm')],
    ['hnsw.ef_construct', field(field(config, 'hnsw_config'), 'ef_construct')],
    ['quantization', field(config, 'quantization_config')],
    ['shard_number', field(params, 'shard_number')],
    ['replication_factor', field(params, 'replication_factor')],
    ...entriesOf(strict).map(([name, value]): [string, Json] => [`strict_mode.${name}`, value]),
    ['metadata', field(config, 'metadata')],
  ];
  return found.flatMap(([name, value]) => (value === undefined || value === null ? [] : [[name, value]]));
}

function entriesOf(value: Json | undefined): [string, Json][] {
  return isObject(value) ? Object.entries(value as JsonObject) : [];
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** The vectors in one line: `4 Euclid`, or `text: 768 Cosine; image: 512 Dot; words: sparse`. */
export function describeVectors(collection: Collection): string {
  const dense = collection.dense.map((vector) => {
    const text = `${vector.size} ${vector.distance}${vector.isMulti ? ' multivector' : ''}`;
    return vector.name === '' ? text : `${vector.name}: ${text}`;
  });
  return [...dense, ...collection.sparse.map(({ name }) => `${name}: sparse`)].join('; ') || 'none';
}
