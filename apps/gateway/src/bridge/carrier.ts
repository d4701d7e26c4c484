/** What a bridge asks of a transport to a legacy server: one connection, messages as text in both directions. */
import type { MessageSink } from '../upstream/event-stream.ts';
import type { CallFailure } from '../upstream/upstream.ts';

/** What a connection tells. */
export interface CarrierEvents {
  /** A message of the server; `requestId` is the request on whose own stream it came, where the transport has such. */
  message(text: Buffer, requestId?: number): void;
  /**
   * A large answer begins on the stream of this request: where it goes in pieces, or undefined if it is wanted whole,
   * by `message`. `resume` lets a stream go on that was held up.
   */
  large(head: Buffer, requestId: number, resume: () => void): MessageSink | undefined;
  /** Whether the answer to this request is still to come. */
  isAwaited(requestId: number): boolean;
  /** This request has no answer and will get none. */
  lost(requestId: number, failure: CallFailure): void;
  /** The connection is gone, and with it everything that was asked on it. */
  closed(failure: CallFailure): void;
}

/** One connection to a server; after its end a new one is made. */
export interface Carrier {
  /** Resolves when messages can be sent; rejects with a {@link CarrierError}. */
  open(): Promise<void>;
  /**
   * Sends one message; `requestId` when it is a request, whose end is then told by a message or by `lost`. `headers` go
   * with it where the transport has such.
   */
  send(text: Buffer, requestId?: number, headers?: Readonly<Record<string, string>>): void;
  /** The handshake is done, in this revision; resolves when messages outside of requests can be received, or never will. */
  agreed(version: string): Promise<void> | void;
  /** Nobody waits for this answer any more. */
  abandon(requestId: number): void;
  close(): Promise<void>;
}

/** Makes a connection that tells its events there. */
export type CreateCarrier = (events: CarrierEvents) => Carrier;

/** A connection could not be made. */
export class CarrierError extends Error {
  readonly failure: CallFailure;

  constructor(failure: CallFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CarrierError';
    this.failure = failure;
  }
}

/** The largest message that is held in memory, where it cannot be passed on in pieces. */
export const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
