/** Parsing JSON without losing digits of large integers. */

/** Fewer digits than this are always exact in a double (2^53 has 16). */
const LONG_NUMBER = /\d{16}/;

interface SourceContext {
  source?: string;
}

/**
 * `JSON.parse`, except that an integer beyond ±2^53 becomes a `bigint`. The slow path is taken only when
 * the text has a run of 16 digits somewhere. Throws SyntaxError like `JSON.parse`.
 */
export function parseExactJson(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  return JSON.parse(text, revive);
}

function revive(_key: string, value: unknown, context?: SourceContext): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? '';
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}
