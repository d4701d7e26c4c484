/**
 * What the gateway asks of a server, whatever carries the request there. The HTTP carrier is `http-upstream.ts`;
 * carriers that translate (other eras, stdio) fit behind the same interface.
 */
import { JSON_RPC_ERROR, type Failure } from '@database-mcp/errors';
import type { Span } from '@database-mcp/telemetry';
import type { AskKey } from '../asks/client-capabilities.ts';

/** One JSON-RPC message for an upstream. */
export interface UpstreamRequest {
  /** The message, byte for byte. */
  body: Buffer;
  /** Headers that travel with it, names in lower case. */
  headers: Readonly<Record<string, string>>;
  /** What it belongs to; undefined: it is not observed, like health probes. */
  origin?: Origin;
  /** The name of the tool or prompt at the upstream, where it is another one there. */
  targetName?: string;
  /** The legacy client, if it can be asked something during this call; a modern one says so in the message. */
  client?: AskableClient;
}

/** What a request to an upstream belongs to: the message that a client sent, or a task of the gateway's own. */
export interface Origin {
  /** Undefined when nothing is traced. */
  readonly span: Span | undefined;
  /** `baggage` that travels along. */
  readonly baggage: string | undefined;
  /** What the client asked for; one of the methods of MCP. */
  readonly method: string;
  readonly protocolVersion: string | undefined;
  /** As the client wrote it. */
  readonly requestId: string | undefined;
  /** What the method names: a tool, a prompt or the URI of a resource. */
  readonly target: Target | undefined;
  /** The upstream that was asked last, for the log. */
  upstream?: string;
  /** What an answer tells, only while its end is passed on. */
  outcome?: Outcome;
}

/** What a method names. */
export interface Target {
  kind: 'tool' | 'prompt' | 'uri';
  /** The name that clients know. */
  name: string;
  /** It is in a list, so it may be a label and part of a span's name. */
  isListed: boolean;
}

/** A client that takes requests on the stream of its call. */
export interface AskableClient {
  /** The same for all calls of one client. */
  readonly session: string;
  /** What it can be asked. */
  readonly canDo: AskKey;
  /** Expects an answer; whoever calls this sends the request. Undefined: too many clients are being asked already. */
  ask(onAnswer: (answer: Buffer) => void): OpenAsk | undefined;
}

/** A request to a client that is not answered yet. */
export interface OpenAsk {
  /** Source text of the id under which the client answers. */
  idText: string;
  /** Its answer is of no interest any more. */
  forget(): void;
}

/** How an answer begins. */
export type ReplyHead = { kind: 'json'; status: number; length?: number } | { kind: 'events' };

/** Takes the answer: `start`, `data`…, then `end`; or `failed` at any point. Nothing follows `end`, `failed` or a cancel. */
export interface ReplyReceiver {
  start(head: ReplyHead): void;
  /** False: no more until {@link CallHandle.resume}. */
  data(chunk: Buffer): boolean;
  end(): void;
  failed(failure: CallFailure): void;
}

/** A call in progress. */
export interface CallHandle {
  /** The client is gone: ends the request at the upstream. */
  cancel(): void;
  resume(): void;
}

/** Why a call has no answer, or no whole one. */
export type CallFailure =
  | { kind: 'unreachable' }
  | { kind: 'busy'; limit: number }
  | { kind: 'timeout'; timeoutMs: number }
  /** It asked the client for something, and the client did not answer. */
  | { kind: 'unanswered'; timeoutMs: number }
  /** It asked the client for something, and the client refused or cannot be asked that; `problem` is a sentence. */
  | { kind: 'refused-ask'; problem: string }
  /** The connection ended in the middle of the call. */
  | { kind: 'cut-off' }
  /** It answered something that is no MCP. */
  | { kind: 'not-mcp'; status: number }
  /** One message of it is larger than the gateway holds in memory. */
  | { kind: 'too-large'; limit: number }
  /** It found fault with what is the gateway's part of the request. */
  | { kind: 'protocol-fault'; code: number };

/** What became of a request. */
export type Outcome =
  | { kind: 'ok' }
  /** A result with `isError: true`. */
  | { kind: 'tool-error' }
  | { kind: 'rpc-error'; code: number; message: string }
  | { kind: 'failure'; failure: CallFailure['kind'] }
  /** The client went away, or said that it has no more interest. */
  | { kind: 'cancelled' };

/** A server behind the gateway. */
export interface Upstream {
  readonly name: string;
  /** False while the breaker is open. */
  isReachable(): boolean;
  /** The health probe got an answer: calls may pass again. */
  markReachable(): void;
  call(request: UpstreamRequest, receiver: ReplyReceiver): CallHandle;
  /** Like `call`, but past the breaker, the limits and the calls that wait; for lists, health probes and listening. */
  probe(request: UpstreamRequest, receiver: ReplyReceiver, timeoutMs: number): CallHandle;
  /** Settles when no call is in progress; without it an upstream that is taken out is closed after its deadline. */
  drained?(): Promise<void>;
  close(): Promise<void>;
}

/** The failure in the words of the error vocabulary; the server's address is never told. */
export function describeFailure(upstream: string, failure: CallFailure): Failure {
  const server = `The database server ${JSON.stringify(upstream)}`;
  switch (failure.kind) {
    case 'unreachable':
      return {
        code: 'UNAVAILABLE',
        message: `${server} cannot be reached.`,
        hint: 'It is retried every second; try again shortly, other databases are not affected.',
      };
    case 'busy':
      return {
        code: 'BUSY',
        message: `${server} has ${failure.limit} calls waiting already.`,
        hint: 'Try again in a few seconds; other databases are not affected.',
      };
    case 'timeout':
      return {
        code: 'TIMEOUT',
        message: `${server} did not answer within ${failure.timeoutMs} ms, and the call was ended.`,
        hint: 'Narrow the request, or try again later; other databases are not affected.',
      };
    case 'unanswered':
      return {
        code: 'TIMEOUT',
        message: `${server} asked for input and got none within ${failure.timeoutMs} ms, and the call was ended.`,
        hint: 'Make the call again and answer what is asked.',
      };
    case 'refused-ask':
      return {
        code: 'QUERY_FAILED',
        message: `${server} asks for further input. ${failure.problem}`,
        hint: 'Give all that the tool may ask for in its arguments, or use a client that can be asked.',
      };
    case 'cut-off':
      return {
        code: 'UNAVAILABLE',
        message: `${server} closed the connection before its answer was complete.`,
        hint: 'Whether the call took effect is unknown: check before repeating a change. A query can be repeated now.',
      };
    case 'not-mcp':
      return {
        code: 'UNAVAILABLE',
        message: `${server} gave an answer that is not MCP (HTTP ${failure.status}).`,
        hint: describeStatus(failure.status),
      };
    case 'too-large':
      return {
        code: 'TOO_LARGE',
        message: `${server} gave an answer larger than ${failure.limit} bytes, and the call was ended.`,
        hint: 'Narrow the request so that its answer is smaller.',
      };
    case 'protocol-fault':
      return {
        code: 'INTERNAL',
        message: `${server} refused the form of the request (${failure.code}).`,
        hint: 'This is a fault between the gateway and that server; tell the operator.',
      };
  }
}

function describeStatus(status: number): string {
  if (status === 401 || status === 403) {
    return 'The operator must check the credential (headers) of this upstream in gateway.yaml.';
  }
  if (status === 404) return 'The operator must check the path in the url of this upstream in gateway.yaml.';
  if (status === 429 || status === 503) return 'It is overloaded or starting; try again shortly.';
  return 'Try again shortly; if it stays so, the operator must check that server and its url in gateway.yaml.';
}

/** Faults of the gateway's own making are protocol errors, everything else is a tool result with `isError`. */
export function isProtocolFault(failure: CallFailure): boolean {
  return failure.kind === 'protocol-fault';
}

/** A resource that is not there, in the revisions with `initialize`; 2026-07-28 has no such code (S36). */
export const LEGACY_NOT_FOUND = -32_002;

/** Errors that an upstream can only have because of what the gateway made of the request (G27). */
export function isGatewayFault(code: unknown): code is number {
  return code === JSON_RPC_ERROR.HEADER_MISMATCH || code === JSON_RPC_ERROR.UNSUPPORTED_PROTOCOL_VERSION;
}
