/** Which vector of a collection a search compares, and whether the given numbers fit it. Pure. */
import { closestName, type Failure } from '@database-mcp/errors';
import type { Collection, DenseVector } from './collection.ts';

/** The vector to compare, or why there is none. */
export type VectorChoice =
  { kind: 'chosen'; vector: DenseVector; isOnly: boolean } | { kind: 'refused'; failure: Failure };

/** Larger numbers are infinite in the 32 bits of a vector, and every score would be empty. */
const MAX_FLOAT32 = 3.4028234663852886e38;

/** Chooses the vector by name, else the default one, else the only one. */
export function chooseVector(name: string, collection: Collection, using: string | undefined): VectorChoice {
  const { dense, sparse } = collection;
  const wanted =
    using ?? (dense.some((vector) => vector.name === '') ? '' : dense.length === 1 ? dense[0]?.name : undefined);
  const vector = dense.find((candidate) => candidate.name === wanted);
  if (vector && !vector.isMulti) return { kind: 'chosen', vector, isOnly: using === undefined && vector.name !== '' };
  return { kind: 'refused', failure: { code: 'INVALID_ARGUMENT', ...explain() } };

  function explain(): { message: string; hint: string } {
    const collectionText = `the collection ${JSON.stringify(name)}`;
    const names = dense.filter(({ isMulti }) => !isMulti).map((candidate) => candidate.name);
    const list = names.map((candidate) => JSON.stringify(candidate)).join(', ');
    const hint = names.length > 0 ? `Pass \`using\`, one of: ${list}.` : 'It cannot be searched with query_vector.';
    if (vector)
      return {
        message: `The vector ${JSON.stringify(vector.name)} of ${collectionText} is a multivector, which cannot be searched here yet.`,
        hint,
      };
    if (wanted !== undefined && sparse.some((candidate) => candidate.name === wanted)) {
      return {
        message: `The vector ${JSON.stringify(wanted)} of ${collectionText} is sparse, which cannot be searched here yet.`,
        hint,
      };
    }
    if (wanted !== undefined) {
      const meant = closestName(wanted, names);
      const message = `There is no vector ${JSON.stringify(wanted)} in ${collectionText}.`;
      return { message, hint: meant === undefined ? hint : `Did you mean ${JSON.stringify(meant)}? ${hint}` };
    }
    if (dense.length > 0)
      return { message: `There are several vectors in ${collectionText}; say which one to search.`, hint };
    const what = sparse.length > 0 ? 'only sparse vectors, which cannot be searched here yet' : 'no vectors';
    return { message: `There are ${what} in ${collectionText}.`, hint };
  }
}

/** Says what is wrong with the numbers for the vector, or undefined. */
export function validateVector(name: string, vector: DenseVector, numbers: readonly number[]): Failure | undefined {
  const wrong = numbers.findIndex((number) => Math.abs(number) > MAX_FLOAT32);
  if (wrong !== -1) {
    return {
      code: 'INVALID_ARGUMENT',
      message: `query_vector[${wrong}] is ${numbers[wrong]}, which is beyond the range of a 32-bit float.`,
    };
  }
  if (numbers.length === vector.size) return undefined;
  const which = vector.name === '' ? '' : `vector ${JSON.stringify(vector.name)} of `;
  return {
    code: 'INVALID_ARGUMENT',
    message: `query_vector has ${numbers.length} numbers, but ${which}collection ${JSON.stringify(name)} has vectors of ${vector.size}.`,
    hint: 'Make the query vector with the same model or formula as the stored ones.',
  };
}
