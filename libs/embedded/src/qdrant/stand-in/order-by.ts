/** `order_by`: points by a payload value, which needs an index that can order. */
import { ApiError } from './api-error.ts';
import { readBody } from './body-fields.ts';
import type { Collection, Point } from './collection.ts';
import { field } from './json.ts';
import type { Json } from './json.ts';
import { parseJsonPath } from './json-path.ts';
import { indexedValues } from './payload-index.ts';

/** A point at one of its values. */
export interface OrderedPoint {
  readonly point: Point;
  readonly value: number | bigint;
}

/** Puts points into order. */
export type OrderBy = (collection: Collection, points: readonly Point[]) => OrderedPoint[];

/** Reads the `order_by` of a body, which may be only a key. */
export function readOrderBy(value: Json | undefined): OrderBy | undefined {
  if (value === undefined || value === null) return undefined;
  const body = typeof value === 'string' ? { key: value } : readBody(value, 'OrderBy');
  parseJsonPath(field(body, 'key'));
  const key = String(body['key']);
  const direction = field(body, 'direction') ?? 'asc';
  if (direction !== 'asc' && direction !== 'desc') {
    throw ApiError.format(`unknown variant \`${String(direction)}\`, expected \`asc\` or \`desc\``);
  }
  if ((field(body, 'start_from') ?? null) !== null) throw ApiError.notDone('`start_from` in `order_by`');
  return (collection, points) => {
    const index = collection.indexes.get(key);
    const orderOf = index?.orderOf;
    if (index === undefined || orderOf === undefined) {
      throw ApiError.wrongInput(
        `No range index for \`order_by\` key: \`${key}\`. Please create one to use \`order_by\`. ` +
          'Check https://qdrant.tech/documentation/concepts/indexing/#payload-index ' +
          'to see which payload schemas support Range conditions',
      );
    }
    const rows = points.flatMap((point) =>
      indexedValues(index, point.payload).flatMap((item) => {
        const order = orderOf(item);
        return order === undefined ? [] : [{ point, value: order }];
      }),
    );
    const sign = direction === 'asc' ? 1 : -1;
    return rows.toSorted((a, b) => (a.value < b.value ? -sign : a.value > b.value ? sign : 0));
  };
}
