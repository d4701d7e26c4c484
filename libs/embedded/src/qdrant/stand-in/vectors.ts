/** Vectors: the forms in which a request gives them, how they are stored, and the four distances. */
import { ApiError } from './api-error.ts';
import { field, isObject, toDouble } from './json.ts';
import type { Json, JsonObject } from './json.ts';

/** The distances by which vectors are compared. */
export type Distance = 'Cosine' | 'Dot' | 'Euclid' | 'Manhattan';

/** The names of all distances. */
export const DISTANCES: readonly string[] = ['Cosine', 'Dot', 'Euclid', 'Manhattan'] satisfies Distance[];

/** What a collection says about one of its vectors. */
export interface VectorParams {
  readonly size: number;
  readonly distance: Distance;
}

/** A vector as a request gives it; only dense ones can be stored here. */
export type RawVector =
  { readonly kind: 'dense'; readonly values: readonly number[] } | { readonly kind: 'sparse' | 'multi' | 'inference' };

// A squared length this near to one is taken as normalised already, as the real server does.
const NORMALISED_TOLERANCE = 1e-6;

/** Whether small scores are the good ones. */
export function isAscending(distance: Distance): boolean {
  return distance === 'Euclid' || distance === 'Manhattan';
}

function toNumbers(value: Json): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const numbers: number[] = [];
  for (const item of value) {
    const number = toDouble(item);
    if (number === undefined) return undefined;
    numbers.push(number);
  }
  return numbers;
}

function isInference(value: JsonObject): boolean {
  return (
    typeof field(value, 'model') === 'string' && ['text', 'image', 'object'].some((key) => Object.hasOwn(value, key))
  );
}

/** The vector that a value stands for, or undefined when it is none. */
export function toRawVector(value: Json): RawVector | undefined {
  const values = toNumbers(value);
  if (values !== undefined) return { kind: 'dense', values };
  if (Array.isArray(value)) return value.every((row) => toNumbers(row) !== undefined) ? { kind: 'multi' } : undefined;
  if (!isObject(value)) return undefined;
  if (isInference(value)) return { kind: 'inference' };
  return Object.hasOwn(value, 'indices') && Object.hasOwn(value, 'values') ? { kind: 'sparse' } : undefined;
}

/** Reads the `vector` of a point: one unnamed vector (name '') or several by name. */
export function readVectorStruct(value: Json): Map<string, RawVector> {
  const unnamed = toRawVector(value);
  if (unnamed !== undefined) return new Map([['', unnamed]]);
  const vectors = new Map<string, RawVector>();
  for (const [name, item] of isObject(value) ? Object.entries(value) : [['', null] as const]) {
    const vector = toRawVector(item);
    if (vector === undefined) throw ApiError.format('data did not match any variant of untagged enum VectorStruct');
    vectors.set(name, vector);
  }
  return vectors;
}

/** The numbers of a dense vector, or the refusal of any other. */
export function toDense(vector: RawVector): readonly number[] {
  if (vector.kind === 'dense') return vector.values;
  if (vector.kind === 'inference') {
    const problem = 'InferenceService URL not configured - please provide valid address in config';
    throw new ApiError(500, `Service internal error: ${problem}`);
  }
  throw ApiError.wrongInput(`Conversion between ${vector.kind} and regular vectors failed`);
}

/** The vector in the form in which it is stored and compared: 32-bit floats, of length one for Cosine. */
export function toStored(values: readonly number[], distance: Distance): Float32Array {
  const stored = Float32Array.from(values);
  if (distance !== 'Cosine') return stored;
  const squared = stored.reduce((sum, value) => sum + value * value, 0);
  if (squared < Number.EPSILON || Math.abs(squared - 1) <= NORMALISED_TOLERANCE) return stored;
  const length = Math.sqrt(squared);
  return stored.map((value) => value / length);
}

/** The score of two stored vectors. */
export function scoreOf(a: Float32Array, b: Float32Array, distance: Distance): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0];
    if (distance === 'Euclid') sum += (x - y) * (x - y);
    else if (distance === 'Manhattan') sum += Math.abs(x - y);
    else sum += x * y;
  }
  return Math.fround(distance === 'Euclid' ? Math.sqrt(sum) : sum);
}
