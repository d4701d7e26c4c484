/** Reading `text/event-stream` as far as MCP uses it: events of one or more `data:` lines that hold one JSON message. */
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
/** The key that tells a response from a notification stands in the first bytes, whatever the order of keys. */
const HEAD_BYTES = 512;

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

/** Cuts a stream that comes in pieces into the data of its events; comments and other fields are dropped. */
export class EventReader {
  readonly #onData: (data: Buffer) => void;
  #rest: Buffer[] = [];
  #lines: Buffer[] = [];

  constructor(onData: (data: Buffer) => void) {
    this.#onData = onData;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      this.#endLine(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) this.#rest.push(chunk.subarray(start));
  }

  #endLine(piece: Buffer): void {
    const whole = this.#rest.length === 0 ? piece : Buffer.concat([...this.#rest, piece]);
    this.#rest = [];
    const line = whole.at(-1) === CR ? whole.subarray(0, -1) : whole;
    if (line.length === 0) return this.#endEvent();
    const colon = line.indexOf(COLON);
    if (line.toString('latin1', 0, colon === -1 ? line.length : colon) !== 'data') return;
    const from = colon === -1 ? line.length : colon + 1;
    this.#lines.push(line.subarray(line[from] === SPACE ? from + 1 : from));
  }

  #endEvent(): void {
    if (this.#lines.length === 0) return;
    const newline = Buffer.from('\n');
    const pieces = this.#lines.flatMap((line, index) => (index === 0 ? [line] : [newline, line]));
    this.#lines = [];
    if (pieces.some((piece) => piece.length > 0)) this.#onData(Buffer.concat(pieces));
  }
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
