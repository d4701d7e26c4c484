/** One HTTP request of a bridge, its answer told in pieces; nothing is judged here. */
import type { Dispatcher } from 'undici';
import { countRead } from '../upstream/read-buffers.ts';

/** What comes of a request; after `end` or `failed` nothing follows. */
export interface ExchangeEvents {
  head(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void;
  /** False: no more until {@link ExchangeHandle.resume}. */
  data(chunk: Buffer): boolean | void;
  end(): void;
  /** `wasSent`: the server may have seen the request. */
  failed(wasSent: boolean): void;
}

/** Connection errors after which nothing can have arrived, if they come before the request was written. */
const RETRYABLE = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);
const HTTP_OK = 200;

/** A request in progress. */
export interface ExchangeHandle {
  /** Ends it; nothing more is told. */
  abort(): void;
  /** The answer may go on. */
  resume(): void;
}

/** Sends the request. */
export function exchange(
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  events: ExchangeEvents,
): ExchangeHandle {
  const request = new Exchange(dispatcher, options, events);
  request.send();
  return request;
}

class Exchange implements Dispatcher.DispatchHandler, ExchangeHandle {
  readonly #dispatcher: Dispatcher;
  readonly #options: Dispatcher.DispatchOptions;
  readonly #events: ExchangeEvents;
  #controller: Dispatcher.DispatchController | undefined;
  #isAborted = false;
  #isRetried = false;

  constructor(dispatcher: Dispatcher, options: Dispatcher.DispatchOptions, events: ExchangeEvents) {
    this.#dispatcher = dispatcher;
    this.#options = options;
    this.#events = events;
  }

  send(): void {
    this.#dispatcher.dispatch(this.#options, this);
  }

  abort(): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#controller?.abort(new Error('the request was ended by the gateway'));
  }

  resume(): void {
    // Deferred: undici's parser cannot be entered from the callback of another request.
    queueMicrotask(() => this.#controller?.resume());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isAborted) controller.abort(new Error('the request was ended by the gateway'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status >= HTTP_OK && !this.#isAborted) this.#events.head(status, headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isAborted) return;
    countRead(chunk.length);
    if (this.#events.data(chunk) === false && !this.#isAborted) controller.pause();
  }

  onResponseEnd(): void {
    if (!this.#isAborted) this.#events.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#isAborted) return;
    const code = 'code' in error ? String(error.code) : '';
    if (this.#controller === undefined && !this.#isRetried && RETRYABLE.has(code)) {
      this.#isRetried = true;
      return this.send();
    }
    this.#events.failed(this.#controller !== undefined);
  }
}

/** The media type of a response, without parameters. */
export function mediaTypeOf(headers: Readonly<Record<string, string | string[] | undefined>>): string {
  const header = headers['content-type'];
  return typeof header === 'string' ? (header.split(';')[0] ?? '').trim().toLowerCase() : '';
}
