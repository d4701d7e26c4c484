/** How a full-text index cuts texts into tokens and answers the three kinds of text match. */
import { ApiError } from './api-error.ts';
import { field, toInteger } from './json.ts';
import type { JsonObject } from './json.ts';

/** The kinds of text match in a filter. */
export type TextMatchKind = 'text' | 'text_any' | 'phrase';

interface TextOptions {
  readonly tokenizer: string;
  readonly isLowercase: boolean;
  readonly minLength: number;
  readonly maxLength: number;
  readonly hasPhrases: boolean;
}

/** Whether a stored text matches the text in a filter. */
export type TextMatcher = (kind: TextMatchKind, stored: string, wanted: string) => boolean;

const TOKENIZERS = ['word', 'whitespace', 'prefix', 'multilingual'];

function readOptions(schema: JsonObject): TextOptions {
  for (const key of ['stopwords', 'stemmer', 'ascii_folding']) {
    const value = field(schema, key) ?? null;
    if (value !== null && value !== false) throw ApiError.notDone(`\`${key}\` in a text index`);
  }
  const tokenizer = field(schema, 'tokenizer') ?? 'word';
  if (typeof tokenizer !== 'string' || !TOKENIZERS.includes(tokenizer)) {
    throw ApiError.format('data did not match any variant of untagged enum PayloadFieldSchema');
  }
  return {
    tokenizer,
    isLowercase: field(schema, 'lowercase') !== false,
    minLength: Number(toInteger(field(schema, 'min_token_len')) ?? 1n),
    maxLength: Number(toInteger(field(schema, 'max_token_len')) ?? BigInt(Number.MAX_SAFE_INTEGER)),
    hasPhrases: field(schema, 'phrase_matching') === true,
  };
}

function tokensOf(text: string, options: TextOptions): string[] {
  const separator = options.tokenizer === 'whitespace' ? /\s+/u : /[^\p{Alphabetic}\p{N}]+/u;
  return text
    .split(separator)
    .filter((token) => token.length >= options.minLength && token !== '')
    .filter((token) => options.tokenizer === 'prefix' || token.length <= options.maxLength)
    .map((token) => (options.isLowercase ? token.toLowerCase() : token));
}

/** Creates the matcher of a text index from its schema. */
export function createTextMatcher(schema: JsonObject): TextMatcher {
  const options = readOptions(schema);
  const isFound = (wanted: string, stored: readonly string[]): boolean =>
    options.tokenizer === 'prefix'
      ? stored.some((token) => token.startsWith(wanted.slice(0, options.maxLength)))
      : stored.includes(wanted);
  return (kind, stored, wanted) => {
    const have = tokensOf(stored, options);
    const want = tokensOf(wanted, options);
    if (want.length === 0) return false;
    if (kind === 'text_any') return want.some((token) => isFound(token, have));
    if (kind === 'text') return want.every((token) => isFound(token, have));
    return options.hasPhrases && have.some((_token, start) => want.every((token, i) => have[start + i] === token));
  };
}

/** Text match on a field without a text index: a case-sensitive substring test. */
export const matchSubstring: TextMatcher = (kind, stored, wanted) =>
  kind === 'text_any' ? wanted.split(/\s+/u).some((token) => stored.includes(token)) : stored.includes(wanted);
