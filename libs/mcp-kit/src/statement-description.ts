/** What telemetry and the audit log may say of a statement: never a value that stands in it. */
import { createHash } from 'node:crypto';

/** A statement without its values. */
export interface StatementDescription {
  /** `db.query.summary`: the operation and what it works on, such as `SELECT country`. */
  summary?: string;
  /** `db.query.text`: every literal is `?`, comments are gone. Absent when the statement could not be read. */
  text?: string;
}

/** OpenTelemetry's limit of `db.query.summary`, in characters. */
const MAX_SUMMARY_LENGTH = 255;
/** Longer texts are cut: a span attribute is for reading, and every exporter pays for its bytes. */
const MAX_TEXT_LENGTH = 8_192;

/** The operation and as many of its targets, each once, as fit; a name is never cut. */
export function toSummary(operation: string, targets: Iterable<string>): string {
  let summary = operation.slice(0, MAX_SUMMARY_LENGTH);
  for (const target of new Set(targets)) {
    if (summary.length + 1 + target.length > MAX_SUMMARY_LENGTH) break;
    summary += ` ${target}`;
  }
  return summary;
}

/** One token of a statement as it may be shown. */
export interface ShownToken {
  text: string;
  /** Whether white space or a comment stands before it. */
  isApart: boolean;
}

/** What stands in the place of a literal. */
export const PLACEHOLDER = '?';

/** Writes tokens as one line; a list of literals becomes one placeholder, so that its length makes no new statement. */
export function toStatementText(tokens: Iterable<ShownToken>): string {
  let text = '';
  for (const token of tokens) {
    text += token.isApart && text !== '' ? ` ${token.text}` : token.text;
    if (text.length > MAX_TEXT_LENGTH * 4) break;
  }
  const short = text.replace(/\?(?: ?, ?\?)+/g, PLACEHOLDER);
  return short.length > MAX_TEXT_LENGTH ? `${short.slice(0, MAX_TEXT_LENGTH)}…` : short;
}

/** 16 hexadecimal digits that are the same for statements that differ only in values, white space and comments. */
export function toFingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
