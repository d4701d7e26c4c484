/** The `Mcp-Param-*` headers of a call, which repeat the arguments that its tool annotates (S23, S24, G02). Pure. */
import type { ParamHeader } from '../catalogue/param-headers.ts';
import { isObject } from '../protocol.ts';
import { decodeHeaderValue, encodeHeaderValue } from './header-value.ts';

/** JSON's own form of numbers; `Number` alone would also take "", "0x10" and "Infinity". */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** What is wrong, or undefined. Headers that no annotation names are not judged. */
export function findParamHeaderProblem(
  annotated: readonly ParamHeader[],
  headers: Readonly<Record<string, string>>,
  args: unknown,
): string | undefined {
  for (const { path, header } of annotated) {
    const expected = toExpected(valueAt(args, path));
    const given = headers[header];
    const where = `the ${header} header`;
    if (expected === undefined) {
      if (given !== undefined) return `${where} is there, but the body has no argument ${path.join('.')} for it`;
      continue;
    }
    if (given === undefined) return `the body has the argument ${path.join('.')}, but ${where} is missing`;
    const decoded = decodeHeaderValue(given);
    if (decoded === undefined) return `${where} is not valid Base64 in its =?base64?…?= form`;
    if (!isSame(decoded, expected)) return `${where} does not repeat the argument ${path.join('.')} of the body`;
  }
  return undefined;
}

/** The headers of a call whose client sends none. */
export function toParamHeaders(annotated: readonly ParamHeader[], args: unknown): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { path, header } of annotated) {
    const value = toExpected(valueAt(args, path));
    if (value !== undefined) headers[header] = encodeHeaderValue(String(value));
  }
  return headers;
}

/** Undefined where the client must send no header: absent, null, or a value that a header cannot repeat. */
function toExpected(value: unknown): string | number | boolean | undefined {
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value !== 'number' || (Number.isInteger(value) && !Number.isSafeInteger(value))) return undefined;
  return value;
}

function isSame(decoded: string, expected: string | number | boolean): boolean {
  if (typeof expected !== 'number') return decoded === String(expected);
  return NUMBER.test(decoded) && Number(decoded) === expected;
}

function valueAt(args: unknown, path: readonly string[]): unknown {
  let value = args;
  for (const key of path) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}
