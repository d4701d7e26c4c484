import {
  createRowCollector,
  defineTool,
  READ_ONLY_ANNOTATIONS,
  type Cell,
  type ResultLimits,
  type Tool,
} from '@database-mcp/mcp-kit';
import { z } from 'zod';
import type { Collection } from '../collection.ts';
import type { Database } from '../database.ts';
import { describeRequest } from '../describe-statement.ts';
import { summarisePayloads } from '../payload-keys.ts';
import { toCell, type JsonObject } from '../values.ts';

/** Enough to see the keys, few enough to stay small. */
const SAMPLE_POINTS = 20;

const COLUMNS = [
  { name: 'kind', type: 'string' },
  { name: 'name', type: 'string' },
  { name: 'type', type: 'string' },
  { name: 'value', type: 'json' },
];

/** Creates the tool that describes one collection. */
export function createCollectionInfoTool(database: Database, limits: ResultLimits): Tool {
  return defineTool({
    name: 'collection_info',
    description:
      'Describes a Qdrant collection, one fact a row: state, vectors (size, distance), payload indexes, payload keys ' +
      'with their JSON types in a sample of points (what filters can use), configuration.',
    input: z.strictObject({ collection: z.string().min(1).max(255).describe('Collection or alias') }),
    annotations: READ_ONLY_ANNOTATIONS,
    describe: ({ collection }) => describeRequest('get_collection', collection),
    async run({ collection: name }, { signal }) {
      const collection = await database.getCollection(name, signal);
      const limit = Math.min(SAMPLE_POINTS, collection.maxLimit ?? SAMPLE_POINTS);
      const payloads = await database.samplePayloads(name, limit, signal);
      const collector = createRowCollector(limits);
      for (const row of [...toCollectionRows(collection), ...toPayloadRows(payloads), ...toConfigRows(collection)]) {
        if (!collector.push(row)) break;
      }
      const notice =
        `payload_key: keys of ${payloads.length} sampled points, value = how many of them have the key. ` +
        'payload_index: value = indexed points.';
      return collector.finish(COLUMNS, payloads.length > 0 ? { notices: [notice] } : {});
    },
  });
}

function toCollectionRows(collection: Collection): Cell[][] {
  return [
    ['state', 'status', null, toCell(collection.status)],
    ['state', 'points', null, toCell(collection.points)],
    ...(collection.problem === undefined ? [] : [['state', 'optimizer_error', null, collection.problem]]),
    ...collection.dense.map(({ name, size, distance, datatype, isMulti }) => [
      'vector',
      name,
      datatype,
      `${size} ${distance}${isMulti ? ' multivector' : ''}`,
    ]),
    ...collection.sparse.map(({ name, modifier }) => ['vector', name, 'sparse', modifier ?? null]),
    ...collection.indexes.map(({ field, type, points }) => ['payload_index', field, type, toCell(points)]),
  ];
}

function toPayloadRows(payloads: readonly JsonObject[]): Cell[][] {
  return summarisePayloads(payloads).map(({ key, type, points }) => ['payload_key', key, type, points]);
}

function toConfigRows(collection: Collection): Cell[][] {
  return collection.config.map(([name, value]) => ['config', name, null, toCell(value)]);
}
