/**
 * The data file of a stand-in: one JSON line for the format, then one for each collection, each followed by its points.
 * It is always written whole beside the old one and then put in its place, so a reader never sees half a file.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Collection } from './collection.ts';
import { field, isObject, parseJson, printJson, toInteger } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { createPayloadIndex } from './payload-index.ts';
import { readPointId } from './point-id.ts';
import type { Store } from './store.ts';
import { DISTANCES } from './vectors.ts';
import type { Distance, VectorParams } from './vectors.ts';

const FORMAT = 'qdrant stand-in 1';
const WRITE_CHUNK_LINES = 1000;

function* printLines(store: Store): Generator<string> {
  yield printJson({ format: FORMAT });
  for (const collection of store.all()) {
    yield printJson({
      collection: collection.name,
      operation: collection.operation,
      vectors: Object.fromEntries(collection.config.vectors),
      info: collection.config.info,
      indexes: [...collection.indexes].map(([key, index]) => [key, index.schema]),
    });
    for (const { id, version, payload, vectors } of collection.all()) {
      const packed = [...vectors].map(([name, { buffer, byteOffset, byteLength }]) => {
        return [name, Buffer.from(buffer, byteOffset, byteLength).toString('base64')];
      });
      yield printJson({ id, version, payload, vectors: packed });
    }
  }
}

/** Writes all collections to the file. */
export function saveSnapshot(store: Store, file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.new`;
  const descriptor = openSync(draft, 'w', 0o600);
  let lines: string[] = [];
  const flush = (): void => {
    if (lines.length > 0) writeFileSync(descriptor, `${lines.join('\n')}\n`);
    lines = [];
  };
  for (const line of printLines(store)) {
    lines.push(line);
    if (lines.length >= WRITE_CHUNK_LINES) flush();
  }
  flush();
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(draft, file);
}

function readPairs(value: Json | undefined): [string, Json][] {
  const list = Array.isArray(value) ? value : [];
  return list.flatMap((pair): [string, Json][] => (Array.isArray(pair) ? [[String(pair[0]), pair[1] ?? null]] : []));
}

function toVectorParams(value: Json | undefined): VectorParams {
  const size = isObject(value) ? toInteger(field(value, 'size')) : undefined;
  const distance = isObject(value) ? field(value, 'distance') : undefined;
  if (size === undefined || typeof distance !== 'string' || !DISTANCES.includes(distance))
    throw new Error('bad vectors');
  return { size: Number(size), distance: distance as Distance };
}

function toVector(packed: Json): Float32Array {
  const bytes = Buffer.from(String(packed), 'base64');
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

function loadCollection(store: Store, line: JsonObject): Collection {
  const [vectors, info] = [field(line, 'vectors'), field(line, 'info')];
  if (!isObject(vectors) || !isObject(info)) throw new Error('a collection without settings');
  const params = Object.entries(vectors).map(([name, value]) => [name, toVectorParams(value)] as const);
  const collection = store.create(String(line['collection']), { vectors: new Map(params), info });
  collection.operation = Number(toInteger(field(line, 'operation')) ?? 0n);
  for (const [key, schema] of readPairs(field(line, 'indexes'))) {
    collection.indexes.set(key, createPayloadIndex(key, schema));
  }
  return collection;
}

function loadPoint(collection: Collection | undefined, line: JsonObject): void {
  const payload = field(line, 'payload');
  if (collection === undefined || !isObject(payload)) throw new Error('a point out of place');
  collection.set({
    id: readPointId(field(line, 'id') ?? null),
    version: Number(toInteger(field(line, 'version')) ?? 0n),
    payload,
    vectors: new Map(readPairs(field(line, 'vectors')).map(([name, packed]) => [name, toVector(packed)])),
  });
}

/** Reads the file into an empty store; no file is an empty store. */
export function loadSnapshot(store: Store, file: string): void {
  if (!existsSync(file)) return;
  let collection: Collection | undefined;
  let number = 0;
  try {
    for (const text of readFileSync(file, 'utf8').split('\n')) {
      number++;
      if (text === '') continue;
      const line = parseJson(text);
      if (!isObject(line)) throw new Error('not an object');
      if (number === 1) {
        if (line['format'] !== FORMAT) throw new Error('unknown format');
      } else if (Object.hasOwn(line, 'collection')) collection = loadCollection(store, line);
      else loadPoint(collection, line);
    }
  } catch (cause) {
    throw new Error(
      `The stand-in's data file ${file} cannot be read (line ${number}): ` +
        `${cause instanceof Error ? cause.message : String(cause)}. Move it away to start with no data.`,
      { cause },
    );
  }
}
