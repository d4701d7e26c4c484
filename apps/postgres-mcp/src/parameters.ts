/**
 * JSON values of `params` → the text that Postgres reads for `$1`, `$2` … A string, number or boolean is its own text
 * whatever the type; what an array or object becomes depends on the type of the parameter (`parameter-types.ts`).
 */
import { ToolError } from '@database-mcp/errors';

/** What an array or object becomes for a parameter of a type; `name` is the type as SQL writes it. */
export type ParameterType =
  | { kind: 'json' | 'text' | 'other'; name: string }
  | { kind: 'array'; name: string; element: ParameterType; delimiter: string };

type ArrayType = Extract<ParameterType, { kind: 'array' }>;

/** Postgres counts parameters in 16 bits. */
const MAX_PARAMETERS = 65_535;
/** The driver reads the count in the description of the parameters as a signed number. */
const MAX_DESCRIBED_PARAMETERS = 32_767;
/** MAXDIM of Postgres. */
const MAX_DIMENSIONS = 6;

/** Whether the text of the value depends on the type of its parameter. */
export function isComposite(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** The parameters as text (null is NULL); `types` are those of the composite ones by place, JSON text without. */
export function toParameterTexts(
  params: readonly unknown[],
  types: readonly (ParameterType | undefined)[] = [],
): (string | null)[] {
  return params.map((value, index) => {
    const place = `$${index + 1}`;
    const text = toParameterText(value, types[index], place);
    if (text?.includes('\0')) throw invalid(`${place} holds a NUL character, which Postgres cannot store.`);
    if (text?.isWellFormed() === false) throw invalid(`${place} is not valid Unicode (half of a pair).`);
    return text;
  });
}

/** Refuses more parameters than can be sent or described. */
export function checkParameters(params: readonly unknown[]): void {
  if (params.length > MAX_PARAMETERS) {
    throw invalid(`params has ${params.length} values; Postgres takes at most ${MAX_PARAMETERS}.`);
  }
  if (params.length > MAX_DESCRIBED_PARAMETERS && params.some(isComposite)) {
    throw invalid(
      `params has ${params.length} values, an array or object among them; then at most ${MAX_DESCRIBED_PARAMETERS} are allowed.`,
      'Pass the values as one array: = ANY($1).',
    );
  }
}

function toParameterText(value: unknown, type: ParameterType | undefined, place: string): string | null {
  if (value === null || value === undefined) return null;
  return isComposite(value) ? toCompositeText(value, type, place) : String(value);
}

function toCompositeText(value: object, type: ParameterType | undefined, place: string): string {
  if (type === undefined || type.kind === 'json' || type.kind === 'text') return toJsonText(value, place);
  if (type.kind === 'array' && Array.isArray(value)) return toArrayText(value, type, place, 1);
  throw invalid(`${place} has the type ${type.name} in sql, but is ${nameOf(value)}.`, howToWrite(value, type, place));
}

const nameOf = (value: object): string => (Array.isArray(value) ? 'a JSON array' : 'a JSON object');

function howToWrite(value: object, type: ParameterType, place: string): string {
  if (type.kind === 'array')
    return `Pass a JSON array of its elements; for a JSON document write ${place}::jsonb in sql.`;
  if (Array.isArray(value)) return `Pass one value, or compare with the whole array in sql: = ANY(${place}).`;
  return `Pass it as a string, as Postgres writes ${type.name}; for a JSON document write ${place}::jsonb in sql.`;
}

/** Postgres's array literal (documentation §8.15.6): every element in quotes, which no type minds. */
function toArrayText(items: readonly unknown[], type: ArrayType, place: string, dimension: number): string {
  if (dimension > MAX_DIMENSIONS) {
    throw invalid(`${place} is nested too deeply: arrays of Postgres have at most ${MAX_DIMENSIONS} dimensions.`);
  }
  // An array that is an element by itself (of jsonb[], or of a domain over an array) is no further dimension.
  const isElement = type.element.kind === 'json' || type.element.kind === 'array';
  const parts = items.map((item) => {
    if (Array.isArray(item) && !isElement) return toArrayText(item, type, place, dimension + 1);
    const text = toElementText(item, type, place);
    return text === null ? 'NULL' : `"${text.replace(/[\\"]/g, '\\$&')}"`;
  });
  return `{${parts.join(type.delimiter)}}`;
}

/** A string is text that the type reads, but as an element of an array of JSON documents it is a JSON string. */
function toElementText(item: unknown, array: ArrayType, place: string): string | null {
  const { element } = array;
  if (typeof item === 'string' && element.kind === 'json') return JSON.stringify(item);
  if (!isComposite(item) || element.kind !== 'other') return toParameterText(item, element, place);
  throw invalid(
    `${place} has the type ${array.name} in sql, but holds ${nameOf(item)}.`,
    `Pass its elements as strings, as Postgres writes ${element.name}; for JSON documents write ${place}::jsonb[] in sql.`,
  );
}

/** JSON in which a bigint is written as the integer that it is. */
function toJsonText(value: object, place: string): string {
  try {
    return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? rawJson(item.toString()) : item));
  } catch (error) {
    if (error instanceof RangeError) throw invalid(`${place} is nested too deeply.`, 'Pass its JSON text as a string.');
    throw error;
  }
}

/** Not in TypeScript's library yet (ES2026). */
const { rawJSON: rawJson } = JSON as typeof JSON & { rawJSON(text: string): unknown };

function invalid(message: string, hint?: string): ToolError {
  return new ToolError({ code: 'INVALID_ARGUMENT', message, hint });
}
