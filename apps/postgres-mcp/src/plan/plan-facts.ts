/** The few facts of a plan that matter: where the time goes, what was misjudged, what is read in vain, what spills. */
import type { Plan, PlanNode } from './read-plan.ts';

/** A fact, its figure in words, and the node that it is about. */
export interface PlanFact {
  fact: string;
  value: string;
  where?: string;
}

/** What the catalog knows besides. */
export interface PlanContext {
  /** Estimated rows of the tables that are read from end to end. */
  tableRows: ReadonlyMap<string, number>;
  workMem: string;
  blockBytes: number;
}

/** A misjudgement below this factor changes few plans. */
const MIN_MISESTIMATE = 10;
/** Fewer rows than this are read faster than they are thought about. */
const MIN_ROWS = 1_000;
/** A sequential scan that keeps more than this share of what it reads is often the best way. */
const MAX_KEPT_SHARE = 0.1;
const MIN_JIT_SHARE = 0.25;
const MAX_FACTS_OF_A_KIND = 3;

/** Tells the facts, the most important first. */
export function findPlanFacts(plan: Plan, context: PlanContext): PlanFact[] {
  const nodes = flatten(plan.root);
  return [
    ...totals(plan),
    ...mostExpensive(plan, nodes),
    ...worstEstimate(nodes),
    ...vainScans(nodes, context),
    ...spills(nodes, context),
    ...jit(plan),
  ];
}

/** All nodes, parents first. */
export function flatten(root: PlanNode): PlanNode[] {
  return [root, ...root.children.flatMap(flatten)];
}

function totals({ root, wasRun, planningMs, executionMs, hitBlocks = 0, readBlocks = 0 }: Plan): PlanFact[] {
  if (!wasRun)
    return [{ fact: 'total', value: `cost ${round(root.cost)}, ${round(root.estimatedRows)} rows expected` }];
  const blocks = hitBlocks + readBlocks > 0 ? `; ${hitBlocks} blocks from the cache, ${readBlocks} from disk` : '';
  return [
    {
      fact: 'total',
      value: `${round(executionMs ?? 0)} ms, planning ${round(planningMs ?? 0)} ms; ${round(root.actualRows ?? 0)} rows${blocks}`,
    },
  ];
}

function mostExpensive({ root, wasRun }: Plan, nodes: PlanNode[]): PlanFact[] {
  const own = (node: PlanNode): number => (wasRun ? (node.ownMs ?? 0) : node.ownCost);
  const [first] = nodes.toSorted((a, b) => own(b) - own(a));
  const whole = wasRun ? (root.ms ?? 0) : root.cost;
  if (!first || nodes.length === 1 || whole === 0) return [];
  const share = Math.min(100, Math.round((100 * own(first)) / whole));
  const loops = (first.loops ?? 1) > 1 ? `, ${first.loops} loops` : '';
  return wasRun
    ? [{ fact: 'slowest node', value: `${round(own(first))} ms by itself (${share} %)${loops}`, where: first.label }]
    : [{ fact: 'costliest node', value: `cost ${round(own(first))} by itself (${share} %)`, where: first.label }];
}

/** How many times too high or too low the estimate was; 1 when it cannot be said. */
function misestimate({ type, estimatedRows, actualRows, loops = 0, mayEndEarly }: PlanNode): number {
  if (actualRows === undefined || loops === 0) return 1;
  // Bitmap operations report no rows of their own.
  if (type === 'BitmapAnd' || type === 'BitmapOr') return 1;
  if (mayEndEarly && actualRows < estimatedRows) return 1;
  if (Math.max(estimatedRows, actualRows) * loops < MIN_ROWS) return 1;
  const [low, high] = [Math.max(1, Math.min(estimatedRows, actualRows)), Math.max(estimatedRows, actualRows)];
  return high / low;
}

/** A mistake goes on from child to parent, so the node where it begins is told. */
function worstEstimate(nodes: PlanNode[]): PlanFact[] {
  const factors = new Map(nodes.map((node) => [node, misestimate(node)]));
  const isBad = (node: PlanNode): boolean => (factors.get(node) ?? 1) >= MIN_MISESTIMATE;
  const origins = nodes.filter((node) => isBad(node) && !node.children.some(isBad));
  const [worst] = origins.toSorted((a, b) => (factors.get(b) ?? 1) - (factors.get(a) ?? 1));
  if (!worst) return [];
  const { estimatedRows, actualRows = 0 } = worst;
  const direction = estimatedRows > actualRows ? 'high' : 'low';
  const value = `${round(estimatedRows)} rows estimated, ${round(actualRows)} came: ${round(misestimate(worst))} times too ${direction}`;
  return [{ fact: 'worst row estimate', value, where: worst.label }];
}

/** A sequential scan that drops most of what it reads, and how much that is. */
export interface VainScan {
  node: PlanNode;
  kept: number;
  read: number;
  wasRun: boolean;
}

/** The vain scans, the largest first. */
export function findVainScans(nodes: PlanNode[], { tableRows }: PlanContext): VainScan[] {
  const found = nodes.flatMap((node) => {
    if (node.type !== 'Seq Scan' || node.filter === undefined) return [];
    const wasRun = node.actualRows !== undefined;
    const kept = wasRun ? (node.actualRows ?? 0) * (node.loops ?? 1) : node.estimatedRows;
    const read = wasRun ? kept + (node.removedRows ?? 0) : (tableRows.get(node.relation ?? '') ?? 0);
    return read >= MIN_ROWS && kept / read <= MAX_KEPT_SHARE ? [{ node, kept, read, wasRun }] : [];
  });
  return found.toSorted((a, b) => b.read - a.read).slice(0, MAX_FACTS_OF_A_KIND);
}

function vainScans(nodes: PlanNode[], context: PlanContext): PlanFact[] {
  return findVainScans(nodes, context).map(({ node, kept, read, wasRun }) => ({
    fact: 'sequential scan',
    value: `reads ${wasRun ? '' : 'about '}${round(read)} rows and keeps ${round(kept)}: ${shorten(node.filter ?? '')}`,
    where: node.label,
  }));
}

function spills(nodes: PlanNode[], { blockBytes, workMem }: PlanContext): PlanFact[] {
  return nodes
    .filter((node) => node.spilledBlocks > 0)
    .toSorted((a, b) => b.spilledBlocks - a.spilledBlocks)
    .slice(0, MAX_FACTS_OF_A_KIND)
    .map((node) => ({
      fact: 'spill to disk',
      value: `${round((node.spilledBlocks * blockBytes) / 1024)} kB written to temporary files; work_mem is ${workMem}`,
      where: node.label,
    }));
}

function jit({ jitMs = 0, executionMs = 0 }: Plan): PlanFact[] {
  if (jitMs === 0 || jitMs < executionMs * MIN_JIT_SHARE) return [];
  return [{ fact: 'just-in-time compilation', value: `${round(jitMs)} ms of the execution; SET jit = off avoids it` }];
}

const MAX_CONDITION_CHARACTERS = 200;

/** A list of a thousand values in a condition says no more than its beginning. */
export function shorten(condition: string): string {
  return condition.length > MAX_CONDITION_CHARACTERS ? `${condition.slice(0, MAX_CONDITION_CHARACTERS)}…` : condition;
}

/** Three digits say enough of a figure that is measured. */
export function round(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
