/**
 * A modern client's call at a legacy server, when the client can be asked (G33): what the server asks ends the client's
 * request with `input_required`, the server's call stays open, and goes on when the client has come back with answers.
 */
import { randomUUID } from 'node:crypto';
import { SERVER_INFO_META_KEY } from '@modelcontextprotocol/server';
import { canBeAsked, canOpenUrl } from '../asks/client-capabilities.ts';
import { isObject, type JsonObject } from '../protocol.ts';
import type { MessageSink } from '../upstream/event-stream.ts';
import type { CallFailure } from '../upstream/upstream.ts';
import type { Asked, BridgedCall } from './bridged-call.ts';
import { fromServerRequest } from './input-request.ts';
import { sourceOf } from './message-text.ts';
import { ASKED_TOO_MUCH, MAX_ASKS, type AskingSession, type ServerAsk, type ServerCall } from './server-call.ts';
import { readUrlElicitations } from './url-elicitation.ts';

/** What a held call asks of its upstream. */
export interface HeldCallOwner {
  /** Room for one more call that waits for its client; false if there is none. */
  mayHold(call: HeldCall): boolean;
  /** The state that leads back to the call; without one, to a new call. */
  seal(call: HeldCall, isHeld: boolean): string;
  /** Nothing of it is left. */
  ended(call: HeldCall): void;
}

/** Questions that a server asks at the same time shall reach the client together. */
const GATHER_MS = 25;

type Outcome = (leg: BridgedCall) => void;

/** One such call; it has a leg while a request of its client waits for it. */
export class HeldCall implements ServerCall {
  readonly id = randomUUID();
  readonly session = undefined;
  readonly #session: AskingSession;
  readonly #owner: HeldCallOwner;
  readonly #askTimeoutMs: number;
  #leg: BridgedCall | undefined;
  readonly #first: BridgedCall;
  /** Open questions as input requests, by their keys; with the server's ids. */
  readonly #asks = new Map<string, { idText: string; request: string }>();
  #count = 0;
  /** What the server answered while no leg was there to take it. */
  #outcome: Outcome | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isEnded = false;

  constructor(leg: BridgedCall, session: AskingSession, owner: HeldCallOwner, askTimeoutMs: number) {
    this.#first = leg;
    this.#leg = leg;
    this.#session = session;
    this.#owner = owner;
    this.#askTimeoutMs = askTimeoutMs;
  }

  /** The client's request that waits for the server. */
  get leg(): BridgedCall | undefined {
    return this.#leg;
  }

  get traceHeaders(): Readonly<Record<string, string>> | undefined {
    return this.#leg?.traceHeaders;
  }

  get body(): Buffer {
    return this.#first.body;
  }

  /** The client's first request. */
  get asked(): Asked {
    return this.#first.asked;
  }

  answer(message: Buffer, parsed: JsonObject, serverInfo: string): void {
    const urls = canOpenUrl(this.#first.asked.canAsk) ? readUrlElicitations(message, parsed) : undefined;
    this.#settle((leg) => {
      if (urls) leg.reply(this.#toInputRequired(leg, urls, false));
      else leg.answer(message, parsed, serverInfo);
    });
  }

  stream(serverInfo: string, resume: () => void): MessageSink | undefined {
    this.#asks.clear();
    return this.#leg?.stream(serverInfo, resume);
  }

  fail(failure: CallFailure): void {
    this.#settle((leg) => leg.fail(failure));
  }

  progress(message: Buffer, params: JsonObject): void {
    this.#leg?.progress(message, params);
  }

  log(message: Buffer, params: JsonObject): void {
    this.#leg?.log(message, params);
  }

  ask(ask: ServerAsk): string | undefined {
    const { canAsk } = this.#first.asked;
    if (!canBeAsked(canAsk, ask.method, ask.params)) return this.#first.ask(ask);
    if (++this.#count > MAX_ASKS) return ASKED_TOO_MUCH;
    if (!this.#owner.mayHold(this)) return 'Too many calls wait for their clients already; ask again later.';
    this.#asks.set(`input-${this.#count}`, {
      idText: ask.idText,
      request: fromServerRequest(ask.message, ask.method),
    });
    if (this.#leg) this.#gather();
    return undefined;
  }

  withdraw(idText: string): void {
    for (const [key, ask] of this.#asks) if (ask.idText === idText) this.#asks.delete(key);
  }

  /** 2026-07-28 has no such notification. */
  visited(): void {}

  /** The client is back, with answers to some of what was asked: as source text by key. */
  resume(leg: BridgedCall, responseOf: (key: string) => string | undefined): void {
    clearTimeout(this.#timer);
    this.#leg = leg;
    for (const [key, { idText }] of this.#asks) {
      const response = responseOf(key);
      if (response === undefined) continue;
      this.#asks.delete(key);
      this.#session.reply(idText, `"result":${response}`);
    }
    if (this.#outcome) this.#settle(this.#outcome);
    // What has no answer yet is asked for once more (S43).
    else if (this.#asks.size > 0) this.#gather();
  }

  /** A request of the client has ended; the call ends with it unless it is held. */
  legReleased(leg: BridgedCall): void {
    if (this.#leg === leg) this.#end();
  }

  /** Ends a call whose client does not come back. */
  expire(): void {
    if (this.#isEnded) return;
    this.#session.abandon(this);
    this.#end();
  }

  #settle(outcome: Outcome): void {
    this.#asks.clear();
    if (!this.#leg) this.#outcome = outcome;
    else outcome(this.#leg);
  }

  #gather(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#hold(), GATHER_MS);
  }

  /** Answers the client's request with what the server asks, and waits. */
  #hold(): void {
    const leg = this.#leg;
    if (!leg || leg.isSettled || this.#asks.size === 0) return;
    this.#leg = undefined;
    this.#timer = setTimeout(() => this.expire(), this.#askTimeoutMs);
    const requests = [...this.#asks].map(([key, { request }]) => `${JSON.stringify(key)}:${request}`);
    leg.reply(this.#toInputRequired(leg, requests, true));
  }

  #toInputRequired(leg: BridgedCall, requests: readonly string[], isHeld: boolean): Buffer {
    const entries = isHeld ? requests : requests.map((request, index) => `"url-${index + 1}":${request}`);
    const state = JSON.stringify(this.#owner.seal(this, isHeld));
    const meta = `{${JSON.stringify(SERVER_INFO_META_KEY)}:${this.#session.serverInfo}}`;
    const asked = `"inputRequests":{${entries.join(',')}},"requestState":${state}`;
    const result = `{"resultType":"input_required",${asked},"_meta":${meta}}`;
    return Buffer.from(`{"jsonrpc":"2.0","id":${leg.asked.idText ?? 'null'},"result":${result}}`);
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#owner.ended(this);
  }
}

/** The client's answers in a retry: source text of those that are objects, as all answers are. */
export function readResponses(body: Buffer, params: JsonObject): (key: string) => string | undefined {
  const responses = isObject(params['inputResponses']) ? params['inputResponses'] : {};
  return (key) => (isObject(responses[key]) ? sourceOf(body, 'params', 'inputResponses', key) : undefined);
}
