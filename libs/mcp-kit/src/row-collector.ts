/** Collects rows up to a row cap, a byte cap and a cell cap, so that no answer and no memory use is unbounded. */
import { rememberRowTexts } from './table-json.ts';
import type { Cell, Column, TableResult } from './table-result.ts';

/** Caps of one answer. */
export interface ResultLimits {
  maxRows: number;
  /** Bytes of the rows as JSON. */
  maxBytes: number;
  /** Bytes of one string cell; the rest of it is cut and said. */
  maxCellBytes: number;
}

/** A long text with the size that is said when it is cut: of the value, which may have come only in part. */
export class LongText {
  /** The text, or the beginning of it. */
  readonly head: string;
  /** Size of the whole value in its own bytes (those of a byte string, not of its hexadecimal digits). */
  readonly bytes: number;
  /** Whether `head` is the whole text. */
  readonly isWhole: boolean;

  constructor(head: string, bytes: number, isWhole: boolean) {
    this.head = head;
    this.bytes = bytes;
    this.isWhole = isWhole;
  }
}

/** A cell before the cell cap. */
export type SourceCell = Cell | LongText;

/** Takes rows one at a time and says when to stop fetching. */
export interface RowCollector {
  /** False when the row did not fit: it was not taken, and the answer is truncated. The first row always fits. */
  push(row: SourceCell[]): boolean;
  /** No more rows come although there are more; `why` is a notice. */
  interrupt(why: string): void;
  /** The answer from what was taken. */
  finish(columns: Column[], extra?: { next?: string; notices?: string[] }): TableResult;
}

/** Creates a collector for one answer. */
export function createRowCollector(limits: ResultLimits): RowCollector {
  const rows: Cell[][] = [];
  const texts: string[] = [];
  let bytes = 0;
  let truncated = false;
  let cutCells = 0;
  let fullBy: 'rows' | 'bytes' | undefined;
  let interruption: string | undefined;
  const cut = (cell: SourceCell): Cell => {
    const short =
      cell instanceof LongText ? cutLongText(cell, limits.maxCellBytes) : cutCell(cell, limits.maxCellBytes);
    if (short !== (cell instanceof LongText ? cell.head : cell)) cutCells++;
    return short;
  };
  const isShort = (cell: SourceCell): cell is Cell =>
    typeof cell === 'string' ? isShortText(cell, limits.maxCellBytes) : cell === null || typeof cell !== 'object';
  return {
    push(row) {
      if (rows.length >= limits.maxRows) {
        truncated = true;
        fullBy = 'rows';
        return false;
      }
      const bounded = row.every(isShort) ? row : row.map(cut);
      const text = JSON.stringify(bounded);
      const size = Buffer.byteLength(text) + 1;
      if (rows.length > 0 && bytes + size > limits.maxBytes) {
        truncated = true;
        fullBy = 'bytes';
        return false;
      }
      rows.push(bounded);
      texts.push(text);
      bytes += size;
      return true;
    },
    interrupt(why) {
      truncated = true;
      interruption = why;
    },
    finish(columns, extra = {}) {
      const notices = [...(extra.notices ?? [])];
      if (interruption !== undefined) notices.push(interruption);
      if (fullBy === 'rows') notices.push(`These are ${rows.length} rows (row limit); there are more.`);
      if (fullBy === 'bytes') {
        notices.push(`These are ${rows.length} rows (${limits.maxBytes} bytes limit); there are more.`);
      }
      if (cutCells > 0)
        notices.push(`${cutCells} values longer than ${limits.maxCellBytes} bytes were cut; each says its full size.`);
      rememberRowTexts(rows, texts);
      const result: TableResult = { columns, rows, rowCount: rows.length, truncated };
      if (extra.next !== undefined) result.next = extra.next;
      if (notices.length > 0) result.notices = notices;
      return result;
    },
  };
}

/** Whether its length alone shows that it fits: a UTF-16 unit is at most three UTF-8 bytes. */
function isShortText(text: string, maxBytes: number): boolean {
  return text.length * 3 <= maxBytes;
}

/** A string longer than the cap keeps its beginning and says its size; other structures longer than it become such a string. */
function cutCell(cell: Cell, maxBytes: number): Cell {
  if (cell === null || typeof cell === 'number' || typeof cell === 'boolean') return cell;
  const text = typeof cell === 'string' ? cell : JSON.stringify(cell);
  if (isShortText(text, maxBytes)) return cell;
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return cell;
  return cutText(text, maxBytes, bytes);
}

function cutLongText({ head, bytes, isWhole }: LongText, maxBytes: number): string {
  return isWhole && Buffer.byteLength(head) <= maxBytes ? head : cutText(head, maxBytes, bytes);
}

/** The beginning of the text, to a whole character, and the size of the value. */
function cutText(text: string, maxBytes: number, bytes: number): string {
  const kept = Buffer.from(text.slice(0, maxBytes)).subarray(0, maxBytes).toString('utf8').replace(/�+$/, '');
  return `${kept}… [cut: ${bytes} bytes in all]`;
}
