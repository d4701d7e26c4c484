import type { ResultLimits, Tool } from '@database-mcp/mcp-kit';
import type { Database } from '../database.ts';
import { createStatementGuard } from '../statement-guard.ts';
import { createDescribeTableTool } from './describe-table.ts';
import { createExplainTool } from './explain.ts';
import { createListTablesTool } from './list-tables.ts';
import { createQueryTool } from './query.ts';

/** All tools of this server. */
export function createTools(database: Database, limits: ResultLimits): Tool[] {
  const guard = createStatementGuard(database);
  return [
    createQueryTool(database, guard, limits),
    createListTablesTool(database, limits),
    createDescribeTableTool(database, limits),
    createExplainTool(database, guard, limits),
  ];
}
