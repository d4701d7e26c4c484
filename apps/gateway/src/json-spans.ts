/**
 * Finds where values stand in the source text of JSON, so that one of them can be replaced or copied byte for byte.
 * The text must have passed `JSON.parse` before: nothing is validated here.
 */

import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SPACE,
} from './json-bytes.ts';

/** A value's place in the text: from `start` up to, not including, `end`. */
export interface Span {
  start: number;
  end: number;
}

const MAX_ASCII = 0x7f;
/** Most keys and names are shorter; in so many bytes a loop beats the call into native code. */
const SHORT_BYTES = 48;

/** The span of the value at `path` (object keys only), or undefined. Of equal keys the last counts, as in `JSON.parse`. */
export function findValue(text: Buffer, ...path: readonly string[]): Span | undefined {
  let span: Span | undefined = valueAt(text, 0);
  for (const key of path) {
    if (!span || text[span.start] !== OPEN_BRACE) return undefined;
    span = findMember(text, span.start, key);
  }
  return span;
}

/** The value of `key` in the object that starts at `start`. */
export function findMember(text: Buffer, start: number, key: string): Span | undefined {
  let found: Span | undefined;
  forEachMember(text, start, (keyStart, keyEnd, value) => {
    if (isKey(text, keyStart, keyEnd, key)) found = value;
  });
  return found;
}

/** Visits the members of the object that starts at `start`: the span of each key, quotes included, and of its value. */
export function forEachMember(
  text: Buffer,
  start: number,
  visit: (keyStart: number, keyEnd: number, value: Span) => void,
): void {
  let at = skipSpace(text, start + 1);
  while (text[at] === QUOTE) {
    const keyEnd = stringEnd(text, at);
    const value = valueAt(text, skipSpace(text, keyEnd) + 1);
    visit(at, keyEnd, value);
    at = skipSpace(text, value.end);
    if (text[at] === COMMA) at = skipSpace(text, at + 1);
  }
}

/** A member of an object. */
export interface ObjectMember {
  key: string;
  /** Where the member begins: its key's quote. */
  start: number;
  value: Span;
}

/** The members of the object that starts at `start`, in their order. */
export function listMembers(text: Buffer, start: number): ObjectMember[] {
  const members: ObjectMember[] = [];
  forEachMember(text, start, (keyStart, keyEnd, value) => {
    members.push({ key: JSON.parse(text.toString('utf8', keyStart, keyEnd)), start: keyStart, value });
  });
  return members;
}

/** The spans of the elements of the array that starts at `start`. */
export function listElements(text: Buffer, start: number): Span[] {
  const spans: Span[] = [];
  let at = skipSpace(text, start + 1);
  while (at < text.length && text[at] !== CLOSE_BRACKET) {
    const value = valueAt(text, at);
    spans.push(value);
    at = skipSpace(text, value.end);
    if (text[at] === COMMA) at = skipSpace(text, at + 1);
  }
  return spans;
}

/** What may be in a text that is parsed at once. */
export interface ParseLimits {
  /** Arrays and objects. */
  containers: number;
  /** Members of objects, those apart that an object of common size has. */
  members: number;
}

/** An object with more members than this is a table of its own to the engine, which costs far more for each. */
const COMMON_MEMBERS = 1_000;

/** Whether parsing the text (which need not be valid) costs more than its length tells. */
export function isCostly(text: Buffer, limits: ParseLimits): boolean {
  const members: number[] = [];
  let containers = 0;
  let excess = 0;
  let at = 0;
  while (at < text.length) {
    const byte = text[at];
    if (byte === QUOTE) {
      at = stringEnd(text, at);
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++containers > limits.containers) return true;
      members.push(0);
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) members.pop();
    else if (byte === COLON) {
      const count = (members.pop() ?? 0) + 1;
      members.push(count);
      if (count > COMMON_MEMBERS && ++excess > limits.members) return true;
    }
    at++;
  }
  return false;
}

/** The text with the value at `span` replaced. */
export function splice(text: Buffer, span: Span, replacement: string): Buffer {
  return Buffer.concat([text.subarray(0, span.start), Buffer.from(replacement), text.subarray(span.end)]);
}

/**
 * Which of the keys stands first at the top of an object whose text may be cut off, or undefined.
 * Used to tell a response from a notification by the beginning of an event.
 */
export function firstKeyOf(text: Buffer, keys: readonly string[]): string | undefined {
  let at = skipSpace(text, 0);
  if (text[at] !== OPEN_BRACE) return undefined;
  at = skipSpace(text, at + 1);
  while (text[at] === QUOTE) {
    const keyEnd = stringEnd(text, at);
    const found = keys.find((key) => isKey(text, at, keyEnd, key));
    const colon = skipSpace(text, keyEnd);
    if (found !== undefined && text[colon] === COLON) return found;
    if (colon >= text.length) return undefined;
    at = skipSpace(text, valueAt(text, colon + 1).end);
    if (text[at] === COMMA) at = skipSpace(text, at + 1);
  }
  return undefined;
}

/** Whether the string from `start` to `end`, quotes included, is this key. */
export function isKey(text: Buffer, start: number, end: number, key: string): boolean {
  const bytes = end - start - 2;
  // A key takes at least a byte for each of its characters, and more only with escapes or beyond ASCII.
  if (bytes < key.length) return false;
  // Most keys differ in their first character, which says so unless it is escaped or beyond ASCII.
  const first = text[start + 1] ?? 0;
  if (key !== '' && first !== BACKSLASH && first <= MAX_ASCII && first !== key.charCodeAt(0)) return false;
  let isPlain = true;
  let isSame = bytes === key.length;
  for (let at = 0; at < bytes && (isSame || isPlain); at++) {
    const byte = text[start + 1 + at] ?? 0;
    if (byte === BACKSLASH || byte > MAX_ASCII) isPlain = false;
    if (isSame && byte !== key.charCodeAt(at)) isSame = false;
  }
  return isSame || (!isPlain && JSON.parse(text.toString('utf8', start, end)) === key);
}

function valueAt(text: Buffer, from: number): Span {
  const start = skipSpace(text, from);
  const first = text[start];
  if (first === QUOTE) return { start, end: stringEnd(text, start) };
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return { start, end: containerEnd(text, start) };
  let end = start;
  while (end < text.length && !endsPrimitive(text[end] ?? 0)) end++;
  return { start, end };
}

/** Whether the byte ends a number, `true`, `false` or `null`. */
export function endsPrimitive(byte: number): boolean {
  return byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte <= SPACE;
}

/** Just after the closing quote of the string that opens at `start`. */
function stringEnd(text: Buffer, start: number): number {
  for (let near = start + 1; near <= start + SHORT_BYTES; near++) {
    if (text[near] === QUOTE) return near + 1;
    if (text[near] === BACKSLASH) break;
  }
  let at = text.indexOf(QUOTE, start + 1);
  while (at !== -1) {
    let backslashes = 0;
    while (text[at - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return at + 1;
    at = text.indexOf(QUOTE, at + 1);
  }
  return text.length;
}

function containerEnd(text: Buffer, start: number): number {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const byte = text[at];
    if (byte === QUOTE) {
      at = stringEnd(text, at);
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return at + 1;
    at++;
  }
  return text.length;
}

/** The place of the first byte that is no white space. */
export function skipSpace(text: Buffer, from: number): number {
  let at = from;
  while (at < text.length && (text[at] ?? 0) <= SPACE) at++;
  return at;
}
