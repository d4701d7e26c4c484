/** Completions have at most 100 values (S38); of an upstream that gives more, the client gets the first. Pure. */
import { findMember, findValue, listElements, splice } from '../json-spans.ts';
import { isObject } from '../protocol.ts';

const MAX_VALUES = 100;

/** The message with no more values than the protocol allows; every other byte stays, and text that is no JSON. */
export function capCompletion(message: Buffer): Buffer {
  if (!isJsonObject(message)) return message;
  const values = findValue(message, 'result', 'completion', 'values');
  if (!values || message[values.start] !== 0x5b) return message;
  const spans = listElements(message, values.start);
  const last = spans[MAX_VALUES - 1];
  if (!last || spans.length === MAX_VALUES) return message;
  const kept = `${message.toString('utf8', values.start, last.end)}]`;
  const completion = findValue(message, 'result', 'completion');
  const hasMore = completion && findMember(message, completion.start, 'hasMore');
  if (!hasMore) return splice(message, values, `${kept},"hasMore":true`);
  // The later span first, so that the earlier one keeps its place.
  if (hasMore.start > values.start) return splice(splice(message, hasMore, 'true'), values, kept);
  return splice(splice(message, values, kept), hasMore, 'true');
}

function isJsonObject(text: Buffer): boolean {
  try {
    return isObject(JSON.parse(text.toString('utf8')));
  } catch {
    return false;
  }
}
