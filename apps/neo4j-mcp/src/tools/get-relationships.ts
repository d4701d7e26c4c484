import { ToolError } from '@database-mcp/errors';
import {
  createRowCollector,
  defineTool,
  READ_ONLY_ANNOTATIONS,
  type Cell,
  type ResultLimits,
  type Tool,
} from '@database-mcp/mcp-kit';
import { z } from 'zod';
import type { Database } from '../database.ts';
import { limitArgument, tellHowToGoOn } from '../row-limit.ts';

/** One row without a relationship tells a node that has none from one that does not exist. */
const CYPHER = `
MATCH (n) WHERE elementId(n) = $id
OPTIONAL MATCH (n)-[r]-(other)
RETURN elementId(r) AS relationship_id, type(r) AS type,
  CASE WHEN r IS NULL THEN null WHEN startNode(r) = n THEN 'out' ELSE 'in' END AS direction,
  elementId(other) AS other_id, labels(other) AS other_labels,
  coalesce(other.name, other.title, other.label, other.code, other.id) AS other_name,
  properties(r) AS properties`;

/** The tool that shows what a node is connected to. */
export function createGetRelationshipsTool(database: Database, limits: ResultLimits): Tool {
  return defineTool({
    name: 'get_relationships',
    description:
      'Lists the relationships of one node: id, type, direction (out or in), the node at the other end, properties.',
    input: z.strictObject({
      node_id: z.string().min(1).describe('element_id of list_nodes, or elementId(n)'),
      limit: limitArgument(limits),
    }),
    annotations: READ_ONLY_ANNOTATIONS,
    async run({ node_id, limit }, { signal }) {
      const collector = createRowCollector({ ...limits, maxRows: limit });
      let isFound = false;
      const take = (row: Cell[]): boolean => {
        isFound = true;
        return row[0] === null || collector.push(row);
      };
      const { columns } = await database.read({ cypher: CYPHER, params: { id: node_id } }, take, signal);
      if (!isFound) throw createUnknownNodeError(node_id);
      return tellHowToGoOn(
        collector.finish(columns),
        'For others use the query tool: MATCH (n)-[r]-(other) WHERE elementId(n) = $id RETURN … ORDER BY … SKIP … LIMIT ….',
      );
    },
  });
}

function createUnknownNodeError(id: string): ToolError {
  const isOldId = /^\d+$/.test(id);
  return new ToolError({
    code: 'NOT_FOUND',
    message: `There is no node with the element id ${JSON.stringify(id)}.`,
    where: 'node_id',
    hint: isOldId
      ? 'This is the number of the old id(n). Pass the text that elementId(n) gives, such as 4:…:0.'
      : 'Take an id from element_id of list_nodes, or ask for elementId(n) in a query. Ids may change when data is reloaded.',
  });
}
