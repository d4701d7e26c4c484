/**
 * The one `subscriptions/listen` stream of an upstream (S40, G32): open only while something is to be heard, opened
 * again with growing pauses when it ends, and replaced without a gap when something else is to be heard. What may have
 * been missed while there was no stream counts as changed. Who is told is decided elsewhere.
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
} from '@modelcontextprotocol/server';
import { LOG_FIELD, type Logger } from '@database-mcp/telemetry';
import { isObject, MODERN_VERSION, type JsonObject } from '../protocol.ts';
import { EventReader } from './event-stream.ts';
import type { CallHandle, ReplyReceiver, Upstream } from './upstream.ts';

/** What is to be heard of an upstream. */
export interface ListenWish {
  /** Lists that it promises to tell changes of. */
  lists: ReadonlySet<ListName>;
  /** Resources, by the upstream's own URIs. */
  uris: ReadonlySet<string>;
}

/** A list that can change. */
export type ListName = 'tools' | 'prompts' | 'resources';

/** Options of {@link UpstreamListener}. */
export interface ListenerOptions {
  upstream: Upstream;
  /** The gateway's own version. */
  version: string;
  logger: Logger;
  /** Some list may be another one. */
  listsChanged(): void;
  /** A resource is another one; its URI is the upstream's own. */
  resourceUpdated(uri: string): void;
}

/** A server that just restarts is back soon … */
const FIRST_PAUSE_MS = 500;
/** … and one that does not listen at all is asked rarely. */
const MAX_PAUSE_MS = 60_000;
/** Pauses differ by up to this part, so that replicas do not all come at once. */
const JITTER = 0.3;
/** Changes come in swarms; they are one change. */
const DEBOUNCE_MS = 50;
/** An upstream that never stops telling changes is not asked for its lists more often. */
const MIN_REFRESH_MS = 1_000;
/** The acknowledgement comes first and at once. */
const ACKNOWLEDGE_MS = 5_000;
/** Clients that come and go change what is to be heard; the stream is replaced no more often than this. */
const MIN_REOPEN_MS = 100;
/** A stream is opened anew after a day: a connection that has silently died would never tell. */
const STREAM_MS = 86_400_000;
/** A notification is short; a longer event is none. */
const MAX_EVENT_BYTES = 1024 * 1024;

const LIST_OF_METHOD: ReadonlyMap<unknown, ListName> = new Map([
  ['notifications/tools/list_changed', 'tools'],
  ['notifications/prompts/list_changed', 'prompts'],
  ['notifications/resources/list_changed', 'resources'],
]);

interface Stream {
  key: string;
  uris: ReadonlySet<string>;
  call?: CallHandle;
  timer: NodeJS.Timeout;
  isAcknowledged: boolean;
}

/** Listens to one upstream. */
export class UpstreamListener {
  readonly #options: ListenerOptions;
  #wish: ListenWish = { lists: new Set(), uris: new Set() };
  #key = '';
  /** The stream that is heard, and the one that is to take its place. */
  #current: Stream | undefined;
  #next: Stream | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #retryTimer: NodeJS.Timeout | undefined;
  #tellTimer: NodeJS.Timeout | undefined;
  #toldAt = -Infinity;
  #openedAt = -Infinity;
  /** There was a stream before, so a new one may have missed something. */
  #wasHeard = false;
  #isClosed = false;
  #nextId = 1;
  readonly #waiting = new Set<() => void>();

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Says what is to be heard from now on. */
  want(wish: ListenWish): void {
    this.#wish = wish;
    const key = toKey(wish);
    if (key === this.#key || this.#isClosed) return;
    this.#key = key;
    this.#pauseMs = FIRST_PAUSE_MS;
    if (key === '') return this.#stop();
    // A stream on its way is heard first: clients that come and go without end must not keep it from ever arriving.
    if (!this.#next) this.#openSoon();
  }

  #openSoon(): void {
    clearTimeout(this.#retryTimer);
    const wait = this.#openedAt + MIN_REOPEN_MS - performance.now();
    if (wait <= 0) this.#open();
    else this.#retryTimer = setTimeout(() => this.#open(), wait);
  }

  /** Resolves when everything wished for is heard; never later than `limitMs`. */
  async heard(limitMs: number): Promise<void> {
    if (this.#isClosed || this.#current?.key === this.#key) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, limitMs);
      this.#waiting.add(done);
    });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#tellTimer);
    this.#stop();
    for (const done of this.#waiting) done();
  }

  #stop(): void {
    clearTimeout(this.#retryTimer);
    for (const stream of [this.#current, this.#next]) {
      clearTimeout(stream?.timer);
      stream?.call?.cancel();
    }
    this.#current = undefined;
    this.#next = undefined;
    this.#wasHeard = false;
  }

  #open(): void {
    clearTimeout(this.#retryTimer);
    this.#openedAt = performance.now();
    const timer = setTimeout(() => {
      stream.call?.cancel();
      this.#ended(stream, 'it acknowledges nothing');
    }, ACKNOWLEDGE_MS);
    const stream: Stream = { key: this.#key, uris: this.#wish.uris, isAcknowledged: false, timer };
    this.#next = stream;
    const id = `listen-${this.#nextId++}`;
    const request = toRequest(id, this.#wish, this.#options.version);
    stream.call = this.#options.upstream.probe(request, this.#receive(stream), STREAM_MS);
    // It may have failed before it was known here.
    if (this.#next !== stream && this.#current !== stream) stream.call.cancel();
  }

  #receive(stream: Stream): ReplyReceiver {
    let size = 0;
    const reader = new EventReader((data) => {
      size = 0;
      this.#onMessage(stream, data);
    });
    let isStream = false;
    return {
      start: (head) => {
        isStream = head.kind === 'events';
      },
      data: (chunk) => {
        if (!isStream) return true;
        size += chunk.length;
        reader.push(chunk);
        if (size <= MAX_EVENT_BYTES) return true;
        stream.call?.cancel();
        this.#ended(stream, 'an event of it is too large');
        return true;
      },
      end: () => this.#ended(stream, isStream ? 'it ended the stream' : 'it answers without a stream'),
      failed: (failure) => this.#ended(stream, failure.kind),
    };
  }

  #onMessage(stream: Stream, data: Buffer): void {
    const message = parse(data);
    if (!message) return;
    const { method } = message;
    if (method === 'notifications/subscriptions/acknowledged') return this.#acknowledged(stream);
    if (LIST_OF_METHOD.has(method)) return this.#tellLists();
    if (method !== 'notifications/resources/updated' || !isObject(message['params'])) return;
    const { uri } = message['params'];
    if (typeof uri === 'string') this.#options.resourceUpdated(uri);
  }

  #acknowledged(stream: Stream): void {
    if (stream.isAcknowledged || this.#next !== stream) return;
    stream.isAcknowledged = true;
    clearTimeout(stream.timer);
    const before = this.#current;
    this.#current = stream;
    this.#next = undefined;
    this.#pauseMs = FIRST_PAUSE_MS;
    if (before) before.call?.cancel();
    else if (this.#wasHeard) {
      this.#tellLists();
      for (const uri of stream.uris) this.#options.resourceUpdated(uri);
    }
    this.#wasHeard = true;
    if (stream.key !== this.#key) return this.#openSoon();
    for (const done of this.#waiting) done();
  }

  #ended(stream: Stream, reason: string): void {
    if (stream !== this.#current && stream !== this.#next) return;
    clearTimeout(stream.timer);
    if (stream === this.#current) this.#current = undefined;
    // The stream that is to take its place is on its way already.
    if (stream !== this.#next && this.#next) return;
    this.#next = undefined;
    if (this.#isClosed || this.#key === '') return;
    const pause = this.#pauseMs * (1 - JITTER * Math.random());
    const fields = { [LOG_FIELD.UPSTREAM]: this.#options.upstream.name, reason, pauseMs: Math.round(pause) };
    this.#options.logger.debug(fields, 'listening to the upstream ended; it is tried again');
    this.#pauseMs = Math.min(MAX_PAUSE_MS, this.#pauseMs * 2);
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#open(), pause);
  }

  #tellLists(): void {
    if (this.#tellTimer !== undefined) return;
    const wait = Math.max(DEBOUNCE_MS, this.#toldAt + MIN_REFRESH_MS - performance.now());
    this.#tellTimer = setTimeout(() => {
      this.#tellTimer = undefined;
      this.#toldAt = performance.now();
      this.#options.listsChanged();
    }, wait);
  }
}

/** The same wish has the same text; nothing to hear is the empty one. */
function toKey({ lists, uris }: ListenWish): string {
  return lists.size + uris.size === 0 ? '' : JSON.stringify([[...lists].toSorted(), [...uris].toSorted()]);
}

function toRequest(id: string, { lists, uris }: ListenWish, version: string): Parameters<Upstream['probe']>[0] {
  const notifications: JsonObject = {};
  for (const list of lists) notifications[`${list}ListChanged`] = true;
  if (uris.size > 0) notifications['resourceSubscriptions'] = [...uris];
  const _meta = {
    [PROTOCOL_VERSION_META_KEY]: MODERN_VERSION,
    [CLIENT_INFO_META_KEY]: { name: 'database-mcp-gateway', version },
    [CLIENT_CAPABILITIES_META_KEY]: {},
  };
  const body = { jsonrpc: '2.0', id, method: 'subscriptions/listen', params: { notifications, _meta } };
  return {
    body: Buffer.from(JSON.stringify(body)),
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': MODERN_VERSION,
      'mcp-method': 'subscriptions/listen',
    },
  };
}

function parse(data: Buffer): JsonObject | undefined {
  try {
    const message: unknown = JSON.parse(data.toString('utf8'));
    return isObject(message) ? message : undefined;
  } catch {
    return undefined;
  }
}
