import type { ResultLimits, Tool } from '@database-mcp/mcp-kit';
import type { Database } from '../database.ts';
import { createCollectionInfoTool } from './collection-info.ts';
import { createListCollectionsTool } from './list-collections.ts';
import { createSearchTool } from './search.ts';

/** Creates all tools of this server. */
export function createTools(database: Database, limits: ResultLimits): Tool[] {
  return [
    createSearchTool(database, limits),
    createListCollectionsTool(database, limits),
    createCollectionInfoTool(database, limits),
  ];
}
