/**
 * What became of a request, read from its answer in passing: nothing is held back, and only the beginning and the end of
 * a long answer are looked at.
 */
import { JSON_RPC_ERROR } from '@database-mcp/errors';
import { CANCELLED, isCallerMistake, TOOL_ERROR } from '@database-mcp/telemetry';
import { isObject } from '../protocol.ts';
import { findValue, firstKeyOf } from '../json-spans.ts';
import type { CallFailure, ReplyHead } from '../upstream/upstream.ts';

/** What became of a request. */
export type Outcome =
  | { kind: 'ok' }
  /** A result with `isError: true`. */
  | { kind: 'tool-error' }
  | { kind: 'rpc-error'; code: number; message: string }
  | { kind: 'failure'; failure: CallFailure['kind'] }
  /** The client went away, or said that it has no more interest. */
  | { kind: 'cancelled' };

const OK: Outcome = { kind: 'ok' };
const CUT_OFF: Outcome = { kind: 'failure', failure: 'cut-off' };
/** An answer up to this size is looked at whole. */
const WHOLE_BYTES = 64 * 1024;
/** Of a longer one only the ends are, so far in from either: `isError` stands at an end of the result. */
const MARK_BYTES = 4 * 1024;
const IS_ERROR_KEY = Buffer.from('"isError"');
/** A quote inside of a JSON string has a backslash before it, so no text of a result looks like this. */
const IS_ERROR_MARK = /"isError"\s*:\s*true/;
const ERROR_CODE = /"code"\s*:\s*(-?\d{1,10})/;
const DATA = Buffer.from('data:');
const LF = 0x0a;
const CR = 0x0d;

/** The gateway's own answers longer than this are lists. */
const MAX_OWN_CHARS = 8 * 1024;

/** Reads what became of a request from an answer that the gateway itself gives. */
export function readOwnAnswer(json: string | Buffer): Outcome {
  if (json.length > MAX_OWN_CHARS) return OK;
  if (!json.includes('"error":') && !json.includes('"isError":true')) return OK;
  return readMessage(Buffer.from(json));
}

/** `error.type` as who sends the request sees it: every JSON-RPC error is one. Undefined: none. */
export function clientErrorType(outcome: Outcome): string | undefined {
  switch (outcome.kind) {
    case 'ok':
      return undefined;
    case 'tool-error':
      return TOOL_ERROR;
    case 'rpc-error':
      return String(outcome.code);
    case 'failure':
      return outcome.failure;
    case 'cancelled':
      return CANCELLED;
  }
}

/** `error.type` as who serves the request sees it: a mistake of the caller is none. */
export function serverErrorType(outcome: Outcome): string | undefined {
  return outcome.kind === 'rpc-error' && isCallerMistake(outcome.code) ? undefined : clientErrorType(outcome);
}

/** Follows one answer. */
export class OutcomeReader {
  #isStream = false;
  #first: Buffer | undefined;
  /** Of a stream: where its last event begins, as far as one piece has it. */
  #eventHead: Buffer | undefined;
  /** The last pieces after the first. */
  #tail: Buffer[] | undefined;
  #tailBytes = 0;
  #isTailCut = false;
  /** All bytes of the answer so far. */
  bytes = 0;

  start(head: ReplyHead): void {
    this.#isStream = head.kind === 'events';
  }

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    const event = this.#isStream ? findLastEvent(chunk) : undefined;
    if (event) this.#eventHead = event;
    if (this.#first === undefined) {
      this.#first = chunk;
      return;
    }
    const tail = (this.#tail ??= []);
    tail.push(chunk);
    this.#tailBytes += chunk.length;
    if (this.bytes <= WHOLE_BYTES) return;
    this.#isTailCut = true;
    while (this.#tailBytes - (tail[0]?.length ?? 0) >= MARK_BYTES) this.#tailBytes -= tail.shift()?.length ?? 0;
  }

  /** The answer is complete. */
  finish(): Outcome {
    const first = this.#first;
    if (first === undefined) return CUT_OFF;
    const tail = this.#tail ?? [];
    if (!this.#isTailCut) {
      const whole = tail.length > 0 ? Buffer.concat([first, ...tail]) : first;
      const message = this.#isStream ? findLastEvent(whole) : whole;
      return message ? readMessage(message) : CUT_OFF;
    }
    // A piece has up to 64 KiB, of which a copy would cost more than all the rest.
    const end = Buffer.concat(tail.map((piece) => piece.subarray(-MARK_BYTES))).subarray(-MARK_BYTES);
    const event = this.#isStream ? findLastEvent(end) : undefined;
    return event ? readMessage(event) : readParts(this.#eventHead ?? first, end);
  }
}

/** The outcome that a whole message tells. */
function readMessage(message: Buffer): Outcome {
  const key = firstKeyOf(message, ['result', 'error', 'method']);
  if (key === 'error') return readError(message);
  if (key !== 'result') return CUT_OFF;
  if (!message.includes(IS_ERROR_KEY)) return OK;
  const span = findValue(message, 'result', 'isError');
  return span && message.toString('latin1', span.start, span.end) === 'true' ? { kind: 'tool-error' } : OK;
}

function readError(message: Buffer): Outcome {
  const span = findValue(message, 'error');
  try {
    const error: unknown = span && JSON.parse(message.toString('utf8', span.start, span.end));
    if (isObject(error) && typeof error['code'] === 'number') {
      return { kind: 'rpc-error', code: error['code'], message: String(error['message'] ?? '') };
    }
  } catch {
    // It was cut off, or is no JSON; its receiver finds out.
  }
  const code = ERROR_CODE.exec(message.toString('latin1', 0, MARK_BYTES))?.[1];
  return { kind: 'rpc-error', code: Number(code ?? JSON_RPC_ERROR.INTERNAL_ERROR), message: '' };
}

/** The outcome that the two ends of a long message tell. */
function readParts(head: Buffer, tail: Buffer): Outcome {
  const key = firstKeyOf(head, ['result', 'error', 'method']);
  if (key === 'error') return readError(head);
  return hasMark(head.subarray(0, MARK_BYTES)) || hasMark(tail) ? { kind: 'tool-error' } : OK;
}

function hasMark(bytes: Buffer): boolean {
  return bytes.includes(IS_ERROR_KEY) && IS_ERROR_MARK.test(bytes.toString('latin1'));
}

/** The data of the last event in these bytes, up to their end. */
function findLastEvent(stream: Buffer): Buffer | undefined {
  for (let at = stream.lastIndexOf(DATA); at !== -1; at = at === 0 ? -1 : stream.lastIndexOf(DATA, at - 1)) {
    const before = stream[at - 1];
    if (at === 0 || before === LF || before === CR) return stream.subarray(at + DATA.length);
  }
  return undefined;
}
