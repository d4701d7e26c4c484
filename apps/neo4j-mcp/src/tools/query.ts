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
import { describeStatement } from '../describe-statement.ts';
import { createNotices } from '../notices.ts';
import { toParameters } from '../parameters.ts';
import { limitArgument, tellHowToGoOn } from '../row-limit.ts';

/** The tool that runs a statement of the user's. */
export function createQueryTool(database: Database, limits: ResultLimits): Tool {
  return defineTool({
    name: 'query',
    description:
      'Runs one read-only Cypher statement on Neo4j and returns exact values (integers beyond 2^53 and temporal values ' +
      'as text). EXPLAIN gives the plan. Writes and LOAD CSV are refused.',
    input: z.strictObject({
      cypher: z.string().regex(/\S/, 'it is empty').describe('E.g. MATCH (c:Country {cca3: $code}) RETURN c.name'),
      params: z.looseObject({}).optional().describe('Values of $parameters'),
      limit: limitArgument(limits),
    }),
    annotations: READ_ONLY_ANNOTATIONS,
    describe: ({ cypher }) => describeStatement(cypher),
    async run({ cypher, params, limit }, { signal }) {
      const collector = createRowCollector({ ...limits, maxRows: limit });
      const check = checkAccess.bind(undefined, cypher);
      const statement = { cypher, params: toParameters(params), check };
      const { columns, remarks } = await database.read(statement, collector.push, signal);
      const notices = await createNotices(remarks, database, signal);
      return tellHowToGoOn(collector.finish(columns, { notices }), 'For others add ORDER BY, SKIP and LIMIT.');
    },
  });
}
