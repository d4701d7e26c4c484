import type { ResultLimits, Tool } from '@database-mcp/mcp-kit';
import type { Database } from '../database.ts';
import { createStatementGuard } from '../statement-guard.ts';
import { createDescribeTableTool } from './describe-table.ts';
import { createExplainTool } from './explain.ts';
import { createExecuteTool, type ExecuteOptions } from './execute.ts';
import { createHealthTool } from './health.ts';
import { createListTablesTool } from './list-tables.ts';
import { createQueryTool } from './query.ts';

/** What the tool that writes needs; without it there is none. */
export type WriteOptions = Pick<ExecuteOptions, 'confirmations' | 'instance'>;

/** All tools of this server. */
export function createTools(database: Database, limits: ResultLimits, writing?: WriteOptions): Tool[] {
  const guard = createStatementGuard(database);
  return [
    createQueryTool(database, guard, limits),
    createListTablesTool(database, limits),
    createDescribeTableTool(database, limits),
    createExplainTool(database, guard, limits),
    createHealthTool(database, guard, limits, writing ? 'write' : 'read'),
    ...(writing ? [createExecuteTool(database, { guard, limits, ...writing })] : []),
  ];
}
