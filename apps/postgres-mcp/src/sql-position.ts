/** Turns Postgres's character position (from 1) into `line 2, column 8`; undefined when it lies outside the text. */
export function describePosition(sql: string, position: number | undefined): string | undefined {
  if (position === undefined || !Number.isInteger(position) || position < 1) return undefined;
  // Postgres counts characters, JavaScript counts UTF-16 units.
  const before = [...sql].slice(0, position - 1);
  if (before.length < position - 1) return undefined;
  const line = before.filter((character) => character === '\n').length + 1;
  const column = before.length - before.lastIndexOf('\n');
  return `line ${line}, column ${column}`;
}

/** The same for an offset in bytes from 0, as the parser gives it of nodes. */
export function describeOffset(sql: string, offset: number): string | undefined {
  return describePosition(sql, [...Buffer.from(sql).subarray(0, offset).toString()].length + 1);
}
