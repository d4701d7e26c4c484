import { ToolError } from '@database-mcp/errors';
import {
  createRowCollector,
  defineTool,
  READ_ONLY_ANNOTATIONS,
  type ResultLimits,
  type TableResult,
  type Tool,
} from '@database-mcp/mcp-kit';
import { z } from 'zod';
import { validateFilter } from '../access-policy.ts';
import { isAscending, type Collection, type DenseVector } from '../collection.ts';
import { createCollectionCache, type CollectionCache } from '../collection-cache.ts';
import type { Database, Hit, SearchRequest } from '../database.ts';
import { describeSearch } from '../describe-statement.ts';
import { explainNoHits } from '../empty-result.ts';
import { toHitTable } from '../hit-table.ts';
import type { JsonObject } from '../values.ts';
import { chooseVector, validateVector } from '../vector-choice.ts';

// As Qdrant itself: the 100 nearest of the sample countries are 92 KB, some 23,000 tokens.
const DEFAULT_LIMIT = 10;
/** When an answer is too large, this part of the points is asked for next. */
const SHRINK_FACTOR = 8;

/** Creates the tool that finds the points nearest to a vector. */
export function createSearchTool(database: Database, limits: ResultLimits): Tool {
  const cache = createCollectionCache(database);
  const defaultLimit = Math.min(DEFAULT_LIMIT, limits.maxRows);
  return defineTool({
    name: 'search',
    description:
      'Finds the points of a Qdrant collection nearest to a vector, nearest first: id, score, then the payload keys as ' +
      'columns (null where absent). Read-only. See collection_info for vector size, payload keys and types.',
    input: z.strictObject({
      collection: z.string().min(1).max(255).describe('Collection or alias'),
      query_vector: z.array(z.number()).describe("Dense vector of the collection's size"),
      limit: z.int().min(1).max(limits.maxRows).default(defaultLimit).describe('Most points to return'),
      filter: z
        .looseObject({})
        .optional()
        .describe(
          'Qdrant filter over payload keys, e.g. {"must":[{"key":"region","match":{"value":"Europe"}},' +
            '{"key":"area","range":{"gte":1000}}],"must_not":[{"is_empty":{"key":"code"}}]}',
        ),
      using: z.string().max(255).optional().describe('Vector name, if there are several'),
    }),
    annotations: READ_ONLY_ANNOTATIONS,
    describe: ({ collection, filter }) => describeSearch(collection, filter),
    async run({ collection: name, query_vector: numbers, limit, filter: given, using }, { signal }) {
      const filter = readFilter(given);
      const { collection, vector, notices } = await findVector(cache, name, using, numbers, signal);
      const request = { collection: name, vector: numbers, using: vector.name, filter, withPayload: true };
      try {
        const found = await fetchHits(database, request, { limit, strictLimit: collection.maxLimit }, signal);
        if (found.hits.length === 0) notices.push(...(await explainNoHits(database, name, collection, filter, signal)));
        else if (isAscending(vector)) notices.push(`${vector.distance} distance: a lower score is nearer.`);
        return toResult(found, notices, limits);
      } catch (error) {
        // Whatever Qdrant refuses may come from a collection that was made anew.
        if (error instanceof ToolError) cache.forget(name);
        throw error;
      }
    },
  });
}

function readFilter(given: object | undefined): JsonObject | undefined {
  const verdict = validateFilter(given);
  if (verdict.kind === 'allowed') return verdict.filter;
  const { message, where, hint } = verdict;
  throw new ToolError({ code: 'INVALID_ARGUMENT', message, where, hint });
}

interface FoundVector {
  collection: Collection;
  vector: DenseVector;
  notices: string[];
}

/** The vector that is searched; what does not fit a remembered collection is looked at again before it is refused. */
async function findVector(
  cache: CollectionCache,
  name: string,
  using: string | undefined,
  numbers: readonly number[],
  signal: AbortSignal,
): Promise<FoundVector> {
  const { collection, isFresh } = await cache.get(name, signal);
  const choice = chooseVector(name, collection, using);
  const failure = choice.kind === 'refused' ? choice.failure : validateVector(name, choice.vector, numbers);
  if (choice.kind === 'chosen' && !failure) {
    const notices = choice.isOnly ? [`Searched by the only vector, ${JSON.stringify(choice.vector.name)}.`] : [];
    return { collection, vector: choice.vector, notices };
  }
  if (!isFresh) {
    cache.forget(name);
    return findVector(cache, name, using, numbers, signal);
  }
  throw new ToolError(failure ?? { code: 'INTERNAL', message: 'No vector was chosen.' });
}

interface Found {
  hits: Hit[];
  hasMore: boolean;
  /** Why there are fewer than asked for, if so. */
  notice: string | undefined;
}

/** Fetches at most `limit` hits, and one beyond to know whether there are more. */
async function fetchHits(
  database: Database,
  request: Omit<SearchRequest, 'limit'>,
  { limit, strictLimit = Infinity }: { limit: number; strictLimit: number | undefined },
  signal: AbortSignal,
): Promise<Found> {
  let count = Math.min(limit + 1, strictLimit);
  for (;;) {
    try {
      const hits = await database.search({ ...request, limit: count }, signal);
      if (count > limit) return { hits: hits.slice(0, limit), hasMore: hits.length > limit, notice: undefined };
      if (hits.length < count) return { hits, hasMore: false, notice: undefined };
      const beyond = { ...request, limit: 1, offset: count, withPayload: false };
      const hasMore = (await database.search(beyond, signal)).length > 0;
      const why = count === strictLimit ? 'strict mode of the collection allows no more' : 'more would be too large';
      return { hits, hasMore, notice: hasMore ? `Only ${count} points were fetched: ${why}.` : undefined };
    } catch (error) {
      if (!(error instanceof ToolError) || error.code !== 'TOO_LARGE' || count === 1) throw error;
      count = Math.ceil(count / SHRINK_FACTOR);
    }
  }
}

function toResult(found: Found, notices: string[], limits: ResultLimits): TableResult {
  const { columns, rows } = toHitTable(found.hits);
  const collector = createRowCollector(limits);
  for (const row of rows) if (!collector.push(row)) break;
  if (found.notice) notices.push(found.notice);
  else if (found.hasMore) notices.push('There are more points: raise `limit`, or narrow with `filter`.');
  const result = collector.finish(columns, { notices });
  return { ...result, truncated: result.truncated || found.hasMore };
}
