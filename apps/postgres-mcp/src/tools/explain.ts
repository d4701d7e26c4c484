import { z } from 'zod';
import { ToolError } from '@database-mcp/errors';
import {
  defineTool,
  LongText,
  READ_ONLY_ANNOTATIONS,
  type Cell,
  type ResultLimits,
  type SourceCell,
  type TableResult,
  type Tool,
} from '@database-mcp/mcp-kit';
import { readRows, suggestRelation } from '../catalog.ts';
import type { Database } from '../database.ts';
import { describeStatement } from '../describe-statement.ts';
import { compactPlan } from '../plan/compact-plan.ts';
import { findPlanFacts, flatten, type PlanContext } from '../plan/plan-facts.ts';
import { readPlan, type Plan } from '../plan/read-plan.ts';
import type { StatementGuard } from '../statement-guard.ts';
import { checkParameterCount } from './parameter-count.ts';

/** A plan for some thousands of partitions is a few MB long. */
const MAX_PLAN_BYTES = 8 * 1024 * 1024;

const CONTEXT_SQL = `
  SELECT c.relname::text, c.reltuples, pg_catalog.current_setting('work_mem'), pg_catalog.current_setting('block_size')
    FROM (SELECT) one
    LEFT JOIN pg_catalog.pg_class c ON c.relname = ANY ($1::text[]) AND c.relkind = 'r' AND pg_catalog.pg_table_is_visible(c.oid)`;

/** Shows how Postgres runs a statement. */
export function createExplainTool(database: Database, guard: StatementGuard, limits: ResultLimits): Tool {
  return defineTool({
    name: 'explain',
    description:
      'Show the plan of a read-only statement and what matters in it: slowest node, worst estimate, vain scans, spills.',
    input: z.strictObject({
      sql: z.string().describe('Without EXPLAIN'),
      params: z.array(z.unknown()).optional(),
      analyze: z.boolean().default(false).describe('Run it and measure'),
    }),
    annotations: READ_ONLY_ANNOTATIONS,
    describe: ({ sql }) => describeStatement(sql),
    async run({ sql, params = [], analyze }, { signal }) {
      if (/^(?:\s|--.*\n|\/\*[^]*?\*\/)*explain\b/i.test(sql)) throw alreadyExplained();
      const { parameters } = await guard.checkReading(sql, signal);
      checkParameterCount(parameters, params.length);
      try {
        const plan = await explain(database, { sql, params }, analyze, signal);
        return toResult(plan, await readContext(database, plan, signal), limits);
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

async function explain(
  database: Database,
  statement: { sql: string; params: readonly unknown[] },
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

async function readContext(database: Database, plan: Plan, signal: AbortSignal): Promise<PlanContext> {
  const scanned = flatten(plan.root).flatMap(({ type, relation }) => (type === 'Seq Scan' ? (relation ?? []) : []));
  const names = [...new Set(scanned)];
  const rows = await readRows(database, CONTEXT_SQL, [names], signal, names.length + 1);
  const [, , workMem, blockBytes] = rows[0] ?? [];
  return {
    tableRows: new Map(rows.map(([name, count]) => [String(name), Number(count)])),
    workMem: String(workMem),
    blockBytes: Number(blockBytes),
  };
}

function toResult(plan: Plan, context: PlanContext, limits: ResultLimits): TableResult {
  const { tree, shown, total } = compactPlan(plan, limits.maxCellBytes);
  const rows: Cell[][] = findPlanFacts(plan, context).map(({ fact, value, where }) => [fact, value, where ?? null]);
  rows.push(['plan', tree, null]);
  const notices: string[] = [];
  if (!plan.wasRun) notices.push('These are estimates; analyze: true runs the statement and measures.');
  if (shown < total) notices.push(`The plan has ${total} nodes; the ${shown} that matter most are shown.`);
  const columns = [
    { name: 'fact', type: 'text' },
    { name: 'value', type: 'json' },
    { name: 'where', type: 'text' },
  ];
  const result: TableResult = { columns, rows, rowCount: rows.length, truncated: false };
  return notices.length > 0 ? { ...result, notices } : result;
}
