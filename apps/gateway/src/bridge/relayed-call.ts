/**
 * A legacy client's call at a legacy server, when the client can be asked: what the server asks goes on the stream of the
 * call as a request with the gateway's id, and the client's answer goes back under the server's.
 */
import { canBeAsked } from '../asks/client-capabilities.ts';
import { isObject, type JsonObject } from '../protocol.ts';
import type { MessageSink } from '../upstream/event-stream.ts';
import type { AskableClient, CallFailure } from '../upstream/upstream.ts';
import type { BridgedCall } from './bridged-call.ts';
import { editMessage, sourceOf } from './message-text.ts';
import {
  ASKED_TOO_MUCH,
  MAX_ASKS,
  type AskingSession,
  type OpenQuestion,
  type ServerAsk,
  type ServerCall,
} from './server-call.ts';

/** One such call; it ends with its one leg. */
export class RelayedCall implements ServerCall {
  readonly leg: BridgedCall;
  readonly #client: AskableClient;
  readonly #session: AskingSession;
  readonly #askTimeoutMs: number;
  /** By the source text of the server's id. */
  readonly #open = new Map<string, OpenQuestion>();
  #count = 0;

  constructor(leg: BridgedCall, client: AskableClient, session: AskingSession, askTimeoutMs: number) {
    this.leg = leg;
    this.#client = client;
    this.#session = session;
    this.#askTimeoutMs = askTimeoutMs;
  }

  get session(): string {
    return this.#client.session;
  }

  get traceHeaders(): Readonly<Record<string, string>> | undefined {
    return this.leg.traceHeaders;
  }

  get body(): Buffer {
    return this.leg.body;
  }

  answer(message: Buffer, parsed: JsonObject, serverInfo: string): void {
    this.#beginAnswer();
    this.leg.answer(message, parsed, serverInfo);
  }

  stream(serverInfo: string, resume: () => void): MessageSink | undefined {
    this.#beginAnswer();
    return this.leg.stream(serverInfo, resume);
  }

  fail(failure: CallFailure): void {
    this.leg.fail(failure);
  }

  progress(message: Buffer, params: JsonObject): void {
    this.leg.progress(message, params);
  }

  log(message: Buffer, params: JsonObject): void {
    this.leg.log(message, params);
  }

  ask({ idText, isOwn, method, params, message }: ServerAsk): string | undefined {
    if (!canBeAsked(this.#client.canDo, method, params))
      return this.leg.ask({ idText, isOwn, method, params, message });
    if (++this.#count > MAX_ASKS) return ASKED_TOO_MUCH;
    const open = this.#client.ask((answer) => question.answered(answer));
    if (!open) return 'Too many clients are being asked at this moment; ask again later.';
    const question: OpenQuestion = { idText, isOwn, open, answered: () => {} };
    this.#keep(question);
    this.leg.askClient(editMessage(message, { id: open.idText }), this.#askTimeoutMs);
    return undefined;
  }

  adopt(question: OpenQuestion): void {
    this.#keep(question);
    this.leg.awaitClient(this.#askTimeoutMs);
  }

  withdraw(idText: string): void {
    const question = this.#open.get(idText);
    if (!question) return;
    const { open } = question;
    open.forget();
    this.#closed(idText);
    const params = `{"requestId":${open.idText},"reason":"the server does not wait for this any more"}`;
    this.leg.notify(Buffer.from(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`));
  }

  visited(message: Buffer): void {
    this.leg.notify(message);
  }

  /** The leg has ended. */
  legReleased(): void {
    for (const question of this.#open.values()) if (!this.#handOver(question)) question.open.forget();
    this.#open.clear();
  }

  #beginAnswer(): void {
    for (const question of this.#open.values()) if (!this.#handOver(question)) this.withdraw(question.idText);
    // Whether something was asked or not, a client that can be asked gets the same form of answer.
    this.leg.openStream();
  }

  /** On a connection that calls share, the question may be that of another one, which would wait for ever. */
  #handOver(question: OpenQuestion): boolean {
    if (question.isOwn || !this.#session.handOver(this, question)) return false;
    this.#open.delete(question.idText);
    return true;
  }

  #keep(question: OpenQuestion): void {
    this.#open.set(question.idText, question);
    question.answered = (answer) => this.#answered(question.idText, answer);
  }

  #answered(idText: string, answer: Buffer): void {
    this.#closed(idText);
    const key = isObject(JSON.parse(answer.toString('utf8'))) && sourceOf(answer, 'error') ? 'error' : 'result';
    this.#session.reply(idText, `"${key}":${sourceOf(answer, key) ?? '{}'}`);
  }

  #closed(idText: string): void {
    this.#open.delete(idText);
    if (this.#open.size === 0) this.leg.startDeadline();
  }
}
