import type { ResultLimits, Tool } from '@database-mcp/mcp-kit';
import type { Database } from '../database.ts';
import { createGetRelationshipsTool } from './get-relationships.ts';
import { createListNodesTool } from './list-nodes.ts';
import { createQueryTool } from './query.ts';

/** All tools of this server. */
export function createTools(database: Database, limits: ResultLimits): Tool[] {
  return [
    createQueryTool(database, limits),
    createListNodesTool(database, limits),
    createGetRelationshipsTool(database, limits),
  ];
}
