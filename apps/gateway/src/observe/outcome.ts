/**
 * What became of a request, read from its answer in passing: nothing is held back, and only the beginning and the end of
 * a long answer are looked at.
 */
import { JSON_RPC_ERROR } from '@database-mcp/errors';
import { CANCELLED, isCallerMistake, TOOL_ERROR } from '@database-mcp/telemetry';
import { isObject } from '../protocol.ts';
import { findValue, firstKeyOf } from '../json-spans.ts';
import type { Outcome, ReplyHead } from '../upstream/upstream.ts';

const OK: Outcome = { kind: 'ok' };
const TOOL_FAILED: Outcome = { kind: 'tool-error' };
const CUT_OFF: Outcome = { kind: 'failure', failure: 'cut-off' };
const EMPTY = Buffer.alloc(0);
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
  #length = 0;
  /** All of it, while it may turn out to be short. A long answer's pieces are let go: held, they outlive their time. */
  #pieces: Buffer[] | undefined = [];
  /** What the beginning of a long answer tells; that of a stream tells nothing, its last event is the answer. */
  #beginning: Outcome | undefined;
  /** Of a long stream: how its last event begins, as far as one piece has it. */
  #eventHead: Buffer | undefined;
  /** The end of a long answer, so far. */
  #end: Buffer | undefined;
  /** All bytes of the answer so far. */
  bytes = 0;

  start(head: ReplyHead): void {
    this.#isStream = head.kind === 'events';
    if (head.kind === 'json') this.#length = head.length ?? 0;
  }

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    const pieces = this.#pieces;
    if (!pieces) return this.#follow(chunk);
    pieces.push(chunk);
    // The beginning must be there before the pieces are let go.
    const isLong = this.#length > WHOLE_BYTES ? this.bytes >= MARK_BYTES : this.bytes > WHOLE_BYTES;
    if (!isLong) return;
    this.#pieces = undefined;
    const start = join(pieces);
    if (!this.#isStream) this.#beginning = readBeginning(start);
    this.#follow(start);
  }

  /** The answer is complete. */
  finish(): Outcome {
    const pieces = this.#pieces;
    if (pieces) {
      const whole = join(pieces);
      const message = this.#isStream ? findLastEvent(whole) : whole;
      return message ? readMessage(message) : CUT_OFF;
    }
    const end = this.#end ?? EMPTY;
    const event = this.#isStream ? findLastEvent(end) : undefined;
    if (event) return readMessage(event);
    const beginning = this.#beginning ?? readBeginning(this.#eventHead ?? EMPTY);
    return beginning.kind === 'ok' && hasMark(end) ? TOOL_FAILED : beginning;
  }

  #follow(chunk: Buffer): void {
    const event = this.#isStream ? findLastEvent(chunk) : undefined;
    if (event) this.#eventHead = Buffer.from(event.subarray(0, MARK_BYTES));
    const end = chunk.subarray(-MARK_BYTES);
    const kept = this.#end;
    if (kept && end.length < MARK_BYTES) this.#end = Buffer.concat([kept, end]).subarray(-MARK_BYTES);
    else if (kept?.length === MARK_BYTES) end.copy(kept);
    else this.#end = Buffer.from(end);
  }
}

function join(pieces: Buffer[]): Buffer {
  const [first = EMPTY] = pieces;
  return pieces.length > 1 ? Buffer.concat(pieces) : first;
}

/** The outcome that a whole message tells. */
function readMessage(message: Buffer): Outcome {
  const key = firstKeyOf(message, ['result', 'error', 'method']);
  if (key === 'error') return readError(message);
  if (key !== 'result') return CUT_OFF;
  if (!message.includes(IS_ERROR_KEY)) return OK;
  const span = findValue(message, 'result', 'isError');
  return span && message.toString('latin1', span.start, span.end) === 'true' ? TOOL_FAILED : OK;
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

/** The outcome that the beginning of a long message tells. */
function readBeginning(start: Buffer): Outcome {
  const key = firstKeyOf(start, ['result', 'error', 'method']);
  if (key === 'error') return readError(start);
  return hasMark(start.subarray(0, MARK_BYTES)) ? TOOL_FAILED : OK;
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
