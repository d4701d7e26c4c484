/**
 * EXPLAIN (FORMAT JSON) → a tree of nodes with what each costs by itself. Pure; what the figures mean for the reader is
 * `plan-facts.ts`'s business, how the tree is shown `compact-plan.ts`'s.
 */

/** A node as Postgres writes it: `Node Type`, `Plan Rows`, … */
export type RawNode = { [key: string]: unknown };

/** One node of the plan. Figures of an execution are undefined when it was not run. */
export interface PlanNode {
  /** `Index Scan using country_pkey on country c`. */
  label: string;
  type: string;
  relation?: string;
  /** Planner units for this node without its children; below a LIMIT only the share that it is expected to fetch. */
  ownCost: number;
  cost: number;
  /** For each of its loops, as Postgres counts. */
  estimatedRows: number;
  actualRows?: number;
  loops?: number;
  /** Wall time of all loops, with the children and without. */
  ms?: number;
  ownMs?: number;
  filter?: string;
  /** The conditions besides the filter, as they are written. */
  conditions: string[];
  /** Rows that the filter dropped, in all loops. */
  removedRows?: number;
  /** Blocks that this node alone wrote to temporary files. */
  spilledBlocks: number;
  /** What is above may end it before its last row, so fewer rows than estimated are no mistake. */
  mayEndEarly: boolean;
  children: PlanNode[];
}

/** What an execution or the planning came to. */
export interface Plan {
  root: PlanNode;
  wasRun: boolean;
  planningMs?: number;
  executionMs?: number;
  jitMs?: number;
  hitBlocks?: number;
  readBlocks?: number;
}

interface Surroundings {
  /** Part of its cost that is expected to be spent. */
  share: number;
  /** Times that it is expected to be run. */
  runs: number;
  /** Processes that run it side by side. */
  processes: number;
  mayEndEarly: boolean;
  /** Wall time of each CTE, which its first reader pays. */
  cteMs: Map<string, number>;
}

const CONDITIONS = [
  'Index Cond',
  'Recheck Cond',
  'Hash Cond',
  'Merge Cond',
  'Join Filter',
  'TID Cond',
  'One-Time Filter',
];
/** These read all that is below before they give a row. */
const BLOCKING = new Set(['Sort', 'Hash', 'Aggregate', 'Materialize', 'WindowAgg', 'SetOp']);

/** Reads what one EXPLAIN answered. Throws on what is no plan. */
export function readPlan(json: unknown): Plan {
  const top = (Array.isArray(json) ? json[0] : undefined) as RawNode | undefined;
  const raw = top?.['Plan'] as RawNode | undefined;
  if (!top || !raw) throw new Error('EXPLAIN answered without a plan');
  const jit = (top['JIT'] as RawNode | undefined)?.['Timing'] as RawNode | undefined;
  return {
    root: readNode(raw, { share: 1, runs: 1, processes: 1, mayEndEarly: false, cteMs: findCtes(raw) }),
    wasRun: raw['Actual Loops'] !== undefined,
    planningMs: optional(top['Planning Time']),
    executionMs: optional(top['Execution Time']),
    jitMs: optional(jit?.['Total']),
    hitBlocks: optional(raw['Shared Hit Blocks']),
    readBlocks: optional(raw['Shared Read Blocks']),
  };
}

const optional = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
const amount = (value: unknown): number => optional(value) ?? 0;
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const childrenOf = (raw: RawNode): RawNode[] => (Array.isArray(raw['Plans']) ? (raw['Plans'] as RawNode[]) : []);
const isCte = (raw: RawNode): boolean => text(raw['Subplan Name'])?.startsWith('CTE ') === true;

function findCtes(root: RawNode): Map<string, number> {
  const found = new Map<string, number>();
  const open = [root];
  for (let raw = open.pop(); raw !== undefined; raw = open.pop()) {
    if (isCte(raw)) found.set(String(raw['Subplan Name']).slice('CTE '.length), toMs(raw, 1) ?? 0);
    open.push(...childrenOf(raw));
  }
  return found;
}

function toMs(raw: RawNode, processes: number): number | undefined {
  const perLoop = optional(raw['Actual Total Time']);
  return perLoop === undefined ? undefined : (perLoop * amount(raw['Actual Loops'])) / processes;
}

function readNode(raw: RawNode, around: Surroundings): PlanNode {
  const type = text(raw['Node Type']) ?? 'node';
  const ms = toMs(raw, around.processes);
  const cost = amount(raw['Total Cost']) * around.share * around.runs;
  const rawChildren = childrenOf(raw);
  const children = rawChildren.map((child) => readNode(child, inside(raw, child, around)));
  // A CTE is paid for by its readers, not by the node that it is written at.
  const paid = children.filter((_, index) => !isCte(rawChildren[index] ?? {}));
  let ownMs = ms === undefined ? undefined : ms - sum(paid, (child) => child.ms ?? 0);
  const cte = text(raw['CTE Name']);
  if (ownMs !== undefined && cte !== undefined) {
    ownMs -= around.cteMs.get(cte) ?? 0;
    around.cteMs.delete(cte);
  }
  const removed = optional(raw['Rows Removed by Filter']);
  const loops = optional(raw['Actual Loops']);
  return {
    label: toLabel(raw, type),
    type,
    relation: text(raw['Relation Name']),
    cost,
    ownCost: Math.max(0, cost - sum(paid, (child) => child.cost)),
    estimatedRows: amount(raw['Plan Rows']),
    actualRows: optional(raw['Actual Rows']),
    loops,
    ms,
    ownMs: ownMs === undefined ? undefined : Math.max(0, ownMs),
    filter: text(raw['Filter']),
    conditions: CONDITIONS.flatMap((name) => text(raw[name]) ?? []),
    removedRows: removed === undefined ? undefined : removed * (loops ?? 1),
    spilledBlocks: Math.max(
      0,
      amount(raw['Temp Written Blocks']) - sum(rawChildren, (child) => amount(child['Temp Written Blocks'])),
    ),
    mayEndEarly: around.mayEndEarly,
    children,
  };
}

/** What surrounds `child` inside of `parent`. */
function inside(parent: RawNode, child: RawNode, around: Surroundings): Surroundings {
  const type = text(parent['Node Type']) ?? '';
  const isGather = type.startsWith('Gather');
  const isLimit = type === 'Limit';
  const relationship = text(child['Parent Relationship']);
  const isInner = type === 'Nested Loop' && relationship === 'Inner';
  const limited = isLimit ? Math.min(1, amount(parent['Total Cost']) / Math.max(amount(child['Total Cost']), 1e-9)) : 1;
  const outer = isInner ? Math.max(1, amount(childrenOf(parent)[0]?.['Plan Rows'])) : 1;
  const workers = amount(parent['Workers Launched'] ?? parent['Workers Planned']);
  return {
    share: around.share * limited,
    runs: around.runs * outer,
    processes: isGather ? workers + 1 : around.processes,
    mayEndEarly: !BLOCKING.has(type) && (around.mayEndEarly || isLimit || endsEarly(parent, relationship)),
    cteMs: around.cteMs,
  };
}

/** A merge stops with its shorter side, the inner side of some joins at its first match, EXISTS at its first row. */
function endsEarly(parent: RawNode, relationship: string | undefined): boolean {
  if (relationship === 'SubPlan' || relationship === 'InitPlan' || parent['Node Type'] === 'Merge Join') return true;
  const stopsAtMatch = parent['Inner Unique'] === true || /Semi|Anti/.test(text(parent['Join Type']) ?? '');
  return relationship === 'Inner' && stopsAtMatch;
}

function toLabel(raw: RawNode, type: string): string {
  const name = text(raw['Relation Name']) ?? text(raw['CTE Name']) ?? text(raw['Function Name']);
  const alias = text(raw['Alias']);
  const index = text(raw['Index Name']);
  const partial = text(raw['Partial Mode']);
  const words = [
    partial === 'Partial' || partial === 'Finalize' ? partial : undefined,
    raw['Parallel Aware'] === true ? 'Parallel' : undefined,
    toTypeName(raw, type),
    index === undefined ? undefined : `using ${index}`,
    name === undefined ? undefined : `on ${name}`,
    alias === name ? undefined : alias,
    text(raw['Subplan Name']) && `(${text(raw['Subplan Name'])})`,
  ];
  return words.filter(Boolean).join(' ');
}

function toTypeName(raw: RawNode, type: string): string {
  const strategies: Record<string, string> = {
    Hashed: 'HashAggregate',
    Sorted: 'GroupAggregate',
    Mixed: 'MixedAggregate',
  };
  if (type === 'Aggregate') return strategies[text(raw['Strategy']) ?? ''] ?? type;
  const join = text(raw['Join Type']);
  if (join === undefined || join === 'Inner') return type;
  return type === 'Nested Loop' ? `${type} ${join} Join` : type.replace(' Join', ` ${join} Join`);
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
