/**
 * Characters that no reader sees: zero-width and joining ones, changes of the writing direction, tags. In a literal or a
 * comment they are data; in a name or a keyword they make two different words look the same.
 */
import type { SqlToken } from '../sql-parser.ts';

const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/u;

/** Whether there is any, so that the text need not be cut into tokens otherwise. */
export function holdsInvisible(sql: string): boolean {
  return INVISIBLE.test(sql);
}

/** How string, bit and dollar-quoted constants and the two kinds of comments begin. */
const LITERAL = /^(?:[benx]?'|u&'|\$(?!\d)|--|\/\*)/i;

/** The first one outside of literals and comments: its code point as `U+200B`, and where it is in bytes from 0. */
export function findInvisible(sql: string, tokens: readonly SqlToken[]): { name: string; offset: number } | undefined {
  const bytes = Buffer.from(sql);
  for (const { start, end } of tokens) {
    const text = bytes.subarray(start, end).toString();
    const match = LITERAL.test(text) ? null : INVISIBLE.exec(text);
    if (!match) continue;
    const code = (match[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return { name: `U+${code}`, offset: start + Buffer.byteLength(text.slice(0, match.index)) };
  }
  return undefined;
}
