/** What a session with a legacy server knows of a call: what it sends, and who takes what the server says of it. */
import type { JsonObject } from '../protocol.ts';
import type { MessageSink } from '../upstream/event-stream.ts';
import type { CallFailure, OpenAsk } from '../upstream/upstream.ts';

/** A request of the server to its client. */
export interface ServerAsk {
  /** It came on the call's own stream; otherwise another call of the same client may be meant. */
  isOwn: boolean;
  /** Source text of its id. */
  idText: string;
  method: string;
  params: JsonObject;
  message: Buffer;
}

/** What a client was asked and has not answered. */
export interface OpenQuestion {
  /** Source text of the server's id. */
  readonly idText: string;
  readonly isOwn: boolean;
  readonly open: OpenAsk;
  /** Takes the client's answer. */
  answered: (answer: Buffer) => void;
}

/** A request at a legacy server. */
export interface ServerCall {
  /** Headers that say to which trace it belongs, when it is traced. */
  readonly traceHeaders: Readonly<Record<string, string>> | undefined;
  /** Tells whether two calls are of the same client; undefined where that cannot be known. */
  readonly session: string | undefined;
  /** The client's request as it came. */
  readonly body: Buffer;
  answer(message: Buffer, parsed: JsonObject, serverInfo: string): void;
  /** A large result begins: where it goes in pieces, or undefined if it is wanted whole. */
  stream(serverInfo: string, resume: () => void): MessageSink | undefined;
  fail(failure: CallFailure): void;
  progress(message: Buffer, params: JsonObject): void;
  log(message: Buffer, params: JsonObject): void;
  /** The server asks the client of this call; the reason if that cannot be asked. */
  ask(ask: ServerAsk): string | undefined;
  /** Takes what the same client was asked during a call that has ended; calls with a `session` can. */
  adopt?(question: OpenQuestion): void;
  /** The server waits no more for what it asked under that id. */
  withdraw(idText: string): void;
  /** The server tells that what a URL was opened for is done. */
  visited(message: Buffer): void;
}

/** The session's side of what a server asks. */
export interface AskingSession {
  /** Source text of what the server says of itself. */
  readonly serverInfo: string;
  /** Sends the client's answer: a member `result` or `error` with its value as source text. */
  reply(idText: string, outcome: string): void;
  abandon(call: ServerCall): void;
  /** The call has ended: another one of its client takes the question, or else the server is told. */
  handOver(call: ServerCall, question: OpenQuestion): boolean;
}

/** A server that asks more than this during one call is not helped by one more answer. */
export const MAX_ASKS = 64;

/** What such a server is told. */
export const ASKED_TOO_MUCH = `The client was asked ${MAX_ASKS} times during this call already.`;
