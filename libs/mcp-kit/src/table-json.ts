/**
 * The JSON of a table, made once: the collector has the text of each row already, because it counts its bytes, and an
 * answer carries the whole table twice, as text and as structured content.
 */
import type { Cell, TableResult } from './table-result.ts';

type Rows = readonly (readonly Cell[])[];

const rowTexts = new WeakMap<Rows, readonly string[]>();
const tableTexts = new WeakMap<Rows, string>();

/** Remembers the JSON of every row; the rows are frozen, so that it stays right. */
export function rememberRowTexts(rows: Rows, texts: readonly string[]): void {
  rowTexts.set(Object.freeze(rows), texts);
}

/** What `JSON.stringify` gives for the table; {@link stringifyMessage} finds it again by the rows. */
export function stringifyTable(table: TableResult): string {
  const texts = rowTexts.get(table.rows);
  if (!texts) return JSON.stringify(table);
  const members: string[] = [];
  for (const [key, value] of Object.entries(table)) {
    if (value !== undefined) members.push(`"${key}":${key === 'rows' ? `[${texts.join()}]` : JSON.stringify(value)}`);
  }
  const text = `{${members.join()}}`;
  tableTexts.set(table.rows, text);
  return text;
}

/** What `JSON.stringify` gives for a message, up to the order of members; a table in it is not written a second time. */
export function stringifyMessage(message: object): string {
  const { result, ...envelope } = message as { result?: { structuredContent?: { rows?: unknown } } };
  const rows = result?.structuredContent?.rows;
  const text = Array.isArray(rows) ? tableTexts.get(rows as Cell[][]) : undefined;
  if (text === undefined) return JSON.stringify(message);
  const { structuredContent: _, ...rest } = result ?? {};
  const members = `${JSON.stringify(rest).slice(0, -1)},"structuredContent":${text}}`;
  return `${JSON.stringify(envelope).slice(0, -1)},"result":${members}}`;
}
