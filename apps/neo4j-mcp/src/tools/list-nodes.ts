import { closestName, ToolError } from '@database-mcp/errors';
import {
  createRowCollector,
  defineTool,
  READ_ONLY_ANNOTATIONS,
  type ResultLimits,
  type Tool,
} from '@database-mcp/mcp-kit';
import { z } from 'zod';
import type { Database, Statement } from '../database.ts';
import { describeStatement } from '../describe-statement.ts';
import { limitArgument, tellHowToGoOn } from '../row-limit.ts';

/** Labels in the hint of an unknown one. */
const MAX_LABELS = 20;

/** The tool that shows the nodes of one label. */
export function createListNodesTool(database: Database, limits: ResultLimits): Tool {
  return defineTool({
    name: 'list_nodes',
    description:
      'Lists nodes with a label: element_id, labels, all properties. An unknown label gets the list of labels.',
    input: z.strictObject({
      label: z.string().min(1).describe('Exact label, e.g. Country'),
      limit: limitArgument(limits),
    }),
    annotations: READ_ONLY_ANNOTATIONS,
    describe: ({ label }) => describeStatement(toStatement(label).cypher),
    async run({ label, limit }, { signal }) {
      const collector = createRowCollector({ ...limits, maxRows: limit });
      const { columns } = await database.read(toStatement(label), collector.push, signal);
      const result = collector.finish(columns);
      if (result.rowCount === 0) await assertLabelExists(label, database, signal);
      return tellHowToGoOn(result, 'For others use the query tool: MATCH (n:…) RETURN n ORDER BY … SKIP … LIMIT ….');
    },
  });
}

/**
 * A label cannot be a parameter of every supported version. Quoted, only the backtick has a meaning in it; but Neo4j 5
 * replaces `\uXXXX` before it looks at quotes, so a label with a backslash is compared as a value, which reads all nodes.
 */
function toStatement(label: string): Statement {
  const quoted = `\`${label.replaceAll('`', '``')}\``;
  const match = label.includes('\\') ? 'MATCH (n) WHERE $label IN labels(n)' : `MATCH (n:${quoted})`;
  const cypher = `${match} RETURN elementId(n) AS element_id, labels(n) AS labels, properties(n) AS properties`;
  return { cypher, params: { label } };
}

async function assertLabelExists(label: string, database: Database, signal: AbortSignal): Promise<void> {
  const labels = await database.listNames('label', signal);
  if (labels.includes(label)) return;
  const meant = closestName(label, labels);
  const known = labels.length > MAX_LABELS ? [...labels.slice(0, MAX_LABELS), '…'] : labels;
  const next = known.length > 0 ? `Labels: ${known.join(', ')}.` : 'The database has no labels.';
  throw new ToolError({
    code: 'NOT_FOUND',
    message: `There is no label ${JSON.stringify(label)}.`,
    where: 'label',
    hint: meant === undefined ? next : `Did you mean ${JSON.stringify(meant)}? ${next}`,
  });
}
