/**
 * A call of a legacy client that can be asked, at a modern server: an `input_required` result becomes requests on the
 * stream of the client's call, and with the answers the server is called again, until it has all that it needs.
 */
import { canBeAsked } from '../asks/client-capabilities.ts';
import { isObject, type JsonObject } from '../protocol.ts';
import { findValue, listMembers } from '../json-spans.ts';
import { toEvent } from '../upstream/event-stream.ts';
import type { AskableClient, CallFailure, CallHandle, OpenAsk, ReplyReceiver, Upstream } from '../upstream/upstream.ts';
import type { Asked } from './bridged-call.ts';
import { toClientRequest } from './input-request.ts';
import { LegacyReply, resultOf, toLegacyAnswer } from './legacy-reply.ts';
import { editMessage, editObject, MODERN_RESULT_RULES, sourceOf } from './message-text.ts';

/** What such a call is made of. */
export interface InputRoundsOptions {
  /** Carries a request in modern form. */
  send: Upstream['call'];
  asked: Asked;
  client: AskableClient;
  /** The request in modern form, and its headers. */
  body: Buffer;
  headers: Readonly<Record<string, string>>;
  receiver: ReplyReceiver;
  askTimeoutMs: number;
}

const MAX_ROUNDS = 16;
const MAX_ASKS_PER_ROUND = 32;
/** A server that only wants to be called again gets some time. */
const PAUSE_MS = 250;

/** One such call. */
export class InputRounds implements CallHandle {
  readonly #options: InputRoundsOptions;
  readonly #open = new Set<OpenAsk>();
  #reply: LegacyReply | undefined;
  #isStream = false;
  #rounds = 0;
  #responses: [key: string, response: string][] = [];
  #timer: NodeJS.Timeout | undefined;
  #isEnded = false;

  constructor(options: InputRoundsOptions) {
    this.#options = options;
    this.#call(options.body);
  }

  cancel(): void {
    this.#reply?.handle?.cancel();
    this.#end();
  }

  resume(): void {
    this.#reply?.handle?.resume();
  }

  #call(body: Buffer): void {
    const { send, headers, receiver, asked } = this.#options;
    const reply = new LegacyReply(
      receiver,
      (message) => {
        const result = resultOf(message);
        if (!result) return message;
        if (result['resultType'] !== 'input_required') return toLegacyAnswer(message, result, asked);
        this.#isStream = reply.isStream;
        this.#ask(message, result);
        return undefined;
      },
      { isStream: this.#isStream, largeRules: MODERN_RESULT_RULES },
    );
    this.#reply = reply;
    reply.handle = send({ body, headers }, reply);
  }

  #ask(message: Buffer, result: JsonObject): void {
    if (this.#isEnded) return;
    this.#rounds++;
    this.#responses = [];
    const requests = isObject(result['inputRequests']) ? result['inputRequests'] : {};
    const span = findValue(message, 'result', 'inputRequests');
    const entries = span && isObject(result['inputRequests']) ? listMembers(message, span.start) : [];
    if (this.#rounds > MAX_ROUNDS || entries.length > MAX_ASKS_PER_ROUND) {
      return this.#fail({ kind: 'refused-ask', problem: 'It has asked too much during this call.' });
    }
    const state = sourceOf(message, 'result', 'requestState');
    if (entries.length === 0) {
      this.#timer = setTimeout(() => this.#again(state), PAUSE_MS);
      return;
    }
    for (const { key, value } of entries) {
      const problem = this.#askClient(key, message.subarray(value.start, value.end), requests[key], state);
      if (problem !== undefined) return this.#fail({ kind: 'refused-ask', problem });
    }
    const timeoutMs = this.#options.askTimeoutMs;
    this.#timer = setTimeout(() => this.#fail({ kind: 'unanswered', timeoutMs }), timeoutMs);
  }

  #askClient(key: string, entry: Buffer, parsed: unknown, state: string | undefined): string | undefined {
    const { client, receiver } = this.#options;
    const method = isObject(parsed) ? String(parsed['method']) : '';
    const params = isObject(parsed) && isObject(parsed['params']) ? parsed['params'] : {};
    if (!canBeAsked(client.canDo, method, params)) return 'This client cannot be asked for it.';
    const open: OpenAsk | undefined = client.ask((answer) => {
      if (open) this.#open.delete(open);
      this.#answered(key, answer, state);
    });
    if (!open) return 'Too many clients are being asked at this moment; try again later.';
    this.#open.add(open);
    if (!this.#isStream) receiver.start({ kind: 'events' });
    this.#isStream = true;
    receiver.data(toEvent(toClientRequest(entry, parsed, open.idText)));
    return undefined;
  }

  #answered(key: string, answer: Buffer, state: string | undefined): void {
    if (this.#isEnded) return;
    const response = sourceOf(answer, 'result');
    if (response === undefined) {
      return this.#fail({ kind: 'refused-ask', problem: 'The client answered with an error when it was asked.' });
    }
    this.#responses.push([key, response]);
    if (this.#open.size > 0) return;
    clearTimeout(this.#timer);
    this.#again(state);
  }

  /** The same call, with what the server has asked for. */
  #again(state: string | undefined): void {
    const { body } = this.#options;
    const params = findValue(body, 'params');
    if (!params || this.#isEnded) return;
    const responses = this.#responses.map(([key, response]) => `${JSON.stringify(key)}:${response}`).join(',');
    const edits = { inputResponses: responses === '' ? undefined : `{${responses}}`, requestState: state };
    this.#call(editMessage(body, { params: editObject(body, params, edits) }));
  }

  #fail(failure: CallFailure): void {
    if (this.#isEnded) return;
    this.#end();
    this.#options.receiver.failed(failure);
  }

  #end(): void {
    this.#isEnded = true;
    clearTimeout(this.#timer);
    for (const open of this.#open) open.forget();
    this.#open.clear();
  }
}
