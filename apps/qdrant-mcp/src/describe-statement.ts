/** What telemetry and the audit log may say of a request to Qdrant: operation and collection, and a filter without its values. */
import { PLACEHOLDER, toSummary, type StatementDescription } from '@database-mcp/mcp-kit';
import { isObject } from './values.ts';

/** The operations that are used, by their names in Qdrant's OpenAPI description. */
export type Operation = 'query_points' | 'scroll_points' | 'get_collection' | 'get_collections' | 'root';

/** Describes a request. */
export function describeRequest(operation: Operation, collection?: string): StatementDescription {
  return { summary: toSummary(operation, collection === undefined ? [] : [collection]) };
}

/** Describes a search as its caller wrote it; the names of payload keys stay, what they are compared with does not. */
export function describeSearch(collection: string, filter: unknown): StatementDescription {
  const request = describeRequest('query_points', collection);
  const text = filter === undefined ? request.summary : `${request.summary} ${JSON.stringify(toShape(filter, ''))}`;
  return { ...request, text };
}

/** Deeper than any filter that Qdrant takes. */
const MAX_DEPTH = 32;

function toShape(value: unknown, key: string, depth = 0): unknown {
  if (depth > MAX_DEPTH) return PLACEHOLDER;
  if (Array.isArray(value)) {
    // A list of values is one value, whatever its length.
    return value.some(isObject) ? value.map((item) => toShape(item, '', depth + 1)) : PLACEHOLDER;
  }
  if (!isObject(value)) return key === 'key' && typeof value === 'string' ? value : PLACEHOLDER;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, toShape(item, name, depth + 1)]));
}
