/** Where in a statement something is, in the words of the person who wrote it. */

/** A statement of one line up to this length needs no quoting. */
const MAX_UNQUOTED_CHARACTERS = 120;
/** How much of a line is quoted on each side of the place. */
const QUOTED_CHARACTERS = 40;

/**
 * Turns Postgres's character position (from 1) into `line 2, column 8`, with the line itself unless it is a short one
 * and the only one; undefined when the position lies outside the text.
 */
export function describePosition(sql: string, position: number | undefined): string | undefined {
  if (position === undefined || !Number.isInteger(position) || position < 1) return undefined;
  // Postgres counts characters, JavaScript counts UTF-16 units.
  const characters = [...sql];
  const before = characters.slice(0, position - 1);
  if (before.length < position - 1) return undefined;
  const line = before.filter((character) => character === '\n').length + 1;
  const start = before.lastIndexOf('\n') + 1;
  const column = before.length - start + 1;
  const place = `line ${line}, column ${column}`;
  if (characters.length <= MAX_UNQUOTED_CHARACTERS && !sql.trimEnd().includes('\n')) return place;
  const end = characters.indexOf('\n', start);
  const text = characters.slice(start, end === -1 ? characters.length : end);
  const from = Math.max(0, column - 1 - QUOTED_CHARACTERS);
  const to = Math.min(text.length, column - 1 + QUOTED_CHARACTERS);
  const quoted = text.slice(from, to).join('').trim();
  return `${place}: ${from > 0 ? '…' : ''}${quoted}${to < text.length ? '…' : ''}`;
}

/** The same for an offset in bytes from 0, as the parser gives it of nodes. */
export function describeOffset(sql: string, offset: number): string | undefined {
  return describePosition(sql, [...Buffer.from(sql).subarray(0, offset).toString()].length + 1);
}
