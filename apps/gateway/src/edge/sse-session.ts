/**
 * One session of the HTTP+SSE transport (2024-11-05): a stream of events on which all answers of a client arrive.
 * Owns who may write and the calls in progress; reading the client's messages is the endpoint's.
 */
import type { ServerResponse } from 'node:http';
import { toAskKey } from '../asks/client-capabilities.ts';
import type { ClientAsks } from '../asks/open-asks.ts';
import { EventWatch, toEvent } from '../upstream/event-stream.ts';
import type { AskableClient, CallFailure, CallHandle, ReplyHead } from '../upstream/upstream.ts';
import type { JsonObject } from '../protocol.ts';
import type { ClientCalls } from './legacy-cancellation.ts';
import type { Outlet, StreamedReply } from './message.ts';

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const EVENT_HEAD = 'event: message\ndata: ';
const NEXT_DATA_LINE = Buffer.from('\ndata: ');
const EVENT_END = '\n\n';

/** A session, open as long as its stream. */
export class SseSession implements ClientCalls {
  /** The client has ended the handshake. */
  isInitialized = false;
  /** The revision of the handshake. */
  version: string | undefined;
  /** The client, if it said in the handshake that it can be asked something. */
  client: AskableClient | undefined;
  readonly #response: ServerResponse;
  readonly #asks: ClientAsks;
  readonly #keepAlive: NodeJS.Timeout;
  /** What ends a call, by the request's id as JSON text. */
  readonly #calls = new Map<string, () => void>();
  /** The reply that has begun an event and not ended it, and those that wait for it. */
  #writer: object | undefined;
  readonly #queue: { writer: object; granted: () => void }[] = [];
  readonly #closed = new AbortController();
  #pending = 0;
  #isDraining = false;

  constructor(response: ServerResponse, keepAliveMs: number, asks: ClientAsks, onEnd: () => void) {
    this.#response = response;
    this.#asks = asks;
    this.#keepAlive = setInterval(() => {
      if (this.#writer === undefined) response.write(`: keep-alive${EVENT_END}`);
    }, keepAliveMs);
    // Writing to a stream that has just ended is no fault; its end is told by 'close'.
    response.on('error', () => {});
    response.on('close', () => {
      clearInterval(this.#keepAlive);
      for (const cancel of this.#calls.values()) cancel();
      this.#closed.abort();
      onEnd();
    });
  }

  /** Aborted when the client is gone. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Requests whose answers are not out yet. */
  get pending(): number {
    return this.#pending;
  }

  /** Bytes that the client has not taken yet. */
  get backlog(): number {
    return this.#response.writableLength;
  }

  /** The client has no more interest in the answer. */
  cancel(idText: string): void {
    const cancel = this.#calls.get(idText);
    this.#calls.delete(idText);
    cancel?.();
  }

  /** Makes a call one that can be cancelled, until the returned function is called. */
  add(idText: string, cancel: () => void): () => void {
    this.#calls.set(idText, cancel);
    return () => {
      if (this.#calls.get(idText) === cancel) this.#calls.delete(idText);
    };
  }

  /** What it can be asked, as its handshake says. */
  declare(capabilities: unknown): void {
    this.client = this.#asks.client(toAskKey(capabilities));
  }

  /** Takes what may be an answer to something that it was asked. */
  answer(message: JsonObject, bytes: Buffer): void {
    this.#asks.answer(message, bytes);
  }

  /** Ends the stream as soon as the last answer is out. */
  drain(): void {
    this.#isDraining = true;
    if (this.#pending === 0) this.#response.end();
  }

  /** A notification to the client, once it may get any. */
  notify(json: string): void {
    if (this.isInitialized) this.#writeEvent(json);
  }

  /** The outlet of one request. */
  createOutlet(requestId: unknown): Outlet {
    const key = JSON.stringify(requestId) ?? '';
    let forget: (() => void) | undefined;
    this.#pending++;
    return {
      send: (_status, json) => {
        this.#writeEvent(json);
        this.#finished();
      },
      accept: () => this.#finished(),
      stream: (toAnswer) =>
        new SessionReply(this, this.#response, toAnswer, {
          attached: (call) => {
            forget = this.add(key, () => {
              call.cancel();
              this.#finished();
            });
          },
          finished: () => {
            forget?.();
            this.#finished();
          },
        }),
    };
  }

  /** Runs `granted` when the stream stands between two events and is this writer's to use. */
  acquire(writer: object, granted: () => void): void {
    if (this.#writer === writer) return granted();
    if (this.#writer === undefined) {
      this.#writer = writer;
      return granted();
    }
    this.#queue.push({ writer, granted });
  }

  /** The event is ended; the next writer may begin. */
  release(writer: object): void {
    if (this.#writer !== writer) {
      const at = this.#queue.findIndex((waiting) => waiting.writer === writer);
      if (at !== -1) this.#queue.splice(at, 1);
      return;
    }
    const next = this.#queue.shift();
    this.#writer = next?.writer;
    next?.granted();
  }

  #writeEvent(json: string | Buffer): void {
    const writer = {};
    this.acquire(writer, () => {
      this.#response.write(toEvent(json));
      this.release(writer);
    });
  }

  #finished(): void {
    this.#pending--;
    if (this.#isDraining && this.#pending === 0) this.#response.end();
  }
}

interface ReplyObserver {
  attached(call: CallHandle): void;
  finished(): void;
}

/** An upstream's answer on its way into events; large ones pass in pieces. */
class SessionReply implements StreamedReply {
  readonly #session: SseSession;
  readonly #response: ServerResponse;
  readonly #toAnswer: (failure: CallFailure) => string;
  readonly #observer: ReplyObserver;
  #call: CallHandle | undefined;
  #watch: EventWatch | undefined;
  /** Pieces that came while another answer had the stream. */
  readonly #held: Buffer[] = [];
  #isGranted = false;
  #isWaiting = false;
  #hasBegun = false;
  #isEnded = false;
  #failure: CallFailure | undefined;

  constructor(
    session: SseSession,
    response: ServerResponse,
    toAnswer: (failure: CallFailure) => string,
    observer: ReplyObserver,
  ) {
    this.#session = session;
    this.#response = response;
    this.#toAnswer = toAnswer;
    this.#observer = observer;
  }

  attach(call: CallHandle): void {
    if (this.#isEnded) return;
    this.#call = {
      resume: () => call.resume(),
      // A cancelled reply tells nothing more, so it gives the stream back here.
      cancel: () => {
        call.cancel();
        this.#giveUp();
      },
    };
    this.#observer.attached(this.#call);
    if (this.#response.destroyed) this.#call.cancel();
  }

  start(head: ReplyHead): void {
    if (head.kind === 'events') this.#watch = new EventWatch();
  }

  data(chunk: Buffer): boolean {
    this.#held.push(chunk);
    this.#acquire();
    return this.#held.length === 0 && !this.#response.writableNeedDrain;
  }

  end(): void {
    this.#isEnded = true;
    this.#acquire();
  }

  failed(failure: CallFailure): void {
    this.#failure = failure;
    this.#isEnded = true;
    this.#acquire();
  }

  #acquire(): void {
    if (this.#isGranted) return this.#flush();
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#session.acquire(this, () => {
      this.#isWaiting = false;
      this.#isGranted = true;
      this.#flush();
      this.#call?.resume();
    });
  }

  #flush(): void {
    for (const chunk of this.#held.splice(0)) this.#write(chunk);
    if (this.#isEnded) this.#finish();
    else if (this.#watch?.isBetweenEvents) this.#release();
  }

  #write(chunk: Buffer): void {
    let isTaken: boolean;
    if (this.#watch) {
      this.#watch.push(chunk);
      isTaken = this.#response.write(chunk);
    } else {
      if (!this.#hasBegun) this.#response.write(EVENT_HEAD);
      this.#hasBegun = true;
      isTaken = this.#response.write(toDataLines(chunk));
    }
    if (!isTaken) this.#response.once('drain', () => this.#call?.resume());
  }

  #finish(): void {
    const isAnswered = this.#watch?.isAnswered ?? (this.#hasBegun && this.#failure === undefined);
    const isBetweenEvents = this.#watch?.isBetweenEvents ?? !this.#hasBegun;
    if (!isBetweenEvents) this.#response.write(EVENT_END);
    if (!isAnswered) {
      const answer = this.#toAnswer(this.#failure ?? { kind: 'cut-off' });
      this.#response.write(`${EVENT_HEAD}${answer}${EVENT_END}`);
    }
    this.#release();
    this.#observer.finished();
  }

  #giveUp(): void {
    if (this.#isGranted && !(this.#watch?.isBetweenEvents ?? !this.#hasBegun)) this.#response.write(EVENT_END);
    this.#isEnded = true;
    this.#release();
  }

  #release(): void {
    this.#isGranted = false;
    this.#isWaiting = false;
    this.#session.release(this);
  }
}

/** JSON text as the rest of a `data:` line: line breaks (which stand only between its tokens) begin further lines. */
function toDataLines(json: Buffer): Buffer {
  if (!json.includes(LF) && !json.includes(CR)) return json;
  const pieces: Buffer[] = [];
  let start = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte !== LF && byte !== CR) continue;
    pieces.push(json.subarray(start, at), byte === LF ? NEXT_DATA_LINE : Buffer.of(SPACE));
    start = at + 1;
  }
  return Buffer.concat([...pieces, json.subarray(start)]);
}
