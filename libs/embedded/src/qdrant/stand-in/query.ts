/** `POST /points/query`: nearest points by a vector or by a point's id, or simply the first ones. */
import { ApiError } from './api-error.ts';
import { readBody, readCount, readDouble, readLimit, readText } from './body-fields.ts';
import type { Collection, Point } from './collection.ts';
import { readOptionalFilter } from './filter.ts';
import { field, float32Json, isObject, WholeFloat } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import type { CollectionRequest } from './points.ts';
import { toPointId } from './point-id.ts';
import type { PointId } from './point-id.ts';
import { readPointPrinter } from './selectors.ts';
import { isAscending, scoreOf, toDense, toRawVector, toStored } from './vectors.ts';
import type { RawVector, VectorParams } from './vectors.ts';

type Query =
  | { readonly kind: 'none' }
  | { readonly kind: 'vector'; readonly vector: RawVector }
  | { readonly kind: 'id'; readonly id: PointId };

interface Hit {
  readonly point: Point;
  readonly score: number;
}

const DEFAULT_LIMIT = 10;
const OTHER_KINDS = [
  'recommend',
  'discover',
  'context',
  'order_by',
  'fusion',
  'rrf',
  'formula',
  'sample',
  'relevance_feedback',
];

// Hits whose score nobody computed say so by these two values.
const NOT_SCORED = { version: 0, score: new WholeFloat(1) };

function readNearest(value: Json): Query {
  const id = toPointId(value);
  if (id !== undefined) return { kind: 'id', id };
  const vector = toRawVector(value);
  if (vector === undefined) throw ApiError.format('Expected some form of vector, id, or a type of query');
  return { kind: 'vector', vector };
}

function readQuery(value: Json): Query {
  if (value === null) return { kind: 'none' };
  if (!isObject(value) || toRawVector(value) !== undefined) return readNearest(value);
  const nearest = field(value, 'nearest');
  const other = OTHER_KINDS.find((kind) => Object.hasOwn(value, kind));
  if (other !== undefined) throw ApiError.notDone(`\`${other}\` queries`);
  if (nearest === undefined) throw ApiError.format('Expected some form of vector, id, or a type of query');
  if ((field(value, 'mmr') ?? null) !== null) throw ApiError.notDone('`mmr` in nearest queries');
  return readNearest(nearest);
}

function refuseOtherParts(body: JsonObject): void {
  const prefetch = field(body, 'prefetch') ?? null;
  const hasPrefetch = Array.isArray(prefetch) ? prefetch.length > 0 : prefetch !== null;
  if (hasPrefetch) throw ApiError.notDone('`prefetch`');
  if ((field(body, 'lookup_from') ?? null) !== null) throw ApiError.notDone('`lookup_from`');
}

function toQueryVector(collection: Collection, query: Query & { kind: 'vector' | 'id' }, using: string): Float32Array {
  if (query.kind === 'id') {
    const point = collection.get(query.id);
    if (point === undefined) throw ApiError.notFound(`No point with id ${query.id} found`);
    const vector = point.vectors.get(using);
    if (vector === undefined) throw ApiError.notFound(`Vector with name "${using}" for point not found`);
    return vector;
  }
  const { size, distance } = collection.vectorParams(using);
  const values = toDense(query.vector);
  if (values.length === size) return toStored(values, distance);
  throw ApiError.wrongInput(`Vector dimension error: expected dim: ${size}, got ${values.length}`);
}

function rank(hits: Hit[], { distance }: VectorParams, threshold: number | undefined): Hit[] {
  const sign = isAscending(distance) ? 1 : -1;
  const limit = threshold === undefined ? undefined : Math.fround(threshold);
  const isGood = ({ score }: Hit): boolean => limit === undefined || (sign > 0 ? score <= limit : score >= limit);
  // Sorting is stable, so equal scores stay in the order of the ids.
  return hits.filter(isGood).toSorted((a, b) => sign * (a.score - b.score) || 0);
}

/** Reads a query request. */
export function readQueryRequest(value: Json): CollectionRequest<object> {
  const body = readBody(value, 'QueryRequest');
  const query = readQuery(field(body, 'query') ?? null);
  const using = readText(body, 'using') ?? '';
  const threshold = readDouble(body, 'score_threshold');
  const offset = readCount(body, 'offset') ?? 0;
  const filter = readOptionalFilter(body, 'internal');
  const printer = readPointPrinter(body, false);
  const limit = readLimit(body, 'internal') ?? DEFAULT_LIMIT;
  refuseOtherParts(body);
  return (collection) => {
    const print = printer(collection);
    const page = <T>(rows: readonly T[]): T[] => rows.slice(offset, offset + limit);
    if (query.kind === 'none') {
      return { points: page(collection.matching(filter)).map((point) => print(point, NOT_SCORED)) };
    }
    const params = collection.vectorParams(using);
    const wanted = toQueryVector(collection, query, using);
    const hits = collection.matching(filter).flatMap((point): Hit[] => {
      const vector = point.vectors.get(using);
      if (vector === undefined || (query.kind === 'id' && query.id === point.id)) return [];
      return [{ point, score: scoreOf(wanted, vector, params.distance) }];
    });
    const best = page(rank(hits, params, threshold));
    return {
      points: best.map(({ point, score }) => print(point, { version: point.version, score: float32Json(score) })),
    };
  };
}
