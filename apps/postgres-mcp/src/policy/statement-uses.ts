/**
 * The names of a parse tree behind which code can be: functions, operators, types (casts to them) and relations (views).
 * Names come as the parser read them, so quoting, escapes and comments hide nothing.
 */
import type { ParseNode } from '../sql-parser.ts';

/**
 * The kinds of names. `attribute` is `t.x`, which calls the function x of a row when t has no such column; the query of a
 * materialized view is run by REFRESH only.
 */
export type UseKind = 'function' | 'attribute' | 'operator' | 'type' | 'relation' | 'materialized view';

/** One name that a statement uses, at its first place. */
export interface Use {
  kind: UseKind;
  /** Absent when the search path decides. */
  schema: string | undefined;
  name: string;
  /** Of a function: how many arguments are written. */
  argumentCount: number;
  /** Bytes from 0. */
  offset: number;
}

/** Collects the names below a node, each once. Not by recursion: a tree may be deeper than the stack. */
export function collectUses(root: unknown): Use[] {
  const uses = new Map<string, Use>();
  const open: unknown[] = [root];
  while (open.length > 0) {
    const item = open.pop();
    if (typeof item !== 'object' || item === null) continue;
    for (const use of usesOf(item as ParseNode)) {
      const key = JSON.stringify([use.kind, use.schema, use.name, use.argumentCount]);
      const known = uses.get(key);
      if (!known || use.offset < known.offset) uses.set(key, use);
    }
    for (const value of Object.values(item)) if (typeof value === 'object') open.push(value);
  }
  return [...uses.values()];
}

/** What BETWEEN stands for, with and without NOT. */
const COMPARISONS = ['>=', '<=', '<', '>'];

function usesOf(node: ParseNode): Use[] {
  const offset = Number(node['location'] ?? 0);
  const use = (kind: UseKind, names: unknown, argumentCount = 0): Use[] => {
    const parts = toStrings(names);
    const name = parts.at(-1);
    return name === undefined ? [] : [{ kind, schema: parts.at(-2), name, argumentCount, offset }];
  };
  const operators = (...names: string[]): Use[] =>
    names.map((name) => ({ kind: 'operator', schema: undefined, name, argumentCount: 0, offset }));
  if (node['funcname']) return use('function', node['funcname'], (node['args'] as unknown[] | undefined)?.length ?? 0);
  if (Array.isArray(node['names'])) return use('type', node['names']);
  if (typeof node['relname'] === 'string') return [toRelation('relation', node)];
  const refreshed = (node['RefreshMatViewStmt'] as { relation?: ParseNode } | undefined)?.relation;
  if (refreshed) return [toRelation('materialized view', refreshed)];
  // The last name only, without what stands before it: that is a row, not a schema.
  if (Array.isArray(node['fields']) && node['fields'].length > 1) return use('attribute', node['fields'].slice(-1));
  if (Array.isArray(node['indirection'])) return use('attribute', node['indirection'].slice(-1));
  const { kind } = node;
  if (typeof kind === 'string' && kind.startsWith('AEXPR_')) {
    return kind.includes('BETWEEN') ? operators(...COMPARISONS) : use('operator', node['name']);
  }
  // IN (SELECT …), CASE x WHEN …, USING and NATURAL compare without an operator being written.
  if ('subLinkType' in node && !node['operName']) return operators('=');
  if ('defresult' in node && node['arg']) return operators('=');
  if ('jointype' in node && (node['usingClause'] || node['isNatural'])) return operators('=');
  return use('operator', node['operName'] ?? node['useOp']);
}

function toRelation(kind: UseKind, range: ParseNode): Use {
  const { relname, schemaname, location } = range as { relname: string; schemaname?: string; location?: number };
  return { kind, schema: schemaname, name: relname, argumentCount: 0, offset: Number(location ?? 0) };
}

/** The texts of a list of String nodes; of `*` and of subscripts there are none. */
function toStrings(names: unknown): string[] {
  if (!Array.isArray(names)) return [];
  return names.flatMap((part) => {
    const text = (part as { String?: { sval?: string } } | null)?.String?.sval;
    return text === undefined ? [] : [text];
  });
}
