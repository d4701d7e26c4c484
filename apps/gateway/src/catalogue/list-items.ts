/** Cuts a list into its items, kept as source text, and leaves out those that no client could use. */
import { isObject, type JsonObject } from '../protocol.ts';
import { findMember, findValue, listElements, type Span } from '../json-spans.ts';
import type { KindSpec } from './kinds.ts';
import { scanParamHeaders, type ParamHeader } from './param-headers.ts';

/** One tool, prompt, resource or template as its upstream described it. */
export interface ListItem {
  /** What tells it apart: the name, the URI, or the URI template. */
  name: string;
  /** The object, byte for byte. */
  text: Buffer;
  /** Where in `text` the value of that name stands. */
  nameSpan: Span;
  /** Arguments of a tool that headers repeat; undefined when there are none. */
  headers?: readonly ParamHeader[];
}

/** The items that can be used, and what was wrong with the others. */
export interface ReadItems {
  items: ListItem[];
  problems: string[];
}

/** Reads the array at `path` in the text, whose parsed values are `values`. */
export function readItems(
  spec: KindSpec,
  values: readonly unknown[],
  text: Buffer,
  ...path: readonly string[]
): ReadItems {
  const items: ListItem[] = [];
  const problems: string[] = [];
  const array = findValue(text, ...path);
  for (const [index, span] of (array ? listElements(text, array.start) : []).entries()) {
    const read = readItem(spec, values[index], text, span);
    if (typeof read === 'string') problems.push(`${spec.kind} entry ${index + 1}: ${read}`);
    else items.push(read);
  }
  return { items, problems };
}

function readItem(spec: KindSpec, value: unknown, text: Buffer, span: Span): ListItem | string {
  if (!isObject(value)) return 'it is no object';
  const name = value[spec.key];
  if (typeof name !== 'string' || name === '') return `it has no ${spec.key}`;
  const nameSpan = findMember(text, span.start, spec.key);
  if (!nameSpan) return `its ${spec.key} was not found`;
  const label = JSON.stringify(name);
  const item: ListItem = {
    name,
    // A copy, so that the kept item does not hold the whole page in memory.
    text: Buffer.from(text.subarray(span.start, span.end)),
    nameSpan: { start: nameSpan.start - span.start, end: nameSpan.end - span.start },
  };
  if (spec.kind !== 'tools') return item;
  const problem = findToolProblem(value);
  if (problem !== undefined) return `${label} ${problem}`;
  const scanned = scanParamHeaders(isObject(value['inputSchema']) ? value['inputSchema'] : {});
  if (scanned.kind === 'invalid') return `${label}: ${scanned.problem}`;
  return scanned.headers.length === 0 ? item : { ...item, headers: scanned.headers };
}

/** Why clients could not use the tool, or undefined (MCP 2026-07-28 server/tools, S31). */
function findToolProblem({ description, inputSchema, outputSchema, annotations }: JsonObject): string | undefined {
  if (!isObject(inputSchema) || inputSchema['type'] !== 'object') return 'has no inputSchema of type object';
  if (description !== undefined && typeof description !== 'string') return 'has a description that is no text';
  if (outputSchema !== undefined && !isObject(outputSchema)) return 'has an outputSchema that is no object';
  if (annotations !== undefined && !isObject(annotations)) return 'has annotations that are no object';
  return undefined;
}
