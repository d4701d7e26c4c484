/** Reads the answer to one HTTP request of a bridge, whatever its form. */
import { EventReader, LARGE_MESSAGE_BYTES, type MessageSink, type TakeLarge } from '../upstream/event-stream.ts';
import { MAX_MESSAGE_BYTES } from './carrier.ts';

/** Reads a response: events one by one, JSON as a whole, anything else not at all; large answers in pieces. */
export class ReplyReader {
  readonly #onLimit: (limit: number) => void;
  readonly #takeLarge: TakeLarge | undefined;
  readonly #reader: EventReader;
  #type = '';
  #chunks: Buffer[] = [];
  #size = 0;
  #sink: MessageSink | undefined;
  #wasOffered = false;

  constructor(onEvent: (data: Buffer) => void, onLimit: (limit: number) => void, takeLarge?: TakeLarge) {
    this.#onLimit = onLimit;
    this.#takeLarge = takeLarge;
    this.#reader = new EventReader(onEvent, takeLarge);
  }

  /** Where a stream that breaks off now can go on, if it is one; `after`: it is itself the rest after this event. */
  resumption(after?: string): { lastEventId: string; retryMs: number | undefined } | undefined {
    const { lastEventId = after, retryMs, isPouring } = this.#reader;
    return lastEventId === undefined || isPouring || this.#sink ? undefined : { lastEventId, retryMs };
  }

  start(type: string): void {
    this.#type = type;
  }

  /** False: no more for now. */
  push(chunk: Buffer): boolean {
    if (this.#sink) return this.#sink.push(chunk);
    if (this.#type === 'text/event-stream') {
      const isTaken = this.#reader.push(chunk);
      if (this.#reader.heldBytes > MAX_MESSAGE_BYTES) this.#onLimit(MAX_MESSAGE_BYTES);
      return isTaken;
    }
    return this.#type !== 'application/json' || this.#pushJson(chunk);
  }

  /** The whole JSON, if it was that, and did not go in pieces. */
  end(): Buffer | undefined {
    this.#sink?.end();
    return this.#chunks.length === 0 ? undefined : Buffer.concat(this.#chunks);
  }

  #pushJson(chunk: Buffer): boolean {
    this.#size += chunk.length;
    this.#chunks.push(chunk);
    if (this.#size > MAX_MESSAGE_BYTES) this.#onLimit(MAX_MESSAGE_BYTES);
    if (this.#size < LARGE_MESSAGE_BYTES || this.#wasOffered) return true;
    this.#wasOffered = true;
    const head = Buffer.concat(this.#chunks);
    this.#sink = this.#takeLarge?.(head);
    if (!this.#sink) return true;
    this.#chunks = [];
    return this.#sink.push(head);
  }
}
