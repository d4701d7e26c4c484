/**
 * One request to an upstream over HTTP: passes the answer's bytes on as they come, judges answers that are none, and
 * keeps the deadline. Admission (breaker, limits) is decided before it is made.
 */
import type { Dispatcher, Pool } from 'undici';
import { countRead } from './read-buffers.ts';
import { isGatewayFault, type CallFailure, type CallHandle, type ReplyReceiver } from './upstream.ts';

/** What a call tells its upstream. */
export interface CallObserver {
  /** There is a connection, and the request goes out on it. */
  connected(): void;
  /** No connection could be made. `isCheap`: that was known at once. */
  unreachable(isCheap: boolean): void;
  /** After how many milliseconds an attempt that reached nobody is worth another one; undefined: it is not. */
  retryDelay(): number | undefined;
  /** The place of the call is free again; exactly once. */
  released(): void;
}

/** Answers with an error status are small; of larger ones nothing can be made anyway. */
const MAX_ERROR_BODY_BYTES = 256 * 1024;
/** The machine is there and says that nobody listens. */
const REFUSED = 'ECONNREFUSED';
/** Connection errors after which nothing can have arrived, if they come before the request was written. */
const RETRYABLE = new Set([REFUSED, 'ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);
const HTTP_OK = 200;
const OPEN_BRACE = 0x7b;
const SPACE = 0x20;

/** A call over HTTP. */
export class HttpCall implements Dispatcher.DispatchHandler, CallHandle {
  readonly #pool: Pool;
  readonly #options: Dispatcher.DispatchOptions;
  readonly #receiver: ReplyReceiver;
  readonly #observer: CallObserver;
  readonly #timeoutMs: number;
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  /** No more is told to the receiver. */
  #settled = false;
  #released = false;
  #dispatched = false;
  #wasRefused = false;
  /** Runs between two attempts to connect. */
  #retryTimer: NodeJS.Timeout | undefined;
  #status = 0;
  /** `start` was told; before it, JSON must show its first brace. */
  #isStarted = false;
  #length: number | undefined;
  #errorBody: Buffer[] | undefined;
  #errorBytes = 0;

  constructor(
    pool: Pool,
    options: Dispatcher.DispatchOptions,
    receiver: ReplyReceiver,
    observer: CallObserver,
    timeoutMs: number,
  ) {
    this.#pool = pool;
    this.#options = options;
    this.#receiver = receiver;
    this.#observer = observer;
    this.#timeoutMs = timeoutMs;
    this.#timer = setTimeout(() => this.#expire(), timeoutMs);
  }

  /** Sends the request. */
  dispatch(): void {
    if (this.#settled) return this.#release();
    this.#dispatched = true;
    this.#pool.dispatch(this.#options, this);
  }

  /** Ends a call that was never sent, with a failure. */
  refuse(failure: CallFailure): void {
    this.#fail(failure);
    this.#release();
  }

  cancel(): void {
    if (this.#settled) return;
    this.#settle();
    this.#abort();
  }

  resume(): void {
    // Deferred: undici's parser cannot be entered from the callback of another call, where this is asked for at times.
    queueMicrotask(() => this.#controller?.resume());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#observer.connected();
    if (this.#settled) this.#abort();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < HTTP_OK || this.#settled) return;
    this.#status = status;
    const type = mediaType(headers['content-type']);
    if (status === HTTP_OK && type === 'text/event-stream') {
      this.#isStarted = true;
      this.#receiver.start({ kind: 'events' });
    } else if (status === HTTP_OK && type === 'application/json') {
      const length = Number(headers['content-length']);
      this.#length = Number.isSafeInteger(length) ? length : undefined;
    } else if (status !== HTTP_OK && type === 'application/json') {
      this.#errorBody = [];
    } else {
      this.#fail({ kind: 'not-mcp', status });
      this.#abort();
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled) return;
    countRead(chunk.length);
    if (this.#errorBody) return this.#collectError(chunk);
    if (!this.#isStarted && !this.#startJson(chunk)) return;
    if (!this.#receiver.data(chunk) && !this.#settled) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#errorBody) this.#endError(Buffer.concat(this.#errorBody));
    else if (!this.#isStarted) this.#fail({ kind: 'not-mcp', status: this.#status });
    else if (!this.#settled) {
      this.#settle();
      this.#receiver.end();
    }
    this.#release();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#controller !== undefined || this.#settled) {
      this.#fail({ kind: 'cut-off' });
      return this.#release();
    }
    const code = 'code' in error ? String(error.code) : '';
    const delay = RETRYABLE.has(code) ? this.#observer.retryDelay() : undefined;
    if (delay !== undefined) {
      this.#wasRefused = true;
      this.#retryTimer = setTimeout(() => this.#retry(), delay);
      return;
    }
    this.#observer.unreachable(code === REFUSED);
    this.#fail({ kind: 'unreachable' });
    this.#release();
  }

  #retry(): void {
    this.#retryTimer = undefined;
    this.dispatch();
  }

  #startJson(chunk: Buffer): boolean {
    let first = 0;
    while (first < chunk.length && (chunk[first] ?? 0) <= SPACE) first++;
    if (chunk[first] !== OPEN_BRACE) {
      this.#fail({ kind: 'not-mcp', status: this.#status });
      this.#abort();
      return false;
    }
    this.#isStarted = true;
    this.#receiver.start({ kind: 'json', status: this.#status, length: this.#length });
    return true;
  }

  #collectError(chunk: Buffer): void {
    this.#errorBytes += chunk.length;
    if (this.#errorBytes <= MAX_ERROR_BODY_BYTES) {
      this.#errorBody?.push(chunk);
      return;
    }
    this.#fail({ kind: 'not-mcp', status: this.#status });
    this.#abort();
  }

  /** An error status may carry a JSON-RPC answer that is the client's, or one that is the gateway's own fault. */
  #endError(body: Buffer): void {
    if (this.#settled) return;
    const code = errorCodeOf(body);
    if (code === undefined) return this.#fail({ kind: 'not-mcp', status: this.#status });
    if (isGatewayFault(code)) return this.#fail({ kind: 'protocol-fault', code });
    this.#settle();
    this.#receiver.start({ kind: 'json', status: this.#status, length: body.length });
    this.#receiver.data(body);
    this.#receiver.end();
  }

  #expire(): void {
    const wasNeverThere = this.#wasRefused && this.#controller === undefined;
    this.#fail(wasNeverThere ? { kind: 'unreachable' } : { kind: 'timeout', timeoutMs: this.#timeoutMs });
    this.#abort();
  }

  #fail(failure: CallFailure): void {
    if (this.#settled) return;
    this.#settle();
    this.#receiver.failed(failure);
  }

  #settle(): void {
    this.#settled = true;
    clearTimeout(this.#timer);
  }

  #abort(): void {
    if (this.#controller) this.#controller.abort(new Error('the call was ended by the gateway'));
    else if (!this.#dispatched || this.#retryTimer) {
      clearTimeout(this.#retryTimer);
      this.#release();
    }
  }

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#observer.released();
  }
}

function mediaType(header: string | string[] | undefined): string {
  const text = typeof header === 'string' ? header : '';
  const end = text.indexOf(';');
  return (end === -1 ? text : text.slice(0, end)).trim().toLowerCase();
}

/** The code of a JSON-RPC error answer, or undefined if the body is none. */
function errorCodeOf(body: Buffer): number | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    if (parsed === null || typeof parsed !== 'object' || !('error' in parsed) || !('jsonrpc' in parsed))
      return undefined;
    const { error } = parsed;
    return error !== null && typeof error === 'object' && 'code' in error && typeof error.code === 'number'
      ? error.code
      : undefined;
  } catch {
    return undefined;
  }
}
