/** Collects rows up to a row cap, a byte cap and a cell cap, so that no answer and no memory use is unbounded. */
import type { Cell, Column, TableResult } from './table-result.ts';

/** Caps of one answer. */
export interface ResultLimits {
  maxRows: number;
  /** Bytes of the rows as JSON. */
  maxBytes: number;
  /** Bytes of one string cell; the rest of it is cut and said. */
  maxCellBytes: number;
}

/** Takes rows one at a time and says when to stop fetching. */
export interface RowCollector {
  /** False when the row did not fit: it was not taken, and the answer is truncated. The first row always fits. */
  push(row: Cell[]): boolean;
  /** The answer from what was taken. */
  finish(columns: Column[], extra?: { next?: string; notices?: string[] }): TableResult;
}

/** Creates a collector for one answer. */
export function createRowCollector(limits: ResultLimits): RowCollector {
  const rows: Cell[][] = [];
  let bytes = 0;
  let truncated = false;
  let cutCells = 0;
  let fullBy: 'rows' | 'bytes' | undefined;
  const cut = (cell: Cell): Cell => {
    const short = cutCell(cell, limits.maxCellBytes);
    if (short !== cell) cutCells++;
    return short;
  };
  return {
    push(row) {
      if (rows.length >= limits.maxRows) {
        truncated = true;
        fullBy = 'rows';
        return false;
      }
      const bounded = row.map(cut);
      const size = Buffer.byteLength(JSON.stringify(bounded)) + 1;
      if (rows.length > 0 && bytes + size > limits.maxBytes) {
        truncated = true;
        fullBy = 'bytes';
        return false;
      }
      rows.push(bounded);
      bytes += size;
      return true;
    },
    finish(columns, extra = {}) {
      const notices = [...(extra.notices ?? [])];
      if (fullBy === 'rows') notices.push(`Only the first ${rows.length} rows are shown (row limit); there are more.`);
      if (fullBy === 'bytes') {
        notices.push(`Only the first ${rows.length} rows are shown (${limits.maxBytes} bytes limit); there are more.`);
      }
      if (cutCells > 0)
        notices.push(`${cutCells} values longer than ${limits.maxCellBytes} bytes were cut; each says its full size.`);
      const result: TableResult = { columns, rows, rowCount: rows.length, truncated };
      if (extra.next !== undefined) result.next = extra.next;
      if (notices.length > 0) result.notices = notices;
      return result;
    },
  };
}

/** A string longer than the cap keeps its beginning and says its size; other structures longer than it become such a string. */
function cutCell(cell: Cell, maxBytes: number): Cell {
  if (cell === null || typeof cell === 'number' || typeof cell === 'boolean') return cell;
  const text = typeof cell === 'string' ? cell : JSON.stringify(cell);
  // A UTF-16 unit is at most three UTF-8 bytes, so short text needs no counting.
  if (text.length * 3 <= maxBytes) return cell;
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return cell;
  const kept = Buffer.from(text.slice(0, maxBytes)).subarray(0, maxBytes).toString('utf8').replace(/�+$/, '');
  return `${kept}… [cut: ${bytes} bytes in all]`;
}
