/**
 * Hits as columns and rows. The top-level payload keys become columns: no row repeats them (measured on the sample
 * collection: a quarter fewer bytes for 100 hits, 19 % for 10), and a long text is cut without hurting the fields beside
 * it. A collection whose points have little in common keeps one payload column; a table would be mostly nulls. Pure.
 */
import type { Cell, Column } from '@database-mcp/mcp-kit';
import type { Hit } from './database.ts';
import { jsonTypeOf, toCell, type Json } from './values.ts';

/** Columns, and the rows that go with them. */
export interface HitTable {
  columns: Column[];
  rows: Cell[][];
}

/** More keys than this are no table any more. */
const MAX_KEY_COLUMNS = 64;
/** Below this share of filled cells the nulls cost more than the repeated keys. */
const MIN_FILLED = 0.5;

/** Lays out the hits. */
export function toHitTable(hits: readonly Hit[]): HitTable {
  const keys = [...new Set(hits.flatMap((hit) => Object.keys(hit.payload)))];
  const filled = hits.reduce((sum, hit) => sum + Object.keys(hit.payload).length, 0);
  const isTable = keys.length <= MAX_KEY_COLUMNS && filled >= keys.length * hits.length * MIN_FILLED;
  const fixed: Column[] = [
    { name: 'id', type: 'point id' },
    { name: 'score', type: 'float32' },
  ];
  if (!isTable) {
    return {
      columns: [...fixed, { name: 'payload', type: 'object' }],
      rows: hits.map((hit) => [toCell(hit.id), toCell(hit.score), toCell(hit.payload)]),
    };
  }
  return {
    columns: [...fixed, ...keys.map((key) => toColumn(key, hits))],
    rows: hits.map((hit) => [toCell(hit.id), toCell(hit.score), ...keys.map((key) => toCell(valueAt(hit, key)))]),
  };
}

function toColumn(key: string, hits: readonly Hit[]): Column {
  const types = new Set<string>();
  for (const hit of hits) {
    const value = valueAt(hit, key);
    if (value !== undefined && value !== null) types.add(typeOf(value));
  }
  // A column that shares the name of one of ours is told apart by its path.
  const name = key === 'id' || key === 'score' ? `payload.${key}` : key;
  return { name, type: [...types].toSorted().join(' | ') || 'null' };
}

/** Text that stands for an integer beyond 2^53 is told from real text by the type. */
function typeOf(value: Json): string {
  if (typeof value === 'bigint') return 'integer';
  return typeof value === 'number' ? 'number' : jsonTypeOf(value);
}

function valueAt(hit: Hit, key: string): Json | undefined {
  return Object.hasOwn(hit.payload, key) ? hit.payload[key] : undefined;
}
