import { ToolError } from '@database-mcp/errors';
import {
  createRowCollector,
  defineTool,
  READ_ONLY_ANNOTATIONS,
  type Cell,
  type ResultLimits,
  type Tool,
} from '@database-mcp/mcp-kit';
import { z } from 'zod';
import { describeVectors } from '../collection.ts';
import type { Database } from '../database.ts';
import { toCell } from '../values.ts';

/** Collections asked about at the same time; the connections left are for searches. */
const CONCURRENCY = 8;

const COLUMNS = [
  { name: 'name', type: 'string' },
  { name: 'points', type: 'integer' },
  { name: 'vectors', type: 'string' },
  { name: 'status', type: 'string' },
];

/** Creates the tool that lists the collections. */
export function createListCollectionsTool(database: Database, limits: ResultLimits): Tool {
  return defineTool({
    name: 'list_collections',
    description: 'Lists the Qdrant collections: name, number of points, vectors (name, size, distance) and status.',
    input: z.strictObject({}),
    annotations: READ_ONLY_ANNOTATIONS,
    async run(_args, { signal }) {
      const names = await database.listCollections(signal);
      const collector = createRowCollector(limits);
      let unreadable = 0;
      // One batch after the other, so that what does not fit the answer is never asked for.
      for (let start = 0; start < names.length; start += CONCURRENCY) {
        const batch = names.slice(start, start + CONCURRENCY);
        const rows = await Promise.all(batch.map((name) => readRow(database, name, signal)));
        const present = rows.filter((row) => row !== undefined);
        unreadable += present.filter((row) => row[3] === null).length;
        if (!present.every((row) => collector.push(row))) break;
      }
      const notices = unreadable > 0 ? [`The API key may not read ${unreadable} of these collections.`] : [];
      return collector.finish(COLUMNS, { notices });
    },
  });
}

/** The row of a collection, with nulls when it may not be read, or undefined when it is gone meanwhile. */
async function readRow(database: Database, name: string, signal: AbortSignal): Promise<Cell[] | undefined> {
  try {
    const collection = await database.getCollection(name, signal);
    return [name, toCell(collection.points), describeVectors(collection), toCell(collection.status)];
  } catch (error) {
    if (error instanceof ToolError && error.code === 'NOT_FOUND') return undefined;
    if (error instanceof ToolError && error.code === 'PERMISSION_DENIED') return [name, null, null, null];
    throw error;
  }
}
