import {
  createRowCollector,
  defineTool,
  READ_ONLY_ANNOTATIONS,
  type ResultLimits,
  type Tool,
} from '@database-mcp/mcp-kit';
import { z } from 'zod';
import { checkAccess } from '../access-policy.ts';
import type { Database } from '../database.ts';
import { createNotices } from '../notices.ts';
import { toParameters } from '../parameters.ts';
import { limitArgument } from './limit-argument.ts';

/** The tool that runs a statement of the user's. */
export function createQueryTool(database: Database, limits: ResultLimits): Tool {
  return defineTool({
    name: 'query',
    description:
      'Runs one read-only Cypher statement on Neo4j. Returns rows of exact values: integers beyond 2^53, temporal values ' +
      'and durations as text. Writes, LOAD CSV and most procedures are refused. EXPLAIN gives the plan. For more rows use ' +
      'ORDER BY, SKIP and LIMIT.',
    input: z.strictObject({
      cypher: z
        .string()
        .regex(/\S/, 'it is empty')
        .describe('One statement; values as parameters, e.g. MATCH (c:Country {cca3: $code}) RETURN c.name'),
      params: z.looseObject({}).optional().describe('Values of the $parameters by name'),
      limit: limitArgument(limits),
    }),
    annotations: READ_ONLY_ANNOTATIONS,
    async run({ cypher, params, limit }, { signal }) {
      const collector = createRowCollector({ ...limits, maxRows: limit });
      const check = checkAccess.bind(undefined, cypher);
      const statement = { cypher, params: toParameters(params), check };
      const { columns, remarks } = await database.read(statement, collector.push, signal);
      const notices = await createNotices(remarks, database, signal);
      return collector.finish(columns, { notices });
    },
  });
}
