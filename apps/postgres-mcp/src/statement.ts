/** What the tools hand to the database, and how an answer comes back; each module here may know it. */
import type { Column, SourceCell } from '@database-mcp/mcp-kit';

/** One statement with its parameters as JSON values. */
export interface Statement {
  sql: string;
  params?: readonly unknown[];
  /** Ours, put before the client's sql, in whose positions it does not count: `EXPLAIN `. */
  prefix?: string;
  /** Ours, run before it in the same transaction. The session ends afterwards, and with it what this has left behind. */
  before?: readonly string[];
  /** Rows to leave out at the beginning, without sending them; only for what a cursor can be declared for. */
  skip?: number;
}

/** Takes the rows of an answer. */
export interface RowSink {
  /** No more rows than this are fetched. */
  maxRows: number;
  /** Of a longer value at least this much of the beginning arrives; default 1 MiB. */
  maxValueBytes?: number;
  /** False when no further row is wanted. */
  push(row: SourceCell[]): boolean;
  /** Told when no more rows come although there are more. */
  interrupt?(why: string): void;
}

/** What is known of an answer besides its rows. */
export interface Answer {
  columns: Column[];
  /** What the database said along the way (RAISE NOTICE). */
  notices: string[];
}
