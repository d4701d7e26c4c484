/**
 * One client request on its way through a bridge: what was asked, and how the answer and the notifications that belong
 * to it reach the client in the form of its era. Knows nothing of connections; a session gives it the server's messages.
 */
import { CLIENT_CAPABILITIES_META_KEY, LOG_LEVEL_META_KEY } from '@modelcontextprotocol/server';
import { JSON_RPC_ERROR } from '@database-mcp/errors';
import { ASK_NOTHING, ASKING_METHODS, toAskKey, type AskKey } from '../asks/client-capabilities.ts';
import { pickTraceHeaders } from '../observe/propagation.ts';
import { isObject, MODERN_VERSION, type Era, type JsonObject } from '../protocol.ts';
import { findValue, splice } from '../json-spans.ts';
import { toEvent, type MessageSink } from '../upstream/event-stream.ts';
import {
  isGatewayFault,
  LEGACY_NOT_FOUND,
  type AskableClient,
  type CallFailure,
  type CallHandle,
  type ReplyReceiver,
  type UpstreamRequest,
} from '../upstream/upstream.ts';
import { downLevelResult, isOldRevision } from './down-level.ts';
import { editMessage, editObject, legacyResultRules, sourceOf, spliceResult } from './message-text.ts';
import type { ServerAsk, ServerCall } from './server-call.ts';
import { createSplicedAnswer } from './spliced-answer.ts';
import { refuseWithoutUrl, URL_ELICITATION_REQUIRED } from './url-elicitation.ts';

/** What a client asked. */
export interface Asked {
  era: Era;
  method: string;
  params: JsonObject;
  /** Source text of its id; undefined for a notification. */
  idText?: string;
  /** Source text of its progress token. */
  tokenText?: string;
  /** A modern client gets log messages of this level and above; without one none. */
  logLevel?: unknown;
  /** The client's revision; legacy clients before 2025-06-18 do not name it. */
  version: string;
  /** What the client can be asked during this request. */
  canAsk: AskKey;
  /** The legacy client that can be asked. */
  client?: AskableClient;
  /** Headers that say to which trace it belongs, when it is traced. */
  traceHeaders?: Readonly<Record<string, string>>;
  body: Buffer;
}

/** What a call tells its upstream. */
export interface BridgedCallObserver {
  /** It has no more use of its place; exactly once. */
  released(call: BridgedCall): void;
  /** The client is gone or the time is over: the server may stop. */
  abandoned(call: BridgedCall): void;
  /** It ends without an answer. */
  failed(failure: CallFailure): void;
}

const ASSUMED_LEGACY_VERSION = '2025-03-26';
/** An answer that is held whole is written in pieces of this size. */
const PIECE_BYTES = 256 * 1024;
const HTTP_OK = 200;
const HTTP_NOT_FOUND = 404;
const LOG_LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

/** Reads a request for an upstream. */
export function readAsked(request: UpstreamRequest): Asked {
  const { body, headers } = request;
  const message: unknown = JSON.parse(body.toString('utf8'));
  const members = isObject(message) ? message : {};
  const params = isObject(members['params']) ? members['params'] : {};
  const meta = isObject(params['_meta']) ? params['_meta'] : {};
  const version = headers['mcp-protocol-version'] ?? ASSUMED_LEGACY_VERSION;
  const era = version === MODERN_VERSION ? 'modern' : 'legacy';
  const method = typeof members['method'] === 'string' ? members['method'] : '';
  const canDo = era === 'modern' ? toAskKey(meta[CLIENT_CAPABILITIES_META_KEY]) : request.client?.canDo;
  return {
    era,
    method,
    params,
    idText: sourceOf(body, 'id'),
    tokenText: sourceOf(body, 'params', '_meta', 'progressToken'),
    logLevel: meta[LOG_LEVEL_META_KEY],
    version,
    canAsk: canDo !== undefined && ASKING_METHODS.has(method) ? canDo : ASK_NOTHING,
    client: request.client,
    traceHeaders: request.origin?.span && pickTraceHeaders(headers),
    body,
  };
}

/** A request in progress. By itself it is the call of a client that cannot be asked. */
export class BridgedCall implements CallHandle, ServerCall {
  readonly asked: Asked;
  readonly session = undefined;
  readonly #receiver: ReplyReceiver;
  readonly #observer: BridgedCallObserver;
  readonly #timeoutMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #settled = false;
  #isStream = false;
  #isPaused = false;
  /** Its answer is on the way; nothing else may come between. */
  #isAnswering = false;
  /** Lets a large answer go on. */
  #goOn: (() => void) | undefined;
  #lastProgress = -Infinity;
  /** It was sent anew after its session had ended. */
  wasRepeated = false;

  constructor(
    asked: Asked,
    receiver: ReplyReceiver,
    observer: BridgedCallObserver,
    /** Undefined: it lasts as long as the client wants. */
    timeoutMs: number | undefined,
  ) {
    this.asked = asked;
    this.#receiver = receiver;
    this.#observer = observer;
    this.#timeoutMs = timeoutMs;
    this.startDeadline();
  }

  get body(): Buffer {
    return this.asked.body;
  }

  get traceHeaders(): Readonly<Record<string, string>> | undefined {
    return this.asked.traceHeaders;
  }

  get isSettled(): boolean {
    return this.#settled;
  }

  cancel(): void {
    if (this.#settled) return;
    this.#observer.abandoned(this);
    this.#settle();
  }

  resume(): void {
    this.#isPaused = false;
    this.#goOn?.();
  }

  fail(failure: CallFailure): void {
    if (this.#settled) return;
    this.#settle(() => this.#receiver.failed(failure));
    this.#observer.failed(failure);
  }

  /** The deadline counts from now. */
  startDeadline(): void {
    const timeoutMs = this.#timeoutMs;
    if (timeoutMs !== undefined) this.#expireAfter(timeoutMs, { kind: 'timeout', timeoutMs });
  }

  /** A request to the client, under the gateway's id; until the deadline starts anew, only the client is waited for. */
  askClient(message: Buffer, askTimeoutMs: number): void {
    this.#write(message);
    this.awaitClient(askTimeoutMs);
  }

  awaitClient(askTimeoutMs: number): void {
    this.#expireAfter(askTimeoutMs, { kind: 'unanswered', timeoutMs: askTimeoutMs });
  }

  ask({ method }: ServerAsk): string | undefined {
    return `This client does not serve ${method}: it declared no such capability.`;
  }

  withdraw(): void {}

  visited(): void {}

  /** The answer of a legacy server. */
  answer(message: Buffer, parsed: JsonObject, serverInfo: string): void {
    if (this.#settled) return;
    const { era, method, version } = this.asked;
    const idText = this.asked.idText ?? 'null';
    if (!isObject(parsed['error'])) {
      const result = downLevelResult(message, parsed['result'], version);
      return this.reply(spliceResult(result, legacyResultRules({ era, idText, method, serverInfo })));
    }
    const { code } = parsed['error'];
    if (isGatewayFault(code)) return this.fail({ kind: 'protocol-fault', code });
    if (era === 'modern' && code === URL_ELICITATION_REQUIRED) return this.reply(...refuseWithoutUrl(idText));
    const span = era === 'modern' && code === LEGACY_NOT_FOUND ? findValue(message, 'error', 'code') : undefined;
    const error = span ? splice(message, span, String(JSON_RPC_ERROR.INVALID_PARAMS)) : message;
    const status = era === 'modern' && code === JSON_RPC_ERROR.METHOD_NOT_FOUND ? HTTP_NOT_FOUND : HTTP_OK;
    this.reply(editMessage(error, { id: idText }), status);
  }

  /** A large result, passed on in pieces as it comes; undefined where it must be there as a whole. */
  stream(serverInfo: string, resume: () => void): MessageSink | undefined {
    const { era, method, version, idText = 'null' } = this.asked;
    if (this.#settled || isOldRevision(version)) return undefined;
    if (!this.#isStream) this.#receiver.start({ kind: 'json', status: HTTP_OK });
    this.#isAnswering = true;
    this.#goOn = resume;
    return createSplicedAnswer(legacyResultRules({ era, idText, method, serverInfo }), this.#isStream, {
      data: (chunk) => this.#settled || this.#receiver.data(chunk),
      ended: (isWhole) => {
        if (this.#settled) return;
        if (isWhole) return this.#settle(() => this.#receiver.end());
        this.#observer.abandoned(this);
        this.fail({ kind: 'cut-off' });
      },
    });
  }

  /** The whole answer, as the client gets it. */
  reply(message: Buffer, status = HTTP_OK): void {
    if (this.#settled || this.#isAnswering) return;
    const bytes = this.#isStream ? toEvent(message) : message;
    if (!this.#isStream) this.#receiver.start({ kind: 'json', status, length: bytes.length });
    this.#isAnswering = true;
    this.#goOn = createPump(bytes, this.#receiver, () => this.#settle(() => this.#receiver.end()));
    this.#goOn();
  }

  /** A progress notification of the server, under the client's own token (G28). */
  progress(message: Buffer, params: JsonObject): void {
    const { tokenText } = this.asked;
    const { progress } = params;
    const span = findValue(message, 'params');
    if (tokenText === undefined || !span || typeof progress !== 'number' || progress <= this.#lastProgress) return;
    this.#lastProgress = progress;
    this.notify(editMessage(message, { params: editObject(message, span, { progressToken: tokenText }) }));
  }

  /** A log message of the server. */
  log(message: Buffer, params: JsonObject): void {
    const { era, logLevel } = this.asked;
    const wanted = LOG_LEVELS.indexOf(String(logLevel));
    if (era === 'legacy' || (wanted !== -1 && LOG_LEVELS.indexOf(String(params['level'])) >= wanted)) {
      this.notify(message);
    }
  }

  /** A notification on the call's own stream; while the client does not read, notifications are dropped. */
  notify(message: Buffer): void {
    if (!this.#isPaused) this.#write(message);
  }

  /** The answer comes on a stream, as everything before it. */
  openStream(): void {
    if (this.#isStream || this.#settled || this.#isAnswering) return;
    this.#isStream = true;
    this.#receiver.start({ kind: 'events' });
  }

  #write(message: Buffer): void {
    if (this.#settled || this.#isAnswering) return;
    this.openStream();
    if (!this.#receiver.data(toEvent(message))) this.#isPaused = true;
  }

  #expireAfter(limitMs: number, failure: CallFailure): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#settled) return;
      this.#observer.abandoned(this);
      this.fail(failure);
    }, limitMs);
  }

  #settle(tell?: () => void): void {
    this.#settled = true;
    clearTimeout(this.#timer);
    tell?.();
    this.#observer.released(this);
  }
}

/** Gives the bytes piece by piece, as fast as they are taken: a call keeps its place as long as its client reads. */
function createPump(bytes: Buffer, receiver: ReplyReceiver, onEnd: () => void): () => void {
  let sent = 0;
  let isRunning = false;
  let isEnded = false;
  return () => {
    // It may be told to go on from within `data`.
    if (isRunning || isEnded) return;
    isRunning = true;
    let isTaken = true;
    while (isTaken && sent < bytes.length) {
      const piece = bytes.subarray(sent, sent + PIECE_BYTES);
      sent += piece.length;
      isTaken = receiver.data(piece);
    }
    isRunning = false;
    isEnded = sent === bytes.length;
    if (isEnded) onEnd();
  };
}
