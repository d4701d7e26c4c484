/**
 * A legacy client's request at a server of 2026-07-28 alone: the request gets the envelope and the headers that the
 * server needs, the answer loses the members that the client does not know. Notifications pass as they are.
 */
import { toErrorResult, toJsonRpcError, JSON_RPC_ERROR } from '@database-mcp/errors';
import { isObject, MODERN_VERSION, type JsonObject } from '../edge/classify.ts';
import { encodeHeaderValue } from '../edge/header-value.ts';
import type { SpliceRules } from '../json-splicer.ts';
import { findValue, firstKeyOf } from '../json-spans.ts';
import type { MessageSink } from '../upstream/event-stream.ts';
import type { CallFailure, CallHandle, ReplyHead, ReplyReceiver, UpstreamRequest } from '../upstream/upstream.ts';
import { readAsked, type Asked } from './bridged-call.ts';
import { downLevelResult } from './down-level.ts';
import { editMessage, MODERN_RESULT_RULES, sourceOf, spliceResult, toEvent, toModernRequest } from './message-text.ts';
import { createSplicedAnswer } from './spliced-answer.ts';
import { ReplyReader } from './reply-reader.ts';

const HTTP_OK = 200;
const HTTP_ERROR = 300;

/** Which parameter the `Mcp-Name` header repeats (S18). */
const NAME_SOURCE: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

/** Sends a legacy request in modern form; `send` carries it, `clientInfo` names the gateway. */
export function callModern(
  send: (request: UpstreamRequest, receiver: ReplyReceiver) => CallHandle,
  request: UpstreamRequest,
  receiver: ReplyReceiver,
  clientInfo: JsonObject,
): CallHandle {
  const asked = readAsked(request);
  const name = asked.params[NAME_SOURCE[asked.method] ?? ''];
  const headers: Record<string, string> = {
    ...request.headers,
    'mcp-protocol-version': MODERN_VERSION,
    'mcp-method': asked.method,
  };
  if (typeof name === 'string') headers['mcp-name'] = encodeHeaderValue(name);
  const reply = new LegacyReply(asked, receiver, toLegacyAnswer, MODERN_RESULT_RULES);
  const handle = send({ body: toModernRequest(request.body, clientInfo), headers }, reply);
  reply.handle = handle;
  return handle;
}

/** Sends a request as it is; the answer's content is brought down to the client's old revision (G34). */
export function callDownLevel(
  send: (request: UpstreamRequest, receiver: ReplyReceiver) => CallHandle,
  request: UpstreamRequest,
  receiver: ReplyReceiver,
): CallHandle {
  const reply = new LegacyReply(readAsked(request), receiver, toReadableAnswer);
  const handle = send(request, reply);
  reply.handle = handle;
  return handle;
}

/** The message as it goes to the client. */
type Translate = (message: Buffer, asked: Asked) => Buffer;

/** Takes an answer and passes its messages on in the form that the client reads. */
class LegacyReply implements ReplyReceiver {
  readonly #asked: Asked;
  readonly #receiver: ReplyReceiver;
  readonly #translate: Translate;
  readonly #largeRules: SpliceRules | undefined;
  #status = 0;
  #reader: ReplyReader | undefined;
  #isEvents = false;
  #isTaken = true;
  #isFailed = false;
  handle: CallHandle | undefined;

  /** `largeRules`: what a large result needs that is passed on in pieces; without them each is translated as a whole. */
  constructor(asked: Asked, receiver: ReplyReceiver, translate: Translate, largeRules?: SpliceRules) {
    this.#asked = asked;
    this.#receiver = receiver;
    this.#translate = translate;
    this.#largeRules = largeRules;
  }

  start(head: ReplyHead): void {
    this.#isEvents = head.kind === 'events';
    if (head.kind === 'events') this.#receiver.start(head);
    // The revisions with initialize answer errors of JSON-RPC with 200.
    else this.#status = head.status < HTTP_ERROR ? head.status : HTTP_OK;
    this.#reader = new ReplyReader(
      (data) => {
        this.#isTaken = this.#receiver.data(toEvent(this.#translate(data, this.#asked)));
      },
      (limit) => this.#giveUp({ kind: 'too-large', limit }),
      (text) => this.#takeLarge(text),
    );
    this.#reader.start(this.#isEvents ? 'text/event-stream' : 'application/json');
  }

  data(chunk: Buffer): boolean {
    if (this.#isFailed) return true;
    this.#isTaken = true;
    return this.#reader?.push(chunk) === true && this.#isTaken;
  }

  end(): void {
    if (this.#isFailed) return;
    const whole = this.#reader?.end();
    if (whole && !this.#isFailed) {
      const answer = this.#translate(whole, this.#asked);
      this.#receiver.start({ kind: 'json', status: this.#status, length: answer.length });
      this.#receiver.data(answer);
    }
    if (!this.#isFailed) this.#receiver.end();
  }

  failed(failure: CallFailure): void {
    if (this.#isFailed) return;
    this.#isFailed = true;
    this.#receiver.failed(failure);
  }

  #takeLarge(head: Buffer): MessageSink | undefined {
    if (!this.#largeRules || !isCompleteResult(head)) return undefined;
    if (!this.#isEvents) this.#receiver.start({ kind: 'json', status: this.#status });
    return createSplicedAnswer(this.#largeRules, this.#isEvents, {
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

/** A modern server's message as a legacy client expects it; what is no answer passes. */
function toLegacyAnswer(message: Buffer, asked: Asked): Buffer {
  const result = resultOf(message);
  if (!result) return message;
  if (result['resultType'] === 'input_required') return refuseInput(asked);
  return downLevelResult(spliceResult(message, MODERN_RESULT_RULES), result, asked.version);
}

/** A server's answer in the client's own era: only content that the client's old revision cannot read is replaced. */
function toReadableAnswer(message: Buffer, asked: Asked): Buffer {
  const result = resultOf(message);
  return result ? downLevelResult(message, result, asked.version) : message;
}

function resultOf(message: Buffer): JsonObject | undefined {
  try {
    const parsed: unknown = JSON.parse(message.toString('utf8'));
    return isObject(parsed) && isObject(parsed['result']) ? parsed['result'] : undefined;
  } catch {
    return undefined;
  }
}

/** The client's transport has no way back for what the server asks (era table, MRTR). */
function refuseInput({ method, idText = 'null' }: Asked): Buffer {
  const text = 'The database server asks for further input, which this client cannot be asked for.';
  const hint = 'Give all that the tool may ask for in its arguments, or use a client of MCP 2026-07-28.';
  const answer =
    method === 'tools/call'
      ? { jsonrpc: '2.0', id: null, result: toErrorResult({ code: 'QUERY_FAILED', message: text, hint }) }
      : toJsonRpcError(null, JSON_RPC_ERROR.INTERNAL_ERROR, `${text} ${hint}`);
  return editMessage(Buffer.from(JSON.stringify(answer)), { id: idText });
}
