/**
 * Streamable HTTP of the revisions with `initialize`: each message is a POST, a request's answer comes on its own
 * response (JSON or events); with a session id, messages outside of requests come on a GET stream.
 */
import type { Pool } from 'undici';
import type { UpstreamConfig } from '../config.ts';
import { createPool, toOwnHeaders } from '../upstream/http-upstream.ts';
import type { CallFailure } from '../upstream/upstream.ts';
import { type Carrier, type CarrierEvents, type CreateCarrier } from './carrier.ts';
import { exchange, mediaTypeOf, type ExchangeHandle } from './http-exchange.ts';
import { ReplyReader } from './reply-reader.ts';

/** Past the calls: the GET stream, a probe, notifications. */
const EXTRA_CONNECTIONS = 4;
const REOPEN_STREAM_MS = 1_000;
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
    const fail = (failure: CallFailure): void => {
      if (requestId === undefined || !this.#running.delete(requestId)) return;
      this.#events.lost(requestId, failure);
    };
    const reply = new ReplyReader(
      (message) => {
        if (requestId !== undefined) this.#events.message(message, requestId);
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
    let status = 0;
    const headers = {
      ...more,
      ...this.#headers,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    };
    const running = exchange(
      this.#pool,
      { path: this.#path, method: 'POST', headers, body: text },
      {
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
          fail(status === HTTP_OK ? { kind: 'cut-off' } : { kind: 'not-mcp', status });
        },
        failed: (wasSent) => fail(wasSent ? { kind: 'cut-off' } : { kind: 'unreachable' }),
      },
    );
    if (requestId !== undefined) this.#running.set(requestId, running);
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
