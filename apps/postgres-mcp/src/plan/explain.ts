/** Asks Postgres for plans, and for what its catalog knows about them. */
import { ToolError } from '@database-mcp/errors';
import { LongText, type SourceCell } from '@database-mcp/mcp-kit';
import { quoteName, readRows } from '../catalog.ts';
import type { Database } from '../database.ts';
import type { Statement } from '../statement.ts';
import { findVainScans, flatten, type PlanContext } from './plan-facts.ts';
import { readPlan, type Plan } from './read-plan.ts';
import { suggestIndex } from './suggest-index.ts';

/** A plan for some thousands of partitions is a few MB long. */
const MAX_PLAN_BYTES = 8 * 1024 * 1024;

const CONTEXT_SQL = `
  SELECT c.relname::text, c.reltuples, pg_catalog.current_setting('work_mem'), pg_catalog.current_setting('block_size'),
         (SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
           WHERE e.extname = 'hypopg')
    FROM (SELECT) one
    LEFT JOIN pg_catalog.pg_class c ON c.relname = ANY ($1::text[]) AND c.relkind = 'r' AND pg_catalog.pg_table_is_visible(c.oid)`;

/** Explains the statement; with `analyze` it is run. Rejects like `read`. */
export async function explain(
  database: Database,
  statement: Statement,
  analyze: boolean,
  signal: AbortSignal,
): Promise<Plan> {
  const prefix = `EXPLAIN (FORMAT JSON${analyze ? ', ANALYZE, BUFFERS' : ''}) `;
  let answer: SourceCell = null;
  const push = ([cell = null]: SourceCell[]): boolean => {
    answer = cell;
    return true;
  };
  await database.read({ ...statement, prefix }, { maxRows: 1, maxValueBytes: MAX_PLAN_BYTES, push }, signal);
  return readPlan(toJson(answer));
}

/** The plan comes as text, because costs have a scale that JSON numbers lose. */
function toJson(cell: SourceCell): unknown {
  if (cell instanceof LongText && !cell.isWhole) {
    throw new ToolError({
      code: 'TOO_LARGE',
      message: `The plan is longer than ${MAX_PLAN_BYTES / 1024 / 1024} MiB.`,
      hint: 'Explain a part of the statement, or one that needs fewer partitions.',
    });
  }
  const text = cell instanceof LongText ? cell.head : cell;
  return typeof text === 'string' ? (JSON.parse(text) as unknown) : text;
}

/** What the catalog knows about the plan. */
export async function readPlanContext(database: Database, plan: Plan, signal: AbortSignal): Promise<CatalogContext> {
  const scanned = flatten(plan.root).flatMap(({ type, relation }) => (type === 'Seq Scan' ? (relation ?? []) : []));
  const names = [...new Set(scanned)];
  const rows = await readRows(database, CONTEXT_SQL, [names], signal, names.length + 1);
  const [, , workMem, blockBytes, hypopgSchema] = rows[0] ?? [];
  return {
    tableRows: new Map(rows.map(([name, count]) => [String(name), Number(count)])),
    workMem: String(workMem),
    blockBytes: Number(blockBytes),
    hypopgSchema: typeof hypopgSchema === 'string' ? hypopgSchema : undefined,
  };
}

/** With what is needed to try an index. */
export interface CatalogContext extends PlanContext {
  hypopgSchema: string | undefined;
}

/** An index whose plan costs hardly less is not worth its upkeep. */
const MAX_COST_SHARE = 0.9;

/** An index for the largest scan that reads in vain. */
export interface IndexAdvice {
  createSql: string;
  /** The scan. */
  where: string;
  /** Undefined when it could not be tried. */
  costs?: { without: number; with: number };
}

/** With HypoPG an index is proposed only when the planner would use it. */
export async function adviseIndex(
  database: Database,
  statement: Statement,
  plan: Plan,
  context: CatalogContext,
  signal: AbortSignal,
): Promise<IndexAdvice | undefined> {
  const [scan] = findVainScans(flatten(plan.root), context);
  const index = scan && suggestIndex(scan.node);
  // Only a table of that name on the search path is known for sure.
  if (!index || !context.tableRows.has(index.table)) return undefined;
  const target = `${quoteName(index.table)} (${index.columns.join(', ')})`;
  const advice = { createSql: `CREATE INDEX CONCURRENTLY ON ${target};`, where: scan.node.label };
  if (context.hypopgSchema === undefined) return advice;
  const create = `CREATE INDEX ON ${target}`.replaceAll("'", "''");
  const before = [...(statement.before ?? []), `SELECT ${context.hypopgSchema}.hypopg_create_index('${create}')`];
  try {
    const { root } = await explain(database, { ...statement, before }, false, signal);
    const costs = { without: plan.root.cost, with: root.cost };
    return costs.with > costs.without * MAX_COST_SHARE ? undefined : { ...advice, costs };
  } catch (error) {
    if (signal.aborted || !(error instanceof ToolError)) throw error;
    return advice;
  }
}
