/** Sends answers as HTTP responses: whole ones, and streamed ones with backpressure in both directions. */
import type { ServerResponse } from 'node:http';
import { sendJsonText } from '@database-mcp/service';
import { EventWatch } from '../upstream/event-stream.ts';
import type { CallFailure, CallHandle, ReplyHead } from '../upstream/upstream.ts';
import type { Outlet, StreamedReply } from './serve-message.ts';
import type { EventChannel } from './subscriptions.ts';

const HTTP_OK = 200;
const HTTP_ACCEPTED = 202;

/** Headers of an event stream; the last one keeps nginx from holding events back. */
export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/** The outlet of one POST. */
export function createHttpOutlet(response: ServerResponse): Outlet {
  return {
    send: (status, json) => sendJsonText(response, status, json),
    accept: () => {
      response.writeHead(HTTP_ACCEPTED, { 'content-length': 0 });
      response.end();
    },
    stream: (toAnswer) => new HttpReply(response, toAnswer),
    openChannel: () => openChannel(response),
  };
}

function openChannel(response: ServerResponse): EventChannel {
  response.writeHead(HTTP_OK, EVENT_STREAM_HEADERS);
  // Writing to a stream that has just ended is no fault; its end is told by 'close'.
  response.on('error', () => {});
  return {
    send: (json) => response.write(`event: message\ndata: ${json}\n\n`),
    keepAlive: () => response.write(': keep-alive\n\n'),
    end: () => response.end(),
    onClose: (listener) => response.on('close', listener),
  };
}

class HttpReply implements StreamedReply {
  readonly #response: ServerResponse;
  readonly #toAnswer: (failure: CallFailure) => string;
  #call: CallHandle | undefined;
  #head: ReplyHead | undefined;
  #watch: EventWatch | undefined;
  /** The first piece of JSON waits for the second or the end: most answers then leave as one packet with the headers. */
  #held: Buffer | undefined;
  #isEnded = false;

  constructor(response: ServerResponse, toAnswer: (failure: CallFailure) => string) {
    this.#response = response;
    this.#toAnswer = toAnswer;
  }

  attach(call: CallHandle): void {
    if (this.#isEnded) return;
    this.#call = call;
    this.#response.on('close', () => {
      if (!this.#isEnded) call.cancel();
    });
    if (this.#response.destroyed) call.cancel();
  }

  start(head: ReplyHead): void {
    this.#head = head;
    if (head.kind === 'json') return;
    this.#watch = new EventWatch();
    this.#response.writeHead(HTTP_OK, EVENT_STREAM_HEADERS);
    // The first event mostly follows at once, and then shares the packet.
    setImmediate(() => {
      if (!this.#response.writableEnded && !this.#response.destroyed) this.#response.flushHeaders();
    });
  }

  data(chunk: Buffer): boolean {
    this.#watch?.push(chunk);
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
