/** Sends answers as HTTP responses: whole ones, and streamed ones with backpressure in both directions. */
import type { ServerResponse } from 'node:http';
import { sendJsonText } from '@database-mcp/service';
import { EventWatch, toEvent } from '../upstream/event-stream.ts';
import type { CallFailure, CallHandle, ReplyHead } from '../upstream/upstream.ts';
import type { Cancellation } from './legacy-cancellation.ts';
import type { Outlet, StreamedReply } from './message.ts';
import type { EventChannel } from './subscriptions.ts';

const HTTP_OK = 200;
const HTTP_ACCEPTED = 202;

/** Headers of an event stream; the last one keeps nginx from holding events back. */
export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

const KEEP_ALIVE_COMMENT = ': keep-alive\n\n';

/** How one POST is answered. */
export interface HttpOutletOptions {
  /** An event stream that is quiet for longer gets a comment. */
  keepAliveMs: number;
  cancellation?: Cancellation | undefined;
  /** The client would rather have the gateway's own answers on an event stream. */
  prefersEvents: boolean;
}

/** The outlet of one POST. */
export function createHttpOutlet(
  response: ServerResponse,
  { keepAliveMs, cancellation, prefersEvents }: HttpOutletOptions,
): Outlet {
  return {
    send: (status, json) => {
      if (!prefersEvents || status !== HTTP_OK) return sendJsonText(response, status, json);
      response.writeHead(HTTP_OK, EVENT_STREAM_HEADERS);
      response.end(toEvent(json));
    },
    accept: () => {
      response.writeHead(HTTP_ACCEPTED, { 'content-length': 0 });
      response.end();
    },
    stream: (toAnswer) => new HttpReply(response, toAnswer, keepAliveMs, cancellation),
    openChannel: () => openChannel(response),
  };
}

/** An event stream that the gateway itself writes. */
export function openChannel(response: ServerResponse): EventChannel {
  response.writeHead(HTTP_OK, EVENT_STREAM_HEADERS);
  // Writing to a stream that has just ended is no fault; its end is told by 'close'.
  response.on('error', () => {});
  return {
    send: (json) => response.write(`event: message\ndata: ${json}\n\n`),
    keepAlive: () => response.write(KEEP_ALIVE_COMMENT),
    backlog: () => response.writableLength,
    end: () => response.end(),
    onClose: (listener) => response.on('close', listener),
  };
}

class HttpReply implements StreamedReply {
  readonly #response: ServerResponse;
  readonly #toAnswer: (failure: CallFailure) => string;
  readonly #keepAliveMs: number;
  readonly #cancellation: Cancellation | undefined;
  #call: CallHandle | undefined;
  #head: ReplyHead | undefined;
  #watch: EventWatch | undefined;
  /** The first piece of JSON waits for the second or the end: most answers then leave as one packet with the headers. */
  #held: Buffer | undefined;
  #isEnded = false;
  #keepAlive: NodeJS.Timeout | undefined;

  constructor(
    response: ServerResponse,
    toAnswer: (failure: CallFailure) => string,
    keepAliveMs: number,
    cancellation: Cancellation | undefined,
  ) {
    this.#response = response;
    this.#toAnswer = toAnswer;
    this.#keepAliveMs = keepAliveMs;
    this.#cancellation = cancellation;
  }

  attach(call: CallHandle): void {
    if (this.#isEnded) return;
    this.#call = call;
    this.#response.on('close', () => {
      if (!this.#isEnded) call.cancel();
    });
    if (this.#response.destroyed) call.cancel();
    if (this.#cancellation) this.#listen(this.#cancellation, call);
  }

  start(head: ReplyHead): void {
    this.#head = head;
    if (head.kind === 'json') return;
    this.#watch = new EventWatch();
    this.#response.writeHead(HTTP_OK, EVENT_STREAM_HEADERS);
    this.#keepAlive = setTimeout(() => this.#writeKeepAlive(), this.#keepAliveMs);
    this.#response.on('close', () => clearTimeout(this.#keepAlive));
    // The first event mostly follows at once, and then shares the packet.
    setImmediate(() => {
      if (!this.#response.writableEnded && !this.#response.destroyed) this.#response.flushHeaders();
    });
  }

  data(chunk: Buffer): boolean {
    if (this.#watch) {
      this.#watch.push(chunk);
      this.#keepAlive?.refresh();
    }
    if (this.#head?.kind === 'json' && !this.#response.headersSent) {
      if (this.#held === undefined) {
        this.#held = chunk;
        return true;
      }
      this.#writeJsonHead(this.#head.length);
      this.#response.write(this.#held);
    }
    if (this.#response.write(chunk)) return true;
    this.#response.once('drain', () => this.#call?.resume());
    return false;
  }

  end(): void {
    if (this.#watch && !this.#watch.isAnswered) return this.failed({ kind: 'cut-off' });
    this.#isEnded = true;
    if (this.#head?.kind === 'json' && !this.#response.headersSent) {
      this.#writeJsonHead(this.#held?.length ?? 0);
      this.#response.end(this.#held);
    } else this.#response.end();
  }

  failed(failure: CallFailure): void {
    this.#isEnded = true;
    if (this.#watch) return this.#endEvents(this.#watch, failure);
    // Half an answer cannot be taken back: the client must see that it is cut off.
    if (this.#response.headersSent) this.#response.destroy();
    else sendJsonText(this.#response, HTTP_OK, this.#toAnswer(failure));
  }

  /** A comment may stand between two events only; a client that does not read needs none. */
  #writeKeepAlive(): void {
    if (this.#response.writableEnded || this.#response.destroyed) return;
    if (this.#watch?.isBetweenEvents && !this.#response.writableNeedDrain) this.#response.write(KEEP_ALIVE_COMMENT);
    this.#keepAlive?.refresh();
  }

  #listen(cancellation: Cancellation, call: CallHandle): void {
    cancellation.onCancel = () => {
      if (this.#isEnded) return;
      this.#isEnded = true;
      call.cancel();
      this.#endUnanswered();
    };
    if (cancellation.isCancelled) cancellation.onCancel();
  }

  /** A cancelled request has no answer: clients take an event stream that ends without one as just that. */
  #endUnanswered(): void {
    if (this.#head?.kind === 'json' && this.#response.headersSent) {
      this.#response.destroy();
      return;
    }
    if (!this.#response.headersSent) this.#response.writeHead(HTTP_OK, EVENT_STREAM_HEADERS);
    this.#response.end();
  }

  #endEvents(watch: EventWatch, failure: CallFailure): void {
    if (watch.isAnswered) {
      this.#response.end();
      return;
    }
    // The blank line ends an event that was cut off; clients skip it as unreadable and take the next.
    const separator = watch.isBetweenEvents ? '' : '\n\n';
    this.#response.end(`${separator}event: message\ndata: ${this.#toAnswer(failure)}\n\n`);
  }

  #writeJsonHead(length: number | undefined): void {
    const status = this.#head?.kind === 'json' ? this.#head.status : HTTP_OK;
    const type = { 'content-type': 'application/json' };
    this.#response.writeHead(status, length === undefined ? type : { ...type, 'content-length': length });
  }
}
