/** All collections, and the note that something changed since it was last saved. */
import { ApiError } from './api-error.ts';
import { Collection } from './collection.ts';
import type { CollectionConfig } from './collection-config.ts';

/** The collections of one stand-in. */
export class Store {
  readonly #collections = new Map<string, Collection>();
  readonly #onChange: () => void;

  constructor(onChange: () => void = () => undefined) {
    this.#onChange = onChange;
  }

  all(): IterableIterator<Collection> {
    return this.#collections.values();
  }

  has(name: string): boolean {
    return this.#collections.has(name);
  }

  get(name: string): Collection {
    const collection = this.#collections.get(name);
    if (collection === undefined) throw ApiError.notFound(`Collection \`${name}\` doesn't exist!`);
    return collection;
  }

  create(name: string, config: CollectionConfig): Collection {
    if (this.has(name)) throw new ApiError(409, `Wrong input: Collection \`${name}\` already exists!`);
    const collection = new Collection(name, config);
    this.#collections.set(name, collection);
    this.changed();
    return collection;
  }

  delete(name: string): boolean {
    const isDeleted = this.#collections.delete(name);
    if (isDeleted) this.changed();
    return isDeleted;
  }

  /** To be called after each change. */
  changed(): void {
    this.#onChange();
  }
}
