/** One collection: its settings, points and payload indexes. Knows nothing of requests and answers. */
import { ApiError } from './api-error.ts';
import type { CollectionConfig } from './collection-config.ts';
import type { Filter } from './filter.ts';
import type { JsonObject } from './json.ts';
import type { PayloadIndex } from './payload-index.ts';
import { describeIndex } from './payload-index.ts';
import { comparePointIds } from './point-id.ts';
import type { PointId } from './point-id.ts';
import type { VectorParams } from './vectors.ts';

/** A stored point. */
export interface Point {
  readonly id: PointId;
  /** The number of the operation that wrote it last. */
  readonly version: number;
  readonly payload: JsonObject;
  readonly vectors: ReadonlyMap<string, Float32Array>;
}

/** A collection with its points in memory. */
export class Collection {
  readonly name: string;
  readonly config: CollectionConfig;
  readonly indexes = new Map<string, PayloadIndex>();
  operation = 0;
  readonly #points = new Map<PointId, Point>();
  #sorted: Point[] | undefined;

  constructor(name: string, config: CollectionConfig) {
    this.name = name;
    this.config = config;
  }

  get size(): number {
    return this.#points.size;
  }

  get(id: PointId): Point | undefined {
    return this.#points.get(id);
  }

  set(point: Point): void {
    this.#points.set(point.id, point);
    this.#sorted = undefined;
  }

  delete(id: PointId): void {
    if (this.#points.delete(id)) this.#sorted = undefined;
  }

  /** All points in the order of their ids. */
  all(): readonly Point[] {
    this.#sorted ??= [...this.#points.values()].toSorted((a, b) => comparePointIds(a.id, b.id));
    return this.#sorted;
  }

  /** The points that pass, in the order of their ids. */
  matching(filter: Filter): Point[] {
    return this.all().filter((point) => this.isMatch(point, filter));
  }

  isMatch(point: Point, filter: Filter): boolean {
    return filter({ payload: point.payload, id: point.id, vectors: point.vectors, indexes: this.indexes });
  }

  /** What the collection says about a vector, or the refusal of an unknown name. */
  vectorParams(name: string): VectorParams {
    const params = this.config.vectors.get(name);
    if (params === undefined) throw ApiError.wrongInput(`Not existing vector name error: ${name}`);
    return params;
  }

  /** The collection's info as the server prints it. */
  describe(): JsonObject {
    const payloads = this.all().map((point) => point.payload);
    const schema = [...this.indexes].map(([key, index]) => [key, describeIndex(index, payloads)] as const);
    return {
      status: 'green',
      optimizer_status: 'ok',
      indexed_vectors_count: 0,
      points_count: this.size,
      segments_count: 1,
      config: this.config.info,
      payload_schema: Object.fromEntries(schema),
      update_queue: { length: 0 },
    };
  }
}
