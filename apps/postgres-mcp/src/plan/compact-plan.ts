/** The plan as JSON in few tokens; of a large one the nodes that matter. */
import type { Cell } from '@database-mcp/mcp-kit';
import { flatten, round, shorten } from './plan-facts.ts';
import type { Plan, PlanNode } from './read-plan.ts';

/** More nodes than this are more than a reader follows. */
const MAX_NODES = 40;
/** About a thousand tokens. */
const MAX_BYTES = 4_000;

/** The tree, and how many of its nodes are shown. */
export interface CompactPlan {
  tree: Cell;
  shown: number;
  total: number;
}

/** Keeps the nodes that cost the most, with the way to them, in at most `maxCellBytes`. */
export function compactPlan(plan: Plan, maxCellBytes: number): CompactPlan {
  const total = flatten(plan.root).length;
  const maxBytes = Math.min(MAX_BYTES, maxCellBytes);
  for (let limit = MAX_NODES; ; limit = Math.floor(limit / 2)) {
    const kept = choose(plan, Math.max(1, limit));
    const tree = toCell(plan.root, kept, plan.wasRun);
    if (limit <= 1 || Buffer.byteLength(JSON.stringify(tree)) <= maxBytes) return { tree, shown: kept.size, total };
  }
}

function choose({ root, wasRun }: Plan, limit: number): Set<PlanNode> {
  const parents = new Map<PlanNode, PlanNode>();
  const nodes = flatten(root);
  for (const node of nodes) for (const child of node.children) parents.set(child, node);
  const kept = new Set<PlanNode>([root]);
  const own = (node: PlanNode): number => (wasRun ? (node.ownMs ?? 0) : node.ownCost);
  for (const node of nodes.toSorted((a, b) => own(b) - own(a))) {
    const way: PlanNode[] = [];
    for (let each: PlanNode | undefined = node; each && !kept.has(each); each = parents.get(each)) way.push(each);
    if (kept.size + way.length <= limit) for (const each of way) kept.add(each);
  }
  return kept;
}

function toCell(node: PlanNode, kept: ReadonlySet<PlanNode>, wasRun: boolean): { [key: string]: Cell } {
  const { loops = 1, actualRows = 0, ms = 0, conditions, filter, removedRows = 0, children } = node;
  const cell: { [key: string]: Cell } = { node: node.label };
  if (wasRun) {
    Object.assign(cell, loops === 0 ? { loops } : { ms: round(ms), rows: round(actualRows) });
    if (loops > 1) cell['loops'] = loops;
    if (loops > 0 && actualRows !== node.estimatedRows) cell['estimate'] = round(node.estimatedRows);
  } else Object.assign(cell, { cost: round(node.cost), rows: round(node.estimatedRows) });
  if (conditions.length > 0) cell['condition'] = shorten(conditions.join(' AND '));
  if (filter !== undefined) cell['filter'] = shorten(filter);
  if (removedRows > 0) cell['removed'] = round(removedRows);
  const shown = children.filter((child) => kept.has(child));
  if (shown.length > 0) cell['plans'] = shown.map((child) => toCell(child, kept, wasRun));
  if (shown.length < children.length) cell['leftOut'] = children.length - shown.length;
  return cell;
}
