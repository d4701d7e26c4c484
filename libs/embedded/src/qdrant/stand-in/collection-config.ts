/** The settings of a collection: reads a create request, and prints them in the form of the collection's info. */
import { ApiError } from './api-error.ts';
import { field, isObject, setField, toInteger } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { DISTANCES } from './vectors.ts';
import type { Distance, VectorParams } from './vectors.ts';

/** The settings of a collection. */
export interface CollectionConfig {
  /** By name; the unnamed vector has the name ''. */
  readonly vectors: ReadonlyMap<string, VectorParams>;
  /** `config` of the collection's info, ready to print. */
  readonly info: JsonObject;
}

const MAX_SIZE = 65536;

const HNSW_DEFAULTS: JsonObject = {
  m: 16,
  ef_construct: 100,
  full_scan_threshold: 10000,
  max_indexing_threads: 0,
  on_disk: false,
};

const OPTIMIZER_DEFAULTS: JsonObject = {
  deleted_threshold: 0.2,
  vacuum_min_vector_number: 1000,
  default_segment_number: 0,
  max_segment_size: null,
  memmap_threshold: null,
  indexing_threshold: 10000,
  flush_interval_sec: 5,
  max_optimization_threads: null,
  prevent_unoptimized: null,
};

const WAL_DEFAULTS: JsonObject = { wal_capacity_mb: 32, wal_segments_ahead: 0, wal_retain_closed: 1 };

function badVectors(): ApiError {
  return ApiError.format('data did not match any variant of untagged enum VectorsConfig');
}

function given(object: JsonObject, key: string): Json | undefined {
  return field(object, key) ?? undefined;
}

function readParams(value: Json, at: string): { readonly params: VectorParams; readonly info: JsonObject } {
  if (!isObject(value)) throw badVectors();
  const size = toInteger(field(value, 'size'));
  const distance = field(value, 'distance');
  if (size === undefined || size < 1n || typeof distance !== 'string' || !DISTANCES.includes(distance)) {
    throw badVectors();
  }
  if (size > MAX_SIZE) throw ApiError.validation(`${at}.size: value ${size} invalid, must be from 1 to ${MAX_SIZE}`);
  const datatype = given(value, 'datatype') ?? 'float32';
  if (datatype !== 'float32') throw ApiError.notDone('vectors with a `datatype` other than float32');
  if (given(value, 'multivector_config') !== undefined) throw ApiError.notDone('multivectors');
  const info: JsonObject = { size: Number(size), distance };
  for (const key of ['hnsw_config', 'quantization_config', 'on_disk', 'datatype']) {
    const setting = given(value, key);
    if (setting !== undefined) info[key] = setting;
  }
  return { params: { size: Number(size), distance: distance as Distance }, info };
}

function readVectors(value: Json): { readonly vectors: Map<string, VectorParams>; readonly info: JsonObject } {
  if (!isObject(value)) throw badVectors();
  if (typeof field(value, 'distance') === 'string') {
    const { params, info } = readParams(value, 'vectors');
    return { vectors: new Map([['', params]]), info };
  }
  const vectors = new Map<string, VectorParams>();
  const printed: JsonObject = {};
  for (const [name, item] of Object.entries(value)) {
    const { params, info } = readParams(item, `vectors.${name}`);
    vectors.set(name, params);
    setField(printed, name, info);
  }
  return { vectors, info: printed };
}

function readPositive(body: JsonObject, key: string): number {
  const value = given(body, key);
  if (value === undefined) return 1;
  const integer = toInteger(value);
  if (integer === undefined || integer < 0n) throw ApiError.format(`invalid value for \`${key}\`, expected u32`);
  if (integer === 0n) throw ApiError.validation(`${key}: value 0 invalid, must be 1 or larger`);
  return Number(integer);
}

function merged(defaults: JsonObject, changes: Json | undefined): JsonObject {
  const known = isObject(changes) ? Object.entries(changes).filter(([key]) => Object.hasOwn(defaults, key)) : [];
  return { ...defaults, ...Object.fromEntries(known) };
}

/** Reads the body of a create request. */
export function readCollectionConfig(body: JsonObject): CollectionConfig {
  const { vectors, info } = readVectors(given(body, 'vectors') ?? {});
  const sparse = given(body, 'sparse_vectors');
  if (isObject(sparse) && Object.keys(sparse).length > 0) throw ApiError.notDone('sparse vectors');
  const strict = given(body, 'strict_mode_config');
  if (isObject(strict) && field(strict, 'enabled') === true) throw ApiError.notDone('strict mode');
  if (given(body, 'init_from') !== undefined) throw ApiError.notDone('`init_from`');
  const metadata = given(body, 'metadata');
  return {
    vectors,
    info: {
      params: {
        vectors: info,
        shard_number: readPositive(body, 'shard_number'),
        replication_factor: readPositive(body, 'replication_factor'),
        write_consistency_factor: readPositive(body, 'write_consistency_factor'),
        on_disk_payload: given(body, 'on_disk_payload') ?? true,
      },
      hnsw_config: merged(HNSW_DEFAULTS, given(body, 'hnsw_config')),
      optimizer_config: merged(OPTIMIZER_DEFAULTS, given(body, 'optimizers_config')),
      wal_config: merged(WAL_DEFAULTS, given(body, 'wal_config')),
      quantization_config: given(body, 'quantization_config') ?? null,
      ...(metadata === undefined ? {} : { metadata }),
    },
  };
}

const FORBIDDEN_IN_NAMES = ['<', '>', ':', '"', '/', '\\', '|', '?', '*', '\0', '\u{1F}'];

function badName(problem: string): ApiError {
  return new ApiError(422, `Validation error in path parameters: [collection_name: ${problem}]`);
}

/** Refuses a name that no collection can have. */
export function validateCollectionName(name: string): void {
  const length = Buffer.byteLength(name);
  if (length < 1 || length > 255) throw badName(`value "${name}" invalid, must be from 1 to 255 characters`);
  const character = FORBIDDEN_IN_NAMES.find((item) => name.includes(item));
  if (character !== undefined) throw badName(`collection name cannot contain "${character}" char`);
}
