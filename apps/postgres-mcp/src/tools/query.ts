import { z } from 'zod';
import { ToolError } from '@database-mcp/errors';
import {
  createRowCollector,
  defineTool,
  READ_ONLY_ANNOTATIONS,
  type ResultLimits,
  type Tool,
} from '@database-mcp/mcp-kit';
import { suggestRelation } from '../catalog.ts';
import type { Database } from '../database.ts';
import type { StatementGuard } from '../statement-guard.ts';

const DEFAULT_LIMIT = 100;

/** Runs one reading SQL statement. */
export function createQueryTool(database: Database, guard: StatementGuard, limits: ResultLimits): Tool {
  return defineTool({
    name: 'query',
    description:
      'Run one read-only PostgreSQL statement (SELECT, WITH, VALUES, TABLE, SHOW, EXPLAIN). Rows come as arrays; decimals (numeric) and numbers that JSON cannot hold exactly come as strings. `truncated` says whether there are more rows than `limit`.',
    input: z.strictObject({
      sql: z.string().describe('One statement; values as $1, $2 …'),
      params: z.array(z.unknown()).optional().describe('Values of $1, $2 …; a list as a JSON array for = ANY($1)'),
      limit: z
        .int()
        .min(1)
        .max(limits.maxRows)
        .default(Math.min(DEFAULT_LIMIT, limits.maxRows))
        .describe('Most rows to return'),
    }),
    annotations: READ_ONLY_ANNOTATIONS,
    async run({ sql, params = [], limit }, { signal }) {
      const { parameters } = await guard.checkReading(sql, signal);
      checkParameterCount(parameters, params.length);
      const collector = createRowCollector({ ...limits, maxRows: limit });
      const sink = { ...collector, maxRows: limit, maxValueBytes: limits.maxCellBytes };
      try {
        const answer = await database.read({ sql, params }, sink, signal);
        const result = collector.finish(answer.columns, { notices: answer.notices });
        if (result.truncated) result.notices?.push(howToGetMore(limit, limits.maxRows));
        return result;
      } catch (error) {
        throw await suggestRelation(database, error, signal);
      }
    },
  });
}

function checkParameterCount(expected: number, given: number): void {
  if (expected === given) return;
  const used = expected === 0 ? 'no parameters' : expected === 1 ? '$1' : `$1 to $${expected}`;
  throw new ToolError({
    code: 'INVALID_ARGUMENT',
    message: `sql uses ${used}, but params has ${given} ${given === 1 ? 'value' : 'values'}.`,
    hint: expected > given ? 'Pass one value in params for each $n.' : 'Write $1, $2 … in sql where the values belong.',
  });
}

function howToGetMore(limit: number, maxRows: number): string {
  const raise = limit < maxRows ? `raise limit (at most ${maxRows}), or ` : '';
  return `To get more: ${raise}page with ORDER BY, LIMIT and OFFSET in sql.`;
}
