import { z } from 'zod';
import { ToolError } from '@database-mcp/errors';
import {
  defineTool,
  READ_ONLY_ANNOTATIONS,
  type Cell,
  type ResultLimits,
  type TableResult,
  type Tool,
} from '@database-mcp/mcp-kit';
import { suggestRelation } from '../catalog.ts';
import type { Database } from '../database.ts';
import { describeStatement } from '../describe-statement.ts';
import { compactPlan } from '../plan/compact-plan.ts';
import { adviseIndex, explain, readPlanContext, type IndexAdvice } from '../plan/explain.ts';
import { findPlanFacts, round, type PlanContext, type PlanFact } from '../plan/plan-facts.ts';
import type { Plan } from '../plan/read-plan.ts';
import type { StatementGuard } from '../statement-guard.ts';
import { checkParameterCount } from './parameter-count.ts';

/** After white space and comments, each of which can be read in one way only: no input makes this slow. */
const BEGINS_WITH_EXPLAIN = /^(?:\s|--.*\n|\/\*(?:[^*]|\*(?!\/))*\*\/)*explain\b/i;

/** Shows how Postgres runs a statement. */
export function createExplainTool(database: Database, guard: StatementGuard, limits: ResultLimits): Tool {
  return defineTool({
    name: 'explain',
    description:
      'The plan of a read-only statement and what matters in it: slowest node, worst estimate, vain scans, spills.',
    input: z.strictObject({
      sql: z.string().describe('Without EXPLAIN'),
      params: z.array(z.unknown()).optional(),
      analyze: z.boolean().default(false).describe('Run it and measure'),
    }),
    annotations: READ_ONLY_ANNOTATIONS,
    describe: ({ sql }) => describeStatement(sql),
    async run({ sql, params = [], analyze }, { signal }) {
      if (BEGINS_WITH_EXPLAIN.test(sql)) throw alreadyExplained();
      const { parameters } = await guard.checkReading(sql, signal);
      checkParameterCount(parameters, params.length);
      try {
        const statement = { sql, params };
        const plan = await explain(database, statement, analyze, signal);
        const context = await readPlanContext(database, plan, signal);
        return toResult(plan, context, await adviseIndex(database, statement, plan, context, signal), limits);
      } catch (error) {
        throw await suggestRelation(database, error, signal);
      }
    },
  });
}

function alreadyExplained(): ToolError {
  return new ToolError({
    code: 'INVALID_ARGUMENT',
    message: 'sql: it begins with EXPLAIN, which this tool adds by itself.',
    hint: 'Pass the statement alone; analyze: true is EXPLAIN ANALYZE.',
  });
}

function toFact({ createSql, where, costs }: IndexAdvice): PlanFact {
  if (!costs) return { fact: 'index that may help', value: createSql, where };
  const tried = `cost ${round(costs.without)} → ${round(costs.with)}, tried with HypoPG`;
  return { fact: 'index that helps', value: `${createSql} ${tried}`, where };
}

function toResult(
  plan: Plan,
  context: PlanContext,
  advice: IndexAdvice | undefined,
  limits: ResultLimits,
): TableResult {
  const { tree, shown, total } = compactPlan(plan, limits.maxCellBytes);
  const facts = [...findPlanFacts(plan, context), ...(advice ? [toFact(advice)] : [])];
  const rows: Cell[][] = facts.map(({ fact, value, where }) => [fact, value, where ?? null]);
  rows.push(['plan', tree, null]);
  const notices: string[] = [];
  if (!plan.wasRun) notices.push('These are estimates; analyze: true runs the statement and measures.');
  if (shown < total) notices.push(`The plan has ${total} nodes; the ${shown} that matter most are shown.`);
  if (advice && !advice.costs)
    notices.push('The index was not tried, which needs the extension HypoPG: CREATE EXTENSION hypopg.');
  const columns = [
    { name: 'fact', type: 'text' },
    { name: 'value', type: 'json' },
    { name: 'where', type: 'text' },
  ];
  const result: TableResult = { columns, rows, rowCount: rows.length, truncated: false };
  return notices.length > 0 ? { ...result, notices } : result;
}
