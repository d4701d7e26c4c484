/**
 * How large values the constants of a statement alone make Postgres build: `repeat(repeat('x', 100000), 10000)` is 40
 * characters and 1 GB, and building it obeys neither the statement timeout nor work_mem. What depends on data is not
 * seen here; Postgres itself bounds every value to 1 GB, and the statement timeout bounds the number of them.
 */
import type { ParseNode } from '../sql-parser.ts';

/** A constant expression as the estimate sees it. */
interface Estimate {
  /** Of the value as text. */
  bytes: number;
  /** Its value when it is a number that is known. */
  number?: number;
}

/** Functions whose result can be much larger than what is written. */
const AMPLIFIERS = new Set(['repeat', 'lpad', 'rpad', 'array_fill']);
/** A column or parameter: repeating it is not counted as nothing. */
const UNKNOWN: Estimate = { bytes: 1 };
const NOTHING: Estimate = { bytes: 0 };
const ELEMENT_BYTES = 8;
/** Nobody nests so deeply inside of `repeat` who wants an answer. */
const MAX_DEPTH = 400;

/** The bytes of all values that constants build by repetition, added up. */
export function estimateConstantBytes(root: unknown): number {
  let bytes = 0;
  const open: unknown[] = [root];
  while (open.length > 0) {
    const item = open.pop();
    if (typeof item !== 'object' || item === null) continue;
    const call = (item as ParseNode)['FuncCall'] as ParseNode | undefined;
    if (call && AMPLIFIERS.has(nameOf(call['funcname']))) bytes += ofCall(call, 0).bytes;
    else open.push(...Object.values(item));
  }
  return bytes;
}

function estimate(node: unknown, depth: number): Estimate {
  if (depth > MAX_DEPTH) return { bytes: Infinity };
  if (typeof node !== 'object' || node === null) return NOTHING;
  const {
    A_Const: constant,
    FuncCall: call,
    A_Expr: expression,
    ColumnRef: column,
    ParamRef: param,
  } = node as ParseNode;
  if (constant) return ofConstant(constant as ParseNode);
  if (column || param) return UNKNOWN;
  if (call) return ofCall(call as ParseNode, depth);
  if (expression) return ofExpression(expression as ParseNode, depth);
  const parts = Object.values(node).map((part) => estimate(part, depth + 1));
  // A cast keeps the number.
  return { bytes: sum(parts), number: parts.find((part) => part.number !== undefined)?.number };
}

function ofConstant(node: ParseNode): Estimate {
  const { sval, ival, fval } = node as { sval?: { sval?: string }; ival?: { ival?: number }; fval?: { fval?: string } };
  const text = sval ? (sval.sval ?? '') : fval?.fval;
  if (text === undefined) return { bytes: ELEMENT_BYTES, number: ival ? (ival.ival ?? 0) : undefined };
  return { bytes: Buffer.byteLength(text), number: text.trim() === '' ? undefined : Number(text) };
}

function ofExpression(node: ParseNode, depth: number): Estimate {
  const left = estimate(node['lexpr'], depth + 1);
  const right = estimate(node['rexpr'], depth + 1);
  return { bytes: left.bytes + right.bytes, number: calculate(nameOf(node['name']), left.number, right.number) };
}

function calculate(operator: string, left: number | undefined, right: number | undefined): number | undefined {
  if (right === undefined) return undefined;
  if (left === undefined) return operator === '-' ? -right : right;
  if (operator === '*') return left * right;
  if (operator === '+') return left + right;
  if (operator === '-') return left - right;
  if (operator === '/') return left / right;
  return operator === '^' ? left ** right : undefined;
}

function ofCall(call: ParseNode, depth: number): Estimate {
  const written = (call['args'] as unknown[] | undefined) ?? [];
  const args = written.map((arg) => estimate(arg, depth + 1));
  const [first = NOTHING, second = NOTHING] = args;
  switch (nameOf(call['funcname'])) {
    case 'repeat':
      return { bytes: first.bytes * atLeastZero(second.number ?? 1) };
    case 'lpad':
    case 'rpad':
      return { bytes: atLeastZero(second.number ?? first.bytes) };
    case 'array_fill':
      return { bytes: Math.max(first.bytes, ELEMENT_BYTES) * productOf(written[1], depth) };
    case 'power':
    case 'pow':
      return { bytes: sum(args), number: calculate('^', first.number, second.number) };
    default:
      return { bytes: sum(args) };
  }
}

/** The lengths of `array_fill(value, ARRAY[1000, 1000])`. */
function productOf(lengths: unknown, depth: number): number {
  const array = (lengths as { A_ArrayExpr?: { elements?: unknown[] } } | undefined)?.A_ArrayExpr;
  const elements = (array?.elements ?? []).map((element) => estimate(element, depth + 1).number ?? 1);
  return elements.reduce((product, length) => product * atLeastZero(length), 1);
}

function nameOf(names: unknown): string {
  const last = (names as { String?: { sval?: string } }[] | undefined)?.at(-1);
  return last?.String?.sval ?? '';
}

/** `NaN` stands for a text that is no number. */
function atLeastZero(count: number): number {
  return Number.isNaN(count) ? 1 : Math.max(0, count);
}

function sum(parts: readonly Estimate[]): number {
  return parts.reduce((total, { bytes }) => total + bytes, 0);
}
