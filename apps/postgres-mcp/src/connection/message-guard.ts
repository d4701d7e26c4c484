/**
 * Stands between the socket and the driver's parser, which holds every message in memory as a whole: a row with a long
 * value reaches it with the beginning of that value only, however long the value is. The frame of the protocol
 * (documentation §55.7) is all that is known here; what a cut value becomes is decided in `cells.ts`.
 */
import { isUtf8 } from 'node:buffer';
import { messageTooLarge } from '../sql-errors.ts';

/** Values of our own queries are kept up to this size. */
export const DEFAULT_MAX_VALUE_BYTES = 1024 * 1024;
/** Messages up to this size pass as they are. */
const LONG_MESSAGE_BYTES = 256 * 1024;
/** What is kept of a row altogether, and the most that any other message may have. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
/** What is kept of each part of an error or notice. */
const MAX_ERROR_FIELD_BYTES = 8 * 1024;

/** Kind (1 byte) and length (4 bytes, which count themselves). */
const HEADER_BYTES = 5;
const DATA_ROW = 0x44;
const ERROR_RESPONSE = 0x45;
const NOTICE_RESPONSE = 0x4e;
const NULL_LENGTH = 0xffff_ffff;

/** Reads the body of one long message piece by piece. */
interface Shortener {
  take(piece: Buffer): void;
  /** The parts of the shorter body. */
  readonly body: readonly Buffer[];
  /** The full sizes of values that were cut, by place. */
  readonly cuts?: ReadonlyMap<number, number>;
}

/** Looks at every byte that the database sends on one connection. */
export class MessageGuard {
  /** Of one value of a row no more than this is kept, when the row is long. */
  maxValueBytes = DEFAULT_MAX_VALUE_BYTES;
  /** Whether bytes that are not UTF-8 are written as `\xNN` (the database has the encoding SQL_ASCII). */
  escapes = false;
  /** The full sizes of the values that were cut in the row that is being passed on, by place. */
  cuts: ReadonlyMap<number, number> | undefined;
  /** How many bytes came. */
  receivedBytes = 0;
  /** How many values held bytes that were escaped. */
  escapedValues = 0;
  readonly #pass: (chunk: Buffer) => void;
  /** The beginning of a header that the next chunk completes. */
  #held: Buffer | undefined;
  /** Bytes of the current message that pass as they are. */
  #passing = 0;
  #long: { kind: number; left: number; shortener: Shortener } | undefined;

  /** `pass` must have read a message when it returns. */
  constructor(pass: (chunk: Buffer) => void) {
    this.#pass = pass;
  }

  /** Takes a chunk from the socket and passes messages on. Throws a ToolError when one cannot be kept small. */
  push(received: Buffer): void {
    this.receivedBytes += received.length;
    const chunk = this.#held ? Buffer.concat([this.#held, received]) : received;
    this.#held = undefined;
    let from = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#long) {
        from = at = this.#shorten(this.#long, chunk, at);
      } else if (this.#passing > 0) {
        const end = Math.min(chunk.length, at + this.#passing);
        this.#passing -= end - at;
        at = end;
      } else if (chunk.length - at < HEADER_BYTES) {
        this.#held = Buffer.from(chunk.subarray(at));
        break;
      } else {
        const kind = chunk[at] ?? 0;
        const bytes = chunk.readUInt32BE(at + 1) + 1;
        const shortener = this.#shortenerOf(kind, bytes);
        if (!shortener) {
          this.#passing = bytes;
          continue;
        }
        if (at > from) this.#pass(chunk.subarray(from, at));
        this.#long = { kind, left: bytes - HEADER_BYTES, shortener };
        from = at += HEADER_BYTES;
      }
    }
    if (at > from) this.#pass(from === 0 && at === chunk.length ? chunk : chunk.subarray(from, at));
  }

  #shortenerOf(kind: number, bytes: number): Shortener | undefined {
    if (kind === DATA_ROW && (this.escapes || bytes > LONG_MESSAGE_BYTES)) {
      return createRowShortener(this.maxValueBytes, this.escapes ? (value) => this.#escape(value) : undefined);
    }
    if (bytes <= LONG_MESSAGE_BYTES) return undefined;
    if (kind === ERROR_RESPONSE || kind === NOTICE_RESPONSE) return createErrorShortener();
    if (bytes > MAX_MESSAGE_BYTES) throw messageTooLarge(MAX_MESSAGE_BYTES);
    return undefined;
  }

  /** Takes what `chunk` has of the long message from `at` on; gives where it ends. */
  #shorten(long: { kind: number; left: number; shortener: Shortener }, chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + long.left);
    long.shortener.take(chunk.subarray(at, end));
    long.left -= end - at;
    if (long.left > 0) return end;
    this.#long = undefined;
    const body = Buffer.concat(long.shortener.body);
    const message = Buffer.allocUnsafe(HEADER_BYTES + body.length);
    message[0] = long.kind;
    message.writeUInt32BE(body.length + HEADER_BYTES - 1, 1);
    body.copy(message, HEADER_BYTES);
    this.cuts = long.shortener.cuts;
    this.#pass(message);
    this.cuts = undefined;
    return end;
  }

  #escape(value: Buffer): Buffer {
    if (isUtf8(value)) return value;
    this.escapedValues++;
    return escapeBytes(value);
  }
}

/** A row: the number of values in 2 bytes, then for each its length in 4 bytes (-1 is NULL) and its bytes. */
function createRowShortener(maxValueBytes: number, escape: ((value: Buffer) => Buffer) | undefined): Shortener {
  let budget = MAX_MESSAGE_BYTES;
  const cuts = new Map<number, number>();
  const body: Buffer[] = [];
  let number = { bytesLeft: 2, value: 0 };
  let hasCount = false;
  let place = 0;
  let value: { left: number; keep: number; parts: Buffer[] } | undefined;

  function addLength(length: number): void {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32BE(length);
    body.push(bytes);
  }

  function begin(length: number): void {
    if (length === NULL_LENGTH) {
      addLength(NULL_LENGTH);
      place++;
      return;
    }
    const keep = Math.min(length, maxValueBytes, budget);
    budget -= keep;
    if (keep < length) cuts.set(place, length);
    value = { left: length, keep, parts: [] };
    if (length === 0) end();
  }

  function end(): void {
    const kept = Buffer.concat(value?.parts ?? []);
    // The end of a cut value may be a part of a character, which is no wrong byte.
    const whole = escape ? escape(cuts.has(place) ? kept.subarray(0, lastBoundary(kept)) : kept) : kept;
    addLength(whole.length);
    body.push(whole);
    value = undefined;
    place++;
  }

  function endNumber(): void {
    if (hasCount) begin(number.value);
    else {
      const count = Buffer.allocUnsafe(2);
      count.writeUInt16BE(number.value);
      body.push(count);
      hasCount = true;
    }
    number = { bytesLeft: 4, value: 0 };
  }

  return {
    body,
    cuts,
    take(piece) {
      for (let at = 0; at < piece.length;) {
        if (value) {
          const until = Math.min(piece.length, at + value.left);
          const keepUntil = Math.min(until, at + value.keep);
          // A copy: the socket's buffer is large, and a part of it would keep all of it.
          if (keepUntil > at) value.parts.push(Buffer.from(piece.subarray(at, keepUntil)));
          value.keep -= keepUntil - at;
          value.left -= until - at;
          at = until;
          if (value.left === 0) end();
        } else {
          number.value = number.value * 256 + (piece[at] ?? 0);
          number.bytesLeft--;
          at++;
          if (number.bytesLeft === 0) endNumber();
        }
      }
    },
  };
}

/** An error or notice: parts of a letter and a text that ends in 0, and a 0 at the end. */
function createErrorShortener(): Shortener {
  const body: Buffer[] = [];
  let isInside = false;
  let keep = 0;
  return {
    body,
    take(piece) {
      for (let at = 0; at < piece.length;) {
        if (!isInside) {
          body.push(Buffer.from(piece.subarray(at, at + 1)));
          isInside = piece[at] !== 0;
          keep = MAX_ERROR_FIELD_BYTES;
          at++;
          continue;
        }
        const zero = piece.indexOf(0, at);
        const until = zero === -1 ? piece.length : zero;
        const keepUntil = Math.min(until, at + keep);
        body.push(Buffer.from(piece.subarray(at, keepUntil)));
        keep -= keepUntil - at;
        at = until;
        if (zero === -1) continue;
        if (keep === 0) body.push(Buffer.from('…'));
        body.push(Buffer.from([0]));
        isInside = false;
        at++;
      }
    },
  };
}

/** Writes each byte that is no part of a UTF-8 character as `\xNN`. */
function escapeBytes(value: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < value.length;) {
    const length = characterLength(value, at);
    if (length > 0) parts.push(value.subarray(at, at + length));
    else parts.push(Buffer.from(`\\x${(value[at] ?? 0).toString(16).padStart(2, '0')}`));
    at += Math.max(1, length);
  }
  return Buffer.concat(parts);
}

/** Where the last whole character of a text that was cut ends. */
function lastBoundary(value: Buffer): number {
  for (let at = value.length - 1; at >= Math.max(0, value.length - 3); at--) {
    const byte = value[at] ?? 0;
    // A byte that begins a character of several bytes.
    if (byte >= 0xc0) return characterLength(value, at) > 0 ? value.length : at;
    if (byte < 0x80) return value.length;
  }
  return value.length;
}

/** The bytes of the character that begins there; 0 when none does. */
function characterLength(value: Buffer, at: number): number {
  const first = value[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const bytes = value.subarray(at, at + length);
  return bytes.length === length && isUtf8(bytes) ? length : 0;
}
