/**
 * Streamable HTTP of the revisions with `initialize`: each message is a POST, a request's answer comes on its own
 * response (JSON or events); with a session id, messages outside of requests come on a GET stream. A response whose
 * events have ids may break off before the answer, by accident or because the server wants to be polled (SEP-1699): it
 * goes on with another GET, and the request itself is never sent twice.
 */
import type { Dispatcher, Pool } from 'undici';
import type { UpstreamConfig } from '../config.ts';
import { createPool, toOwnHeaders } from '../upstream/http-upstream.ts';
import type { CallFailure } from '../upstream/upstream.ts';
import { type Carrier, type CarrierEvents, type CreateCarrier } from './carrier.ts';
import { exchange, mediaTypeOf, type ExchangeHandle } from './http-exchange.ts';
import { ReplyReader } from './reply-reader.ts';

/** Past the calls: the GET stream, a probe, notifications. */
const EXTRA_CONNECTIONS = 4;
const REOPEN_STREAM_MS = 1_000;
/** Before a response that broke off is asked for again, unless the server names another time; and the least time. */
const RESUME_MS = 1_000;
const MIN_RESUME_MS = 50;
/** The end of a session is told, but not waited for longer than this. */
const END_SESSION_MS = 1_000;
const HTTP_OK = 200;
const HTTP_ERROR = 300;

/** Connections to the Streamable HTTP endpoint of this upstream. */
export function createStreamableHttpCarriers(config: UpstreamConfig): CreateCarrier {
  return (events) => new StreamableHttpCarrier(config, events);
}

class StreamableHttpCarrier implements Carrier {
  readonly #events: CarrierEvents;
  readonly #pool: Pool;
  readonly #path: string;
  readonly #headers: Record<string, string>;
  readonly #running = new Map<number, ExchangeHandle>();
  #stream: ExchangeHandle | undefined;
  #reopenTimer: NodeJS.Timeout | undefined;
  #resumeMs = RESUME_MS;
  #isClosed = false;

  constructor(config: UpstreamConfig, events: CarrierEvents) {
    const url = new URL(config.url);
    this.#events = events;
    this.#pool = createPool(url, config.maxConcurrency + EXTRA_CONNECTIONS);
    this.#path = `${url.pathname}${url.search}`;
    this.#headers = toOwnHeaders(url, config.headers);
  }

  async open(): Promise<void> {}

  async agreed(version: string): Promise<void> {
    this.#headers['mcp-protocol-version'] = version;
    if (this.#headers['mcp-session-id'] === undefined) return;
    await new Promise<void>((resolve) => {
      this.#openStream(resolve);
    });
  }

  send(text: Buffer, requestId?: number, more?: Readonly<Record<string, string>>): void {
    const headers = {
      ...more,
      ...this.#headers,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    };
    this.#exchange({ path: this.#path, method: 'POST', headers, body: text }, requestId);
  }

  /** Sends a request and tells what comes of it; `after`: it asks for the rest of a response, after this event. */
  #exchange(request: Dispatcher.DispatchOptions, requestId?: number, after?: string): void {
    let status = 0;
    const fail = (failure: CallFailure): void => {
      if (requestId === undefined || !this.#running.delete(requestId)) return;
      // What asks for the rest must not look like a request that never arrived, which would be sent again.
      this.#events.lost(requestId, after === undefined ? failure : { kind: 'cut-off' });
    };
    const reply = new ReplyReader(
      (message) => {
        if (requestId === undefined) return;
        this.#events.message(message, requestId);
        // A response ends with its answer; what asks for its rest may be left open.
        if (after !== undefined && !this.#events.isAwaited(requestId)) this.abandon(requestId);
      },
      (limit) => {
        running.abort();
        fail({ kind: 'too-large', limit });
      },
      (head) => {
        if (requestId === undefined || status >= HTTP_ERROR) return undefined;
        return this.#events.large(head, requestId, () => running.resume());
      },
    );
    const resumes = (): boolean => {
      const resumption = reply.resumption(after);
      if (!resumption) return false;
      this.#resumeMs = resumption.retryMs ?? this.#resumeMs;
      return this.#resume(requestId, resumption.lastEventId);
    };
    const running = exchange(this.#pool, request, {
      head: (code, received) => {
        status = code;
        const session = received['mcp-session-id'];
        if (typeof session === 'string') this.#headers['mcp-session-id'] = session;
        reply.start(mediaTypeOf(received));
      },
      data: (chunk) => reply.push(chunk),
      end: () => {
        const answer = reply.end();
        // An error status may carry the answer; one that answers no request tells only that it was refused.
        if (answer && (status < HTTP_ERROR || isAnswerTo(answer, requestId))) this.#events.message(answer, requestId);
        if (status === HTTP_OK && resumes()) return;
        fail(status === HTTP_OK ? { kind: 'cut-off' } : { kind: 'not-mcp', status });
      },
      failed: (wasSent) => {
        // A server that cannot be reached any more has hardly kept the rest.
        if (!wasSent || !resumes()) fail(wasSent ? { kind: 'cut-off' } : { kind: 'unreachable' });
      },
    });
    if (requestId !== undefined) this.#running.set(requestId, running);
  }

  /** Asks for the rest of a response a little later; false if nobody waits for it. The call's deadline ends it. */
  #resume(requestId: number | undefined, lastEventId: string): boolean {
    if (requestId === undefined || !this.#running.has(requestId) || !this.#events.isAwaited(requestId)) return false;
    const headers = { ...this.#headers, accept: 'text/event-stream', 'last-event-id': lastEventId };
    const ask = (): void => this.#exchange({ path: this.#path, method: 'GET', headers }, requestId, lastEventId);
    const timer = setTimeout(ask, Math.max(this.#resumeMs, MIN_RESUME_MS));
    this.#running.set(requestId, { abort: () => clearTimeout(timer), resume: () => {} });
    return true;
  }

  abandon(requestId: number): void {
    this.#running.get(requestId)?.abort();
    this.#running.delete(requestId);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#reopenTimer);
    this.#stream?.abort();
    for (const running of this.#running.values()) running.abort();
    this.#running.clear();
    if (this.#headers['mcp-session-id'] !== undefined) await this.#endSession();
    await this.#pool.destroy();
  }

  #endSession(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, END_SESSION_MS);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const options = { path: this.#path, method: 'DELETE' as const, headers: this.#headers };
      exchange(this.#pool, options, { head: () => {}, data: () => {}, end: done, failed: done });
    });
  }

  /** The stream for what belongs to no request; servers without one answer 405. */
  #openStream(onAnswer: () => void = () => {}): void {
    if (this.#isClosed) return onAnswer();
    const reader = new ReplyReader(
      (message) => this.#events.message(message),
      () => this.#stream?.abort(),
    );
    let isServed = false;
    const again = (): void => {
      onAnswer();
      if (isServed && !this.#isClosed) this.#reopenTimer = setTimeout(() => this.#openStream(), REOPEN_STREAM_MS);
    };
    const headers = { ...this.#headers, accept: 'text/event-stream' };
    this.#stream = exchange(
      this.#pool,
      { path: this.#path, method: 'GET', headers },
      {
        head: (status, received) => {
          isServed = status === HTTP_OK && mediaTypeOf(received) === 'text/event-stream';
          reader.start(isServed ? 'text/event-stream' : '');
          onAnswer();
        },
        data: (chunk) => reader.push(chunk),
        end: again,
        failed: again,
      },
    );
  }
}

function isAnswerTo(answer: Buffer, requestId: number | undefined): boolean {
  try {
    const parsed: unknown = JSON.parse(answer.toString('utf8'));
    return parsed !== null && typeof parsed === 'object' && 'id' in parsed && parsed.id === requestId;
  } catch {
    return false;
  }
}
