/** Reading and deleting points: retrieve, scroll, count and delete. Every function reads the body first, then acts. */
import { ApiError } from './api-error.ts';
import { readBody, readLimit, readList, requiredField } from './body-fields.ts';
import type { Collection, Point } from './collection.ts';
import { readFilter, readOptionalFilter } from './filter.ts';
import { field, isObject, WholeFloat } from './json.ts';
import type { Json } from './json.ts';
import { readOrderBy } from './order-by.ts';
import { comparePointIds, readPointId } from './point-id.ts';
import type { PointId } from './point-id.ts';
import { readPointPrinter } from './selectors.ts';

/** A request that has been read, to be carried out on a collection. */
export type CollectionRequest<T> = (collection: Collection) => T;

const DEFAULT_LIMIT = 10;

/** Reads `POST /points`: points by id, in the order asked for, each once. */
export function readRetrieve(value: Json): CollectionRequest<object[]> {
  const body = readBody(value, 'PointRequest');
  const ids = new Set(readList(requiredField(body, 'ids')).map(readPointId));
  const printer = readPointPrinter(body, false);
  return (collection) => {
    const print = printer(collection);
    return [...ids].flatMap((id) => {
      const point = collection.get(id);
      return point === undefined ? [] : [print(point)];
    });
  };
}

/** Answers `GET /points/{id}`. */
export function getPoint(collection: Collection, id: PointId): object {
  const point = collection.get(id);
  if (point === undefined) throw ApiError.notFound(`Point with id ${id} does not exists!`);
  return readPointPrinter({ with_payload: true, with_vector: true }, true)(collection)(point);
}

/** Reads `POST /points/scroll`. */
export function readScroll(value: Json): CollectionRequest<object> {
  const body = readBody(value, 'ScrollRequest');
  const offset = field(body, 'offset') ?? null;
  const start = offset === null ? undefined : readPointId(offset);
  const limit = readLimit(body, 'scroll_request') ?? DEFAULT_LIMIT;
  const filter = readOptionalFilter(body, 'scroll_request');
  const printer = readPointPrinter(body, true);
  const orderBy = readOrderBy(field(body, 'order_by'));
  return (collection) => {
    const print = printer(collection);
    const matching = collection.matching(filter);
    if (orderBy !== undefined) {
      const rows = orderBy(collection, matching).slice(0, limit);
      const points = rows.map(({ point, value: order }) => ({ ...print(point), order_value: printOrder(order) }));
      return { points, next_page_offset: null };
    }
    const rest = start === undefined ? matching : matching.filter((point) => comparePointIds(point.id, start) >= 0);
    return {
      points: rest.slice(0, limit).map((point) => print(point)),
      next_page_offset: rest[limit]?.id ?? null,
    };
  };
}

function printOrder(value: number | bigint): Json {
  return typeof value === 'number' && Number.isInteger(value) ? new WholeFloat(value) : value;
}

/** Reads `POST /points/count`; the count is exact even when an estimate would do. */
export function readCountRequest(value: Json): CollectionRequest<object> {
  const body = readBody(value, 'CountRequest');
  const filter = readOptionalFilter(body, 'count_request');
  return (collection) => ({ count: collection.matching(filter).length });
}

/** Reads `POST /points/delete`; returns the number of the operation. */
export function readDelete(value: Json): CollectionRequest<number> {
  const body = isObject(value) ? value : {};
  const ids = field(body, 'points');
  const filter = field(body, 'filter');
  if (!Array.isArray(ids) && !isObject(filter)) {
    throw ApiError.format('data did not match any variant of untagged enum PointsSelector');
  }
  const wanted = Array.isArray(ids) ? ids.map(readPointId) : undefined;
  const matches = wanted === undefined ? readFilter(filter ?? null, 'filter') : undefined;
  return (collection) => {
    if (wanted?.length === 0) throw new ApiError(400, 'Bad request: Empty update request');
    const found: Point[] = matches === undefined ? [] : collection.matching(matches);
    for (const id of wanted ?? found.map((point) => point.id)) collection.delete(id);
    return ++collection.operation;
  };
}
