/** A message on its way through the edge, and where its answer goes. */
import type { AskableClient, CallFailure, CallHandle, Origin, ReplyReceiver } from '../upstream/upstream.ts';
import type { Verdict } from './classify.ts';
import type { EventChannel } from './subscriptions.ts';

/** Where the answer to one message goes. Exactly one of its methods is called, once. */
export interface Outlet {
  /** A whole answer. */
  send(status: number, json: string | Buffer): void;
  /** There is no answer. */
  accept(): void;
  /** An answer that comes from an upstream; `toAnswer` makes the answer of a call that fails. */
  stream(toAnswer: (failure: CallFailure) => string): StreamedReply;
  /** A stream that the gateway itself writes; only where one request has a connection of its own. */
  openChannel?: () => EventChannel;
}

/** Takes an upstream's answer, and ends the call when its client is gone. */
export interface StreamedReply extends ReplyReceiver {
  attach(call: CallHandle): void;
}

/** A message that is one request or notification. */
export interface Message {
  /** Its source text. */
  bytes: Buffer;
  body: unknown;
  verdict: Exclude<Verdict, { kind: 'batch' }>;
  /** The headers that may travel to an upstream. */
  headers: Readonly<Record<string, string>>;
  /** Who sent it. */
  peer?: Peer;
  /** What requests to upstreams belong to, when that is observed. */
  origin?: Origin;
  /** The legacy client that sent it, if it can be asked something. */
  client?: AskableClient;
}

/** The other end of a connection; a socket is one. */
export interface Peer {
  readonly remoteAddress?: string;
  readonly remotePort?: number;
}
