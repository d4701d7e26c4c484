/** Remembers collections for a few seconds, so that a search is one request and not two. */
import type { Collection } from './collection.ts';
import type { Database } from './database.ts';

/** A collection that was remembered may be out of date; `isFresh` tells. */
export interface CachedCollection {
  collection: Collection;
  isFresh: boolean;
}

/** Looks collections up by name. */
export interface CollectionCache {
  get(name: string, signal: AbortSignal): Promise<CachedCollection>;
  /** Asks Qdrant in any case. */
  refresh(name: string, signal: AbortSignal): Promise<Collection>;
  forget(name: string): void;
}

/** A changed collection is seen after this time at the latest, and at once when a vector does not fit. */
const TTL_MS = 10_000;
const MAX_ENTRIES = 500;

/** Creates an empty cache. */
export function createCollectionCache(database: Database): CollectionCache {
  const entries = new Map<string, { collection: Collection; until: number }>();
  const cache: CollectionCache = {
    async get(name, signal) {
      const entry = entries.get(name);
      if (entry && entry.until > performance.now()) return { collection: entry.collection, isFresh: false };
      return { collection: await cache.refresh(name, signal), isFresh: true };
    },
    async refresh(name, signal) {
      entries.delete(name);
      const collection = await database.getCollection(name, signal);
      // The oldest entry comes first in a Map.
      const [oldest] = entries.size >= MAX_ENTRIES ? entries.keys() : [];
      if (oldest !== undefined) entries.delete(oldest);
      entries.set(name, { collection, until: performance.now() + TTL_MS });
      return collection;
    },
    forget: (name) => void entries.delete(name),
  };
  return cache;
}
