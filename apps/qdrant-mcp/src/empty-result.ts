/** Why a filter found nothing: most often because no payload has the key that it names. */
import { closestName } from '@database-mcp/errors';
import type { Collection } from './collection.ts';
import type { Database } from './database.ts';
import { summarisePayloads } from './payload-keys.ts';
import { field, isObject, type Json, type JsonObject } from './values.ts';

const SAMPLE_POINTS = 20;

/** Sentences about keys of the filter that neither an index nor a sample of the points knows. */
export async function explainNoHits(
  database: Database,
  name: string,
  collection: Collection,
  filter: JsonObject | undefined,
  signal: AbortSignal,
): Promise<string[]> {
  if (collection.points === 0) return ['The collection has no points.'];
  const keys = filter ? [...new Set(keysOf(filter))] : [];
  if (keys.length === 0) return [];
  const limit = Math.min(SAMPLE_POINTS, collection.maxLimit ?? Infinity);
  // The search itself is answered; what only explains it may fail.
  const payloads = await database.samplePayloads(name, limit, signal).catch((): JsonObject[] => []);
  if (payloads.length === 0) return [];
  const known = [
    ...summarisePayloads(payloads).map(({ key }) => key),
    ...collection.indexes.map((index) => index.field),
  ];
  return keys
    .filter(
      (key) => !known.some((other) => other === key || key.startsWith(`${other}.`) || key.startsWith(`${other}[`)),
    )
    .map((key) => {
      const meant = closestName(key, known);
      const next = meant ? ` Did you mean ${JSON.stringify(meant)}?` : '';
      return `None of ${payloads.length} sampled points has the payload key ${JSON.stringify(key)}.${next}`;
    });
}

/** The payload keys that a checked filter names, those inside `nested` with their path. */
function keysOf(value: Json, prefix = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => keysOf(item, prefix));
  if (!isObject(value)) return [];
  const nested = field(value, 'nested');
  if (isObject(nested)) {
    const key = `${prefix}${String(nested['key']).replace(/\[\]$/, '')}`;
    return [key, ...keysOf(nested['filter'] ?? null, `${key}[].`)];
  }
  const key = field(value, 'key');
  if (typeof key === 'string') return [`${prefix}${key}`];
  return Object.values(value).flatMap((item) => keysOf(item, prefix));
}
