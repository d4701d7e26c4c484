/** Indexes for the statements that take the most time, by the plans that serve any values of their parameters. */
import { ToolError } from '@database-mcp/errors';
import { readRows } from '../catalog.ts';
import type { Database } from '../database.ts';
import type { Statement } from '../statement.ts';
import { adviseIndex, explain, readPlanContext, type IndexAdvice } from '../plan/explain.ts';
import { round } from '../plan/plan-facts.ts';
import type { StatementGuard } from '../statement-guard.ts';
import type { Finding, ServerFacts } from './finding.ts';

const MAX_STATEMENTS = 5;
/** What took less in all is not worth an index. */
const MIN_TOTAL_MS = 100;
const QUERY_CHARACTERS = 200;

const topSql = (schema: string): string => `
  SELECT query, calls, mean_exec_time FROM ${schema}.pg_stat_statements
   WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
     AND query ~* '^\\s*(select|with)' AND total_exec_time >= ${MIN_TOTAL_MS}
   ORDER BY total_exec_time DESC LIMIT ${MAX_STATEMENTS}`;

/** What is asked, and on whose behalf. */
interface AdviceContext {
  database: Database;
  guard: StatementGuard;
  signal: AbortSignal;
}

/** Proposes at most one index for each of the statements; none is run. */
export async function adviseForStatements(context: AdviceContext, facts: ServerFacts): Promise<Finding[]> {
  if (facts.statementsSchema === undefined) return [];
  const { database, signal } = context;
  const rows = await readRows(database, topSql(facts.statementsSchema), [], signal, MAX_STATEMENTS);
  const found = new Map<string, Finding>();
  for (const [query, calls, mean] of rows) {
    const advice = await adviseForOne(context, String(query));
    if (!advice || found.has(advice.createSql)) continue;
    const tried = advice.costs
      ? `cost ${round(advice.costs.without)} → ${round(advice.costs.with)}, tried with HypoPG`
      : 'not tried: CREATE EXTENSION hypopg would allow it';
    const text = String(query).replaceAll(/\s+/g, ' ').slice(0, QUERY_CHARACTERS);
    found.set(advice.createSql, {
      severity: advice.costs ? 'warning' : 'info',
      finding: `An index ${advice.costs ? 'helps' : 'may help'} a statement that takes much time.`,
      evidence: `${advice.where}; ${tried}; ${String(calls)} calls of ${round(Number(mean))} ms: ${text}`,
      fix: advice.createSql,
    });
  }
  return [...found.values()];
}

/** A generic plan is what EXECUTE gets of a prepared statement, whatever its parameters. */
async function adviseForOne(
  { database, guard, signal }: AdviceContext,
  query: string,
): Promise<IndexAdvice | undefined> {
  try {
    const { parameters } = await guard.checkReading(query, signal);
    const nulls = Array.from({ length: parameters }, () => 'NULL').join(', ');
    const statement: Statement = {
      sql: `EXECUTE mcp_advice${parameters > 0 ? ` (${nulls})` : ''}`,
      before: [
        "SELECT pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true)",
        `PREPARE mcp_advice AS ${query}`,
      ],
    };
    const plan = await explain(database, statement, false, signal);
    return await adviseIndex(database, statement, plan, await readPlanContext(database, plan, signal), signal);
  } catch (error) {
    // One that cannot be explained (a table that is gone, a function that is refused) gets no advice.
    if (signal.aborted || !(error instanceof ToolError)) throw error;
    return undefined;
  }
}
