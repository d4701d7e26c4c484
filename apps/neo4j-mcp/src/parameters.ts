/** Parameters of a statement, from JSON to what the driver sends. */
import { ToolError } from '@database-mcp/errors';

/** A parameter value as the driver takes it: `bigint` arrives as INTEGER, `number` as FLOAT. */
export type ParameterValue = null | boolean | string | number | bigint | ParameterValue[] | Parameters;

/** Parameters by name. */
export interface Parameters {
  [name: string]: ParameterValue;
}

const MIN_INTEGER = -(2n ** 63n);
const MAX_INTEGER = 2n ** 63n - 1n;
/** Far above what a statement needs, far below what the driver's recursion bears. */
const MAX_DEPTH = 100;
/** Keys by which the driver knows its own classes: a map that has one would not be sent as a map. */
const DRIVER_MARKER = /^__is[A-Za-z]+__$/;

/** Converts the `params` argument: whole numbers become INTEGER, others FLOAT, at every depth. */
export function toParameters(params: Record<string, unknown> = {}): Parameters {
  return toMap(params, 'params', 0);
}

function toMap(map: object, path: string, depth: number): Parameters {
  const entries = Object.entries(map).map(([key, value]) => {
    const place = `${path}.${key}`;
    if (DRIVER_MARKER.test(key)) throw invalid(place, 'A key of this form has a meaning to the driver.');
    return [key, toValue(value, place, depth + 1)] as const;
  });
  return Object.fromEntries(entries);
}

function toValue(value: unknown, path: string, depth: number): ParameterValue {
  if (depth > MAX_DEPTH) throw invalid(path.slice(0, 40), `Parameters may be nested ${MAX_DEPTH} levels deep.`);
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value === 'bigint') {
    if (value >= MIN_INTEGER && value <= MAX_INTEGER) return value;
    throw invalid(path, `${value} does not fit in a Cypher INTEGER (64 bits).`, 'Pass it as a string or as 1e20.');
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map((item, index) => toValue(item, `${path}[${index}]`, depth + 1));
  if (typeof value === 'object') return toMap(value, path, depth);
  throw invalid(path, 'It is not a JSON value.');
}

function invalid(path: string, message: string, hint?: string): ToolError {
  return new ToolError({ code: 'INVALID_ARGUMENT', message, where: path, ...(hint ? { hint } : {}) });
}
