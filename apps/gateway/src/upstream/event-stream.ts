/** `text/event-stream` as far as MCP uses it: events of one or more `data:` lines that hold one JSON message. */
import { firstKeyOf } from '../json-spans.ts';

/** One event of a stream. */
export interface StreamEvent {
  data: Buffer;
  /** It answers the request, rather than notify of something. */
  isResponse: boolean;
}

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const NEWLINE = Buffer.of(LF);
/** An id that can be sent back in a header; the length is ours. */
const EVENT_ID = /^[\x20-\x7e]{1,1024}$/;
const RETRY = /^\d{1,6}$/;
/** The key that tells a response from a notification stands in the first bytes, whatever the order of keys. */
const HEAD_BYTES = 512;

/** The event of a stream that holds the message. Line breaks stand only between tokens, where a space does as well. */
export function toEvent(message: Buffer | string): Buffer {
  const bytes = typeof message === 'string' ? Buffer.from(message) : message;
  const line = bytes.includes(LF) || bytes.includes(CR) ? unbroken(bytes) : bytes;
  return Buffer.concat([Buffer.from('event: message\ndata: '), line, Buffer.from('\n\n')]);
}

/** The message on one line. */
export function unbroken(message: Buffer): Buffer {
  return Buffer.from(message.toString('utf8').replace(/[\r\n]/g, ' '));
}

/** Whether a message is a response, judged by its beginning. */
function isResponse(head: Buffer): boolean {
  const key = firstKeyOf(head, ['method', 'result', 'error']);
  return key === 'result' || key === 'error';
}

/** The events of a stream; one that is cut off at the end is none. */
export function readEvents(stream: Buffer): StreamEvent[] {
  const events: StreamEvent[] = [];
  const reader = new EventReader((data) => events.push({ data, isResponse: isResponse(data) }));
  reader.push(stream);
  return events;
}

/** Takes one message in pieces. */
export interface MessageSink {
  /** False: no more until the sender of the pieces is told to go on. */
  push(piece: Buffer): boolean;
  end(): void;
}

/** A message of this size may be passed on before it is whole; most are far smaller and are easier to handle whole. */
export const LARGE_MESSAGE_BYTES = 256 * 1024;

/**
 * Gives the sink for a message that is large, by what is there of it, or undefined if it is to be held until it is whole.
 */
export type TakeLarge = (head: Buffer) => MessageSink | undefined;

/** Cuts a stream that comes in pieces into the data of its events; comments and names of events are dropped. */
export class EventReader {
  /** The id of the last event that was whole: after it, a stream that broke off can go on. */
  lastEventId: string | undefined;
  /** How long the server asks to wait before that, in milliseconds. */
  retryMs: number | undefined;
  #eventId: string | undefined;
  readonly #onData: (data: Buffer) => void;
  readonly #takeLarge: TakeLarge | undefined;
  /** The line that is not whole yet, and the data of the event before it. */
  #rest: Buffer[] = [];
  #restBytes = 0;
  #lines: Buffer[] = [];
  #lineBytes = 0;
  #sink: MessageSink | undefined;
  #wasOffered = false;
  /** The line that comes is data of the message that goes to the sink. */
  #isPouring = false;
  #isTaken = true;

  constructor(onData: (data: Buffer) => void, takeLarge?: TakeLarge) {
    this.#onData = onData;
    this.#takeLarge = takeLarge;
  }

  /** Bytes of the event that is not whole yet. */
  get heldBytes(): number {
    return this.#restBytes + this.#lineBytes;
  }

  /** A large message goes to its sink, and is not whole yet. */
  get isPouring(): boolean {
    return this.#sink !== undefined;
  }

  /** False: the sink of a large message can take no more for now. */
  push(chunk: Buffer): boolean {
    this.#isTaken = true;
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      this.#endLine(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
    return this.#isTaken;
  }

  #hold(piece: Buffer): void {
    if (this.#isPouring) return this.#give(piece);
    this.#rest.push(piece);
    this.#restBytes += piece.length;
    if (this.heldBytes >= LARGE_MESSAGE_BYTES && (this.#sink || !this.#wasOffered)) this.#pour();
  }

  /** What is held of a large message goes to the sink, and what follows too. */
  #pour(): void {
    const data = valueOf('data', Buffer.concat(this.#rest));
    if (!data) return;
    const held = joinLines([...this.#lines, data]);
    this.#wasOffered = true;
    this.#sink ??= this.#takeLarge?.(held);
    if (!this.#sink) return;
    this.#give(held);
    this.#dropHeld();
    this.#isPouring = true;
  }

  #give(...pieces: readonly Buffer[]): void {
    for (const piece of pieces) if (this.#sink?.push(piece) === false) this.#isTaken = false;
  }

  #dropHeld(): void {
    this.#rest = [];
    this.#restBytes = 0;
    this.#lines = [];
    this.#lineBytes = 0;
  }

  #endLine(piece: Buffer): void {
    if (this.#isPouring) {
      this.#isPouring = false;
      return this.#give(piece, NEWLINE);
    }
    const whole = this.#rest.length === 0 ? piece : Buffer.concat([...this.#rest, piece]);
    this.#rest = [];
    this.#restBytes = 0;
    const line = whole.at(-1) === CR ? whole.subarray(0, -1) : whole;
    if (line.length === 0) return this.#endEvent();
    const data = valueOf('data', line);
    if (!data) return this.#takeField(line);
    if (this.#sink) return this.#give(data, NEWLINE);
    this.#lines.push(data);
    this.#lineBytes += data.length;
  }

  #takeField(line: Buffer): void {
    const id = valueOf('id', line)?.toString('latin1');
    if (id !== undefined && EVENT_ID.test(id)) this.#eventId = id;
    const retry = valueOf('retry', line)?.toString('latin1');
    if (retry !== undefined && RETRY.test(retry)) this.retryMs = Number(retry);
  }

  #endEvent(): void {
    this.lastEventId = this.#eventId;
    const lines = this.#lines;
    const sink = this.#sink;
    this.#dropHeld();
    this.#sink = undefined;
    this.#wasOffered = false;
    if (sink) sink.end();
    else if (lines.some((line) => line.length > 0)) this.#onData(joinLines(lines));
  }
}

/** What a line says, if it is one of this field. */
function valueOf(field: string, line: Buffer): Buffer | undefined {
  const colon = line.indexOf(COLON);
  if (line.toString('latin1', 0, colon === -1 ? line.length : colon) !== field) return undefined;
  const from = colon === -1 ? line.length : colon + 1;
  return line.subarray(line[from] === SPACE ? from + 1 : from);
}

function joinLines(lines: readonly Buffer[]): Buffer {
  return Buffer.concat(lines.flatMap((line, index) => (index === 0 ? [line] : [NEWLINE, line])));
}

/** Watches a stream that passes through: was the request answered, and does the stream stand between two events? */
export class EventWatch {
  /** The response has passed, whole. */
  isAnswered = false;
  /** Nothing of a further event has passed yet. */
  isBetweenEvents = true;
  #head: Buffer = Buffer.alloc(0);
  #isLineEmpty = true;

  push(chunk: Buffer): void {
    let start = 0;
    while (start < chunk.length) {
      const newline = chunk.indexOf(LF, start);
      const end = newline === -1 ? chunk.length : newline + 1;
      this.#pushPiece(chunk.subarray(start, end), newline !== -1);
      start = end;
    }
  }

  #pushPiece(piece: Buffer, isLineEnd: boolean): void {
    const content = isLineEnd ? piece.length - (piece.at(-2) === CR ? 2 : 1) : piece.length;
    if (content === 0 && isLineEnd && this.#isLineEmpty) {
      if (this.#head.length > 0 && isResponse(dataOf(this.#head))) this.isAnswered = true;
      this.#head = Buffer.alloc(0);
      this.isBetweenEvents = true;
      return;
    }
    // A CRLF may be cut in two: its CR alone begins no event.
    if (!isLineEnd && this.#isLineEmpty && content === 1 && piece[0] === CR) return;
    this.isBetweenEvents = false;
    if (this.#head.length < HEAD_BYTES) this.#head = Buffer.concat([this.#head, piece.subarray(0, HEAD_BYTES)]);
    this.#isLineEmpty = isLineEnd;
  }
}

/** The data lines at the beginning of an event, whose end may be missing. */
function dataOf(head: Buffer): Buffer {
  const lines = head.toString('latin1').split(/\r?\n/);
  const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice('data:'.length));
  return Buffer.from(data.join('\n'), 'latin1');
}
