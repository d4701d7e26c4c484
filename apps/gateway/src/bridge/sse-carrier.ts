/**
 * HTTP+SSE of 2024-11-05 (deprecated, still met): a GET opens the stream, its first event names the address for
 * messages, every message of the server comes on the stream.
 */
import type { Pool } from 'undici';
import type { UpstreamConfig } from '../config.ts';
import { createPool, toOwnHeaders } from '../upstream/http-upstream.ts';
import type { CallFailure } from '../upstream/upstream.ts';
import { CarrierError, type Carrier, type CarrierEvents, type CreateCarrier } from './carrier.ts';
import { exchange, mediaTypeOf, type ExchangeHandle } from './http-exchange.ts';
import { ReplyReader } from './reply-reader.ts';

/** The stream, and notifications past the calls. */
const EXTRA_CONNECTIONS = 4;
const HTTP_OK = 200;
const HTTP_ERROR = 300;

/** Connections to the HTTP+SSE endpoint of this upstream. */
export function createSseCarriers(config: UpstreamConfig): CreateCarrier {
  return (events) => new SseCarrier(config, events);
}

class SseCarrier implements Carrier {
  readonly #events: CarrierEvents;
  readonly #url: URL;
  readonly #pool: Pool;
  readonly #headers: Record<string, string>;
  #messagePath: string | undefined;
  #stream: ExchangeHandle | undefined;
  #isClosed = false;

  constructor(config: UpstreamConfig, events: CarrierEvents) {
    this.#events = events;
    this.#url = new URL(config.url);
    this.#pool = createPool(this.#url, config.maxConcurrency + EXTRA_CONNECTIONS);
    this.#headers = toOwnHeaders(this.#url, config.headers);
  }

  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (failure: CallFailure): void => {
        reject(new CarrierError(failure, `its HTTP+SSE stream cannot be opened (${failure.kind})`));
        this.#events.closed(failure);
      };
      const reader = new ReplyReader(
        (data) => {
          if (this.#messagePath !== undefined) return this.#events.message(data);
          this.#messagePath = this.#toPath(data.toString('utf8'));
          if (this.#messagePath !== undefined) return resolve();
          this.#stream?.abort();
          fail({ kind: 'not-mcp', status: HTTP_OK });
        },
        (limit) => {
          this.#stream?.abort();
          fail({ kind: 'too-large', limit });
        },
      );
      const path = `${this.#url.pathname}${this.#url.search}`;
      const headers = { ...this.#headers, accept: 'text/event-stream' };
      this.#stream = exchange(
        this.#pool,
        { path, method: 'GET', headers },
        {
          head: (status, received) => {
            const type = mediaTypeOf(received);
            reader.start(type);
            if (status === HTTP_OK && type === 'text/event-stream') return;
            this.#stream?.abort();
            fail({ kind: 'not-mcp', status });
          },
          data: (chunk) => reader.push(chunk),
          end: () => fail({ kind: 'cut-off' }),
          failed: (wasSent) => fail(wasSent ? { kind: 'cut-off' } : { kind: 'unreachable' }),
        },
      );
    });
  }

  agreed(version: string): void {
    this.#headers['mcp-protocol-version'] = version;
  }

  send(text: Buffer, requestId?: number, more?: Readonly<Record<string, string>>): void {
    if (this.#messagePath === undefined || this.#isClosed) return;
    const fail = (failure: CallFailure): void => {
      if (requestId !== undefined) this.#events.lost(requestId, failure);
    };
    const headers = { ...more, ...this.#headers, 'content-type': 'application/json' };
    exchange(
      this.#pool,
      { path: this.#messagePath, method: 'POST', headers, body: text },
      {
        head: (status) => {
          if (status >= HTTP_ERROR) fail({ kind: 'not-mcp', status });
        },
        data: () => {},
        end: () => {},
        failed: (wasSent) => fail(wasSent ? { kind: 'cut-off' } : { kind: 'unreachable' }),
      },
    );
  }

  abandon(): void {}

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stream?.abort();
    await this.#pool.destroy();
  }

  /** The path for messages; another origin would get the gateway's credential. */
  #toPath(endpoint: string): string | undefined {
    if (!URL.canParse(endpoint, this.#url.href)) return undefined;
    const url = new URL(endpoint, this.#url);
    return url.origin === this.#url.origin ? `${url.pathname}${url.search}` : undefined;
  }
}
