import { z } from 'zod';
import {
  createRowCollector,
  defineTool,
  READ_ONLY_ANNOTATIONS,
  type ResultLimits,
  type TableResult,
  type Tool,
} from '@database-mcp/mcp-kit';
import { suggestRelation } from '../catalog.ts';
import { judgeContinuation, readCursor, toCursor, type Continued } from '../continuation.ts';
import type { Database } from '../database.ts';
import { describeStatement } from '../describe-statement.ts';
import { nameLockHolders } from '../lock-holders.ts';
import type { StatementGuard } from '../statement-guard.ts';
import { checkParameterCount } from './parameter-count.ts';

const DEFAULT_LIMIT = 100;
/** Far more than a token has. */
const MAX_CURSOR_CHARACTERS = 200;

const NO_ORDER_NOTICE =
  'Without ORDER BY the order may change from call to call, so that pages overlap or miss rows: order by something unique.';

/** Runs one reading SQL statement. */
export function createQueryTool(database: Database, guard: StatementGuard, limits: ResultLimits): Tool {
  return defineTool({
    name: 'query',
    description:
      'Run one read-only PostgreSQL statement. Decimals and numbers that JSON cannot hold exactly come as strings. When `truncated`, `next` as `cursor` gives more rows.',
    input: z.strictObject({
      sql: z.string().describe('One statement; values as $1, $2 …'),
      params: z.array(z.unknown()).optional().describe('A list: a JSON array, = ANY($1)'),
      limit: z.int().min(1).max(limits.maxRows).default(Math.min(DEFAULT_LIMIT, limits.maxRows)),
      cursor: z.string().max(MAX_CURSOR_CHARACTERS).optional(),
    }),
    annotations: READ_ONLY_ANNOTATIONS,
    describe: ({ sql }) => describeStatement(sql),
    async run({ sql, params = [], limit, cursor }, { signal }) {
      const { parameters } = await guard.checkReading(sql, signal);
      checkParameterCount(parameters, params.length);
      const skip = cursor === undefined ? 0 : readCursor(cursor, { sql, params });
      const collector = createRowCollector({ ...limits, maxRows: limit });
      const sink = { ...collector, maxRows: limit, maxValueBytes: limits.maxCellBytes };
      try {
        const { columns, notices } = await database.read({ sql, params, skip }, sink, signal);
        const result = collector.finish(columns, { notices });
        return result.truncated ? await continued(result, { sql, params }, skip, limits.maxRows > limit) : result;
      } catch (error) {
        throw await nameLockHolders(database, await suggestRelation(database, error, signal), sql, signal);
      }
    },
  });
}

/** The answer with the token for the rows after it, and what to know of them. */
async function continued(
  result: TableResult,
  statement: Continued,
  skip: number,
  canRaiseLimit: boolean,
): Promise<TableResult> {
  const { isPossible, isOrdered } = await judgeContinuation(statement.sql);
  const raise = canRaiseLimit ? ['raise limit'] : [];
  const ways = isPossible ? ['pass next as cursor with the same sql and params', ...raise] : raise;
  const notices = [...(result.notices ?? [])];
  if (ways.length > 0) notices.push(`To get more: ${ways.join(', or ')}.`);
  if (isPossible && !isOrdered) notices.push(NO_ORDER_NOTICE);
  return { ...result, ...(isPossible ? { next: toCursor(statement, skip + result.rowCount) } : {}), notices };
}
