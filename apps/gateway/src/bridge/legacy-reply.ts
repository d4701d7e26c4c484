/** A server's answer on its way to a legacy client, message by message, each in the form that the client reads. */
import { isObject, type JsonObject } from '../protocol.ts';
import type { SpliceRules } from '../json-splicer.ts';
import { findValue, firstKeyOf } from '../json-spans.ts';
import { toEvent, type MessageSink } from '../upstream/event-stream.ts';
import type { CallFailure, CallHandle, ReplyHead, ReplyReceiver } from '../upstream/upstream.ts';
import type { Asked } from './bridged-call.ts';
import { downLevelResult } from './down-level.ts';
import { MODERN_RESULT_RULES, sourceOf, spliceResult } from './message-text.ts';
import { ReplyReader } from './reply-reader.ts';
import { createSplicedAnswer } from './spliced-answer.ts';

const HTTP_OK = 200;
const HTTP_ERROR = 300;

/** The message as it goes to the client; undefined when it is no answer for the client, and somebody else goes on. */
export type Translate = (message: Buffer) => Buffer | undefined;

/** How a reply is passed on. */
export interface LegacyReplyOptions {
  /** The receiver has begun a stream already, in an earlier round. */
  isStream?: boolean;
  /** What a large result needs that is passed on in pieces; without them each is translated as a whole. */
  largeRules?: SpliceRules;
}

/** Takes an answer and passes its messages on. */
export class LegacyReply implements ReplyReceiver {
  readonly #receiver: ReplyReceiver;
  readonly #translate: Translate;
  readonly #options: LegacyReplyOptions;
  #status = 0;
  #reader: ReplyReader | undefined;
  #isEvents = false;
  #isTaken = true;
  /** Whatever comes further is told to nobody. */
  #isDone = false;
  handle: CallHandle | undefined;

  constructor(receiver: ReplyReceiver, translate: Translate, options: LegacyReplyOptions = {}) {
    this.#receiver = receiver;
    this.#translate = translate;
    this.#options = options;
  }

  /** What the client gets is a stream of events. */
  get isStream(): boolean {
    return this.#options.isStream === true || this.#isEvents;
  }

  start(head: ReplyHead): void {
    if (this.#isDone) return;
    if (head.kind === 'events' && !this.isStream) this.#receiver.start(head);
    this.#isEvents = head.kind === 'events';
    // The revisions with initialize answer errors of JSON-RPC with 200.
    if (head.kind === 'json') this.#status = head.status < HTTP_ERROR ? head.status : HTTP_OK;
    this.#reader = new ReplyReader(
      (data) => {
        const message = this.#isDone ? undefined : this.#pass(data);
        if (message) this.#isTaken = this.#receiver.data(toEvent(message));
      },
      (limit) => this.#giveUp({ kind: 'too-large', limit }),
      (text) => this.#takeLarge(text),
    );
    this.#reader.start(this.#isEvents ? 'text/event-stream' : 'application/json');
  }

  data(chunk: Buffer): boolean {
    if (this.#isDone) return true;
    this.#isTaken = true;
    return this.#reader?.push(chunk) === true && this.#isTaken;
  }

  end(): void {
    if (this.#isDone) return;
    const whole = this.#reader?.end();
    const answer = whole && !this.#isDone ? this.#pass(whole) : undefined;
    if (answer) this.#tellJson(answer);
    if (this.#isDone) return;
    this.#isDone = true;
    this.#receiver.end();
  }

  failed(failure: CallFailure): void {
    if (!this.#isDone) this.refuse(failure);
  }

  /** Ends the answer with a failure. */
  refuse(failure: CallFailure): void {
    this.#isDone = true;
    this.#receiver.failed(failure);
  }

  #pass(message: Buffer): Buffer | undefined {
    const translated = this.#translate(message);
    if (!translated) this.#isDone = true;
    return translated;
  }

  #tellJson(answer: Buffer): void {
    if (!this.isStream) this.#receiver.start({ kind: 'json', status: this.#status, length: answer.length });
    this.#receiver.data(this.isStream ? toEvent(answer) : answer);
  }

  #takeLarge(head: Buffer): MessageSink | undefined {
    if (!this.#options.largeRules || this.#isDone || !isCompleteResult(head)) return undefined;
    if (!this.isStream) this.#receiver.start({ kind: 'json', status: this.#status });
    return createSplicedAnswer(this.#options.largeRules, this.isStream, {
      data: (bytes) => this.#receiver.data(bytes),
      ended: (isWhole) => {
        if (!isWhole) this.#giveUp({ kind: 'cut-off' });
      },
    });
  }

  #giveUp(failure: CallFailure): void {
    this.handle?.cancel();
    this.failed(failure);
  }
}

/** What only an unfinished result has, and what only a finished one has. */
const TELLING_KEYS = ['resultType', 'inputRequests', 'requestState', 'content', 'contents', 'messages'];
const FINISHED_KEYS = new Set(['content', 'contents', 'messages']);

/** Whether the message whose beginning this is has a result that asks for nothing. */
function isCompleteResult(head: Buffer): boolean {
  if (firstKeyOf(head, ['method', 'result', 'error']) !== 'result') return false;
  const result = findValue(head, 'result');
  const key = result && firstKeyOf(head.subarray(result.start), TELLING_KEYS);
  if (key === 'resultType') return sourceOf(head, 'result', 'resultType') === '"complete"';
  return key !== undefined && FINISHED_KEYS.has(key);
}

/** A modern server's answer as a legacy client expects it. */
export function toLegacyAnswer(message: Buffer, result: JsonObject, { version }: Asked): Buffer {
  return downLevelResult(spliceResult(message, MODERN_RESULT_RULES), result, version);
}

/** The result of a message; undefined if it has none. */
export function resultOf(message: Buffer): JsonObject | undefined {
  try {
    const parsed: unknown = JSON.parse(message.toString('utf8'));
    return isObject(parsed) && isObject(parsed['result']) ? parsed['result'] : undefined;
  } catch {
    return undefined;
  }
}
