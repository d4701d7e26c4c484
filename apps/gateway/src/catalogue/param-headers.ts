/**
 * Which arguments of a tool are repeated in `Mcp-Param-*` headers: reads the `x-mcp-header` annotations of its
 * inputSchema once, when the tool is listed (MCP 2026-07-28 Streamable HTTP, S23). Checking calls is the edge's.
 */
import { isObject, type JsonObject } from '../protocol.ts';

/** One annotated argument. */
export interface ParamHeader {
  /** Property names from the arguments object down. */
  path: readonly string[];
  /** The header's name, in lower case. */
  header: string;
  type: 'string' | 'integer' | 'boolean';
}

/** The annotations of a tool, or why they are invalid. */
export type ParamHeaderScan = { kind: 'valid'; headers: readonly ParamHeader[] } | { kind: 'invalid'; problem: string };

const ANNOTATION = 'x-mcp-header';
const HEADER_PREFIX = 'mcp-param-';
/** A token of RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Schemas come from elsewhere; nothing sensible is nested deeper. */
const MAX_DEPTH = 64;

/** Keywords that hold a schema, or an array of schemas: no chain of `properties` passes through them. */
const SCHEMA_KEYWORDS = [
  'items',
  'prefixItems',
  'contains',
  'additionalProperties',
  'unevaluatedProperties',
  'unevaluatedItems',
  'propertyNames',
  'oneOf',
  'anyOf',
  'allOf',
  'not',
  'if',
  'then',
  'else',
];
/** Keywords that hold schemas by name. */
const SCHEMA_MAP_KEYWORDS = ['patternProperties', 'dependentSchemas', '$defs', 'definitions'];

/** Reads the annotations of an inputSchema. */
export function scanParamHeaders(inputSchema: JsonObject): ParamHeaderScan {
  const headers: ParamHeader[] = [];
  const problem = scan(inputSchema, [], true, headers);
  if (problem !== undefined) return { kind: 'invalid', problem };
  const seen = new Set<string>();
  for (const { header } of headers) {
    if (seen.has(header)) return { kind: 'invalid', problem: `two arguments share the header ${header}` };
    seen.add(header);
  }
  return { kind: 'valid', headers };
}

function scan(
  schema: unknown,
  path: readonly string[],
  isReachable: boolean,
  found: ParamHeader[],
): string | undefined {
  if (!isObject(schema)) return undefined;
  if (path.length > MAX_DEPTH) return `its inputSchema is nested deeper than ${MAX_DEPTH}`;
  if (Object.hasOwn(schema, ANNOTATION)) {
    const read = readAnnotation(schema, path, isReachable);
    if (typeof read === 'string') return read;
    found.push(read);
  }
  const { properties } = schema;
  if (isObject(properties)) {
    for (const [name, child] of Object.entries(properties)) {
      const problem = scan(child, [...path, name], isReachable, found);
      if (problem !== undefined) return problem;
    }
  }
  return scanUnreachable(schema, path, found);
}

function scanUnreachable(schema: JsonObject, path: readonly string[], found: ParamHeader[]): string | undefined {
  const branches: [string, unknown][] = [];
  for (const keyword of SCHEMA_KEYWORDS) {
    const value = schema[keyword];
    if (Array.isArray(value)) branches.push(...value.map((each): [string, unknown] => [keyword, each]));
    else branches.push([keyword, value]);
  }
  for (const keyword of SCHEMA_MAP_KEYWORDS) {
    const value = schema[keyword];
    if (isObject(value)) branches.push(...Object.values(value).map((each): [string, unknown] => [keyword, each]));
  }
  for (const [keyword, branch] of branches) {
    const problem = scan(branch, [...path, `<${keyword}>`], false, found);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function readAnnotation(schema: JsonObject, path: readonly string[], isReachable: boolean): ParamHeader | string {
  const where = `${ANNOTATION} at ${path.length === 0 ? 'the top' : path.join('.')}`;
  if (!isReachable || path.length === 0) return `${where} is not on an argument reached through properties alone`;
  const { [ANNOTATION]: name, type } = schema;
  if (typeof name !== 'string' || !TOKEN.test(name)) return `${where} is no header name`;
  if (type !== 'string' && type !== 'integer' && type !== 'boolean') {
    return `${where} is on an argument that is no string, integer or boolean`;
  }
  return { path, header: `${HEADER_PREFIX}${name.toLowerCase()}`, type };
}
