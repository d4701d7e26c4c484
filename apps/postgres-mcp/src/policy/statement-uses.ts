/**
 * The names of a parse tree behind which code can be: functions, operators, types (casts to them) and relations (views).
 * Names come as the parser read them, so quoting, escapes and comments hide nothing.
 */
import type { ParseNode } from '../sql-parser.ts';

/** The kinds of names. `attribute` is `t.x`, which calls the function x of a row when t has no such column. */
export type UseKind = 'function' | 'attribute' | 'operator' | 'type' | 'relation';

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
    const use = toUse(item as ParseNode);
    const key = use && JSON.stringify([use.kind, use.schema, use.name, use.argumentCount]);
    if (use && key !== undefined && !(uses.get(key) && uses.get(key)!.offset <= use.offset)) uses.set(key, use);
    for (const value of Object.values(item)) if (typeof value === 'object') open.push(value);
  }
  return [...uses.values()];
}

function toUse(node: ParseNode): Use | undefined {
  const offset = Number(node['location'] ?? 0);
  const named = (kind: UseKind, names: unknown, argumentCount = 0): Use | undefined => {
    const parts = toStrings(names);
    const name = parts.at(-1);
    return name === undefined ? undefined : { kind, schema: parts.at(-2), name, argumentCount, offset };
  };
  if (node['funcname'])
    return named('function', node['funcname'], (node['args'] as unknown[] | undefined)?.length ?? 0);
  if (Array.isArray(node['names']) && 'typemod' in node) return named('type', node['names']);
  if (typeof node['relname'] === 'string') {
    const schema = node['schemaname'] as string | undefined;
    return { kind: 'relation', schema, name: node['relname'], argumentCount: 0, offset };
  }
  if (Array.isArray(node['fields']) && node['fields'].length > 1) return attribute(named, node['fields']);
  if (Array.isArray(node['indirection'])) return attribute(named, node['indirection']);
  if (typeof node['kind'] === 'string' && node['kind'].startsWith('AEXPR_')) return named('operator', node['name']);
  return named('operator', node['operName'] ?? node['useOp']);
}

/** The last name only, without what stands before it: that is a row, not a schema. */
function attribute(named: (kind: UseKind, names: unknown) => Use | undefined, parts: unknown[]): Use | undefined {
  return named('attribute', parts.slice(-1));
}

/** The texts of a list of String nodes; of `*` and of subscripts there are none. */
function toStrings(names: unknown): string[] {
  if (!Array.isArray(names)) return [];
  return names.flatMap((part) => {
    const text = (part as { String?: { sval?: string } } | null)?.String?.sval;
    return text === undefined ? [] : [text];
  });
}
