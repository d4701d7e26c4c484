import { z } from 'zod';
import { defineTool, READ_ONLY_ANNOTATIONS, toSummary, type ResultLimits, type Tool } from '@database-mcp/mcp-kit';
import { findRelation } from '../catalog.ts';
import type { Database } from '../database.ts';
import { describeTable } from '../table-description.ts';

/** Describes one table. */
export function createDescribeTableTool(database: Database, limits: ResultLimits): Tool {
  return defineTool({
    name: 'describe_table',
    description:
      'Describe a table or view: size, columns, keys (foreign ones in both directions), checks, indexes, policies, enum labels.',
    input: z.strictObject({
      table: z.string().describe('Name, or schema.name'),
      schema: z.string().optional(),
    }),
    annotations: READ_ONLY_ANNOTATIONS,
    describe: ({ table, schema }) => ({
      summary: toSummary('describe', [schema === undefined ? table : `${schema}.${table}`]),
    }),
    async run({ table, schema }, { signal }) {
      return await describeTable(database, await findRelation(database, table, schema, signal), limits, signal);
    },
  });
}
