/**
 * One session with a legacy server over one connection: the handshake, the gateway's ids, and which call each message
 * belongs to. What the server asks goes to the client of the call during which it asks; without one it is refused.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { JSON_RPC_ERROR } from '@database-mcp/errors';
import { LOG_FIELD, type Logger } from '@database-mcp/telemetry';
import { isObject, LEGACY_VERSIONS, type JsonObject } from '../protocol.ts';
import { findValue, firstKeyOf, listElements } from '../json-spans.ts';
import type { MessageSink } from '../upstream/event-stream.ts';
import type { CallFailure } from '../upstream/upstream.ts';
import { CarrierError, type Carrier, type CreateCarrier } from './carrier.ts';
import { sourceOf, toLegacyRequest } from './message-text.ts';
import type { AskingSession, OpenQuestion, ServerCall } from './server-call.ts';

/** What a session needs. */
export interface SessionOptions {
  name: string;
  version: string;
  createCarrier: CreateCarrier;
  logger: Logger;
  handshakeMs: number;
  /** What is declared to the server. */
  capabilities: JsonObject;
  /** A notification that belongs to no call. */
  onNotification: (method: string, message: Buffer, parsed: JsonObject) => void;
  onClosed: (session: LegacySession, failure: CallFailure) => void;
}

/** Revisions whose servers can be spoken to; the oldest is that of the first SDKs. */
const ACCEPTED = new Set<string>([...LEGACY_VERSIONS, '2024-10-07']);
const HANDSHAKE_ID = 0;
/** Some servers begin to answer for their stream only with its first message; a busy one takes its time. */
const STREAM_MS = 1_500;

interface Pending {
  answer(message: Buffer, parsed: JsonObject): void;
  lost(failure: CallFailure): void;
  call?: ServerCall;
}

/** A session that is open, or being opened. */
export class LegacySession implements AskingSession {
  readonly #options: SessionOptions;
  readonly #carrier: Carrier;
  readonly #pending = new Map<number, Pending>();
  readonly #closed = Promise.withResolvers<never>();
  #nextId = 1;
  #isClosed = false;
  /** Source text of the handshake's parts. */
  serverInfo = '{}';
  capabilities: JsonObject = {};
  instructions: string | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#closed.promise.catch(() => {});
    this.#carrier = options.createCarrier({
      message: (text, requestId) => this.#receive(text, requestId),
      large: (head, requestId, resume) => this.#streamAnswer(head, requestId, resume),
      isAwaited: (requestId) => this.#pending.has(requestId),
      lost: (requestId, failure) => this.#lose(requestId, failure),
      closed: (failure) => this.#close(failure),
    });
  }

  /** Connects and shakes hands. Rejects with a {@link CarrierError}. */
  async open(): Promise<void> {
    const { handshakeMs } = this.#options;
    const timer = setTimeout(() => this.#close({ kind: 'timeout', timeoutMs: handshakeMs }), handshakeMs);
    try {
      await Promise.race([this.#carrier.open(), this.#closed.promise]);
      const { message, parsed } = await this.#shakeHands();
      const { result } = parsed;
      const agreed = isObject(result) ? result['protocolVersion'] : undefined;
      if (!isObject(result) || typeof agreed !== 'string' || !ACCEPTED.has(agreed)) {
        throw new CarrierError(
          { kind: 'not-mcp', status: 200 },
          'its answer to initialize is no result that can be used',
        );
      }
      this.serverInfo = sourceOf(message, 'result', 'serverInfo') ?? '{}';
      this.capabilities = isObject(result['capabilities']) ? result['capabilities'] : {};
      this.instructions = typeof result['instructions'] === 'string' ? result['instructions'] : undefined;
      const streaming = this.#carrier.agreed(agreed);
      this.#send({ method: 'notifications/initialized' });
      clearTimeout(timer);
      // A server that asks before its stream is there would never be answered.
      if (Object.keys(this.#options.capabilities).length > 0) {
        await Promise.race([streaming, delay(STREAM_MS, undefined, { ref: false }), this.#closed.promise]);
      }
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends the call; its answer, its progress and its end are told to it. `onLost`: true when the call is taken back. */
  run(call: ServerCall, onLost: (failure: CallFailure) => boolean): void {
    const id = this.#nextId++;
    this.#pending.set(id, {
      call,
      answer: (message, parsed) => call.answer(message, parsed, this.serverInfo),
      lost: (failure) => {
        if (!onLost(failure)) call.fail(failure);
      },
    });
    this.#carrier.send(toLegacyRequest(call.body, id), id, call.traceHeaders);
  }

  /** Passes a notification on. */
  notify(body: Buffer): void {
    this.#carrier.send(body);
  }

  /** Asks something of the gateway's own; any answer will do. */
  async ask(method: string, params: JsonObject = {}): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const id = this.#nextId++;
      this.#pending.set(id, { answer: () => resolve(), lost: (failure) => reject(new CarrierError(failure, method)) });
      this.#carrier.send(Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method, params })), id);
    });
  }

  /** Nobody waits for the call's answer any more: the server is told. */
  abandon(call: ServerCall): void {
    for (const [id, pending] of this.#pending) {
      if (pending.call !== call) continue;
      this.#pending.delete(id);
      this.#send({ method: 'notifications/cancelled', params: { requestId: id, reason: 'the client does not wait' } });
      this.#carrier.abandon(id);
      return;
    }
  }

  handOver(ended: ServerCall, question: OpenQuestion): boolean {
    const other = this.#calls().find((call) => call !== ended && call.session === ended.session);
    if (!other?.adopt) {
      this.#refuse(question.idText, 'The call during which this was asked has ended.');
      return false;
    }
    other.adopt(question);
    return true;
  }

  reply(idText: string, outcome: string): void {
    if (!this.#isClosed) this.#carrier.send(Buffer.from(`{"jsonrpc":"2.0","id":${idText},${outcome}}`));
  }

  get isIdle(): boolean {
    return this.#pending.size === 0;
  }

  async close(): Promise<void> {
    this.#close({ kind: 'cut-off' });
    await this.#carrier.close();
  }

  #shakeHands(): Promise<{ message: Buffer; parsed: JsonObject }> {
    const { name, version, capabilities } = this.#options;
    return new Promise((resolve, reject) => {
      this.#pending.set(HANDSHAKE_ID, {
        answer: (message, parsed) => resolve({ message, parsed }),
        lost: (failure) => {
          const text = `upstream ${JSON.stringify(name)}: initialize has no answer (${failure.kind})`;
          reject(new CarrierError(failure, text));
        },
      });
      const params = {
        protocolVersion: LEGACY_VERSIONS[0],
        capabilities,
        clientInfo: { name: 'database-mcp-gateway', version },
      };
      const body = JSON.stringify({ jsonrpc: '2.0', id: HANDSHAKE_ID, method: 'initialize', params });
      this.#carrier.send(Buffer.from(body), HANDSHAKE_ID);
    });
  }

  /** A large result goes to its call in pieces; anything else is wanted whole. */
  #streamAnswer(head: Buffer, requestId: number, resume: () => void): MessageSink | undefined {
    if (firstKeyOf(head, ['method', 'result', 'error']) !== 'result') return undefined;
    const sink = this.#pending.get(requestId)?.call?.stream(this.serverInfo, resume);
    if (!sink) return undefined;
    return {
      push: (piece) => sink.push(piece),
      end: () => {
        this.#pending.delete(requestId);
        sink.end();
      },
    };
  }

  #receive(text: Buffer, requestId?: number): void {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text.toString('utf8'));
    } catch {
      const fields = { [LOG_FIELD.UPSTREAM]: this.#options.name, bytes: text.length };
      this.#options.logger.warn(fields, 'the upstream sent a message that is not JSON');
      if (requestId !== undefined) this.#lose(requestId, { kind: 'not-mcp', status: 200 });
      return;
    }
    if (!Array.isArray(parsed)) return this.#dispatch(text, parsed, requestId);
    const spans = listElements(text, findValue(text)?.start ?? 0);
    for (const [index, { start, end }] of spans.entries()) {
      this.#dispatch(text.subarray(start, end), parsed[index], requestId);
    }
  }

  #dispatch(text: Buffer, parsed: unknown, requestId?: number): void {
    if (!isObject(parsed)) return;
    const { id, method } = parsed;
    if (typeof method === 'string') {
      if (id === undefined) this.#notice(text, method, parsed, requestId);
      else this.#serve(text, method, parsed, requestId);
      return;
    }
    // Of an answer without a usable id at least the stream tells whose it is.
    const answered = typeof id === 'number' ? id : requestId;
    const pending = answered === undefined ? undefined : this.#pending.get(answered);
    if (answered === undefined || !pending) return;
    this.#pending.delete(answered);
    pending.answer(text, parsed);
  }

  #notice(text: Buffer, method: string, parsed: JsonObject, requestId?: number): void {
    const params = isObject(parsed['params']) ? parsed['params'] : {};
    if (method === 'notifications/progress') {
      this.#pending.get(Number(params['progressToken']))?.call?.progress(text, params);
    } else if (method === 'notifications/message') this.#callOf(requestId)?.log(text, params);
    else if (method === 'notifications/cancelled') {
      const idText = sourceOf(text, 'params', 'requestId');
      for (const { call } of this.#pending.values()) if (idText !== undefined) call?.withdraw(idText);
    } else if (method === 'notifications/elicitation/complete') this.#callOf(requestId)?.visited(text);
    else this.#options.onNotification(method, text, parsed);
  }

  /** The call that a message of the server belongs to: the one on whose stream it came, or the only one. */
  #callOf(requestId: number | undefined): ServerCall | undefined {
    if (requestId !== undefined) return this.#pending.get(requestId)?.call;
    const calls = this.#calls();
    return calls.length === 1 ? calls[0] : undefined;
  }

  /** A call on whose stream the server's client can be asked: its own, or any when all are of one client. */
  #askableCall(requestId: number | undefined): ServerCall | undefined {
    const [first, ...others] = this.#calls();
    const isOneClient = first?.session !== undefined && others.every(({ session }) => session === first.session);
    return this.#callOf(requestId) ?? (isOneClient ? first : undefined);
  }

  #calls(): ServerCall[] {
    return [...this.#pending.values()].flatMap(({ call }) => call ?? []);
  }

  /** A request of the server. */
  #serve(message: Buffer, method: string, parsed: JsonObject, requestId?: number): void {
    const idText = sourceOf(message, 'id') ?? 'null';
    if (method === 'ping') return this.reply(idText, '"result":{}');
    const params = isObject(parsed['params']) ? parsed['params'] : {};
    const call = this.#askableCall(requestId);
    const problem = call
      ? call.ask({ idText, isOwn: requestId !== undefined, method, params, message })
      : `There is no single client with a call in progress of which ${method} could be asked.`;
    if (problem !== undefined) this.#refuse(idText, problem);
  }

  #refuse(idText: string, message: string): void {
    this.reply(idText, `"error":${JSON.stringify({ code: JSON_RPC_ERROR.METHOD_NOT_FOUND, message })}`);
  }

  #send(message: JsonObject): void {
    this.#carrier.send(Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message })));
  }

  #lose(requestId: number, failure: CallFailure): void {
    const pending = this.#pending.get(requestId);
    this.#pending.delete(requestId);
    pending?.lost(failure);
  }

  #close(failure: CallFailure): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closed.reject(new CarrierError(failure, `the connection cannot be opened (${failure.kind})`));
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    this.#options.onClosed(this, failure);
    for (const pending of lost) pending.lost(failure);
  }
}
