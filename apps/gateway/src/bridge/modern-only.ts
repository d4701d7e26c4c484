/**
 * A legacy client's request at a server of 2026-07-28 alone: the request gets the envelope and the headers that the
 * server needs, the answer loses the members that the client does not know. Notifications pass as they are.
 */
import { toErrorResult, toJsonRpcError, JSON_RPC_ERROR } from '@database-mcp/errors';
import { isObject, MODERN_VERSION, type JsonObject } from '../edge/classify.ts';
import { encodeHeaderValue } from '../edge/header-value.ts';
import { EventReader } from '../upstream/event-stream.ts';
import type { CallFailure, CallHandle, ReplyHead, ReplyReceiver, UpstreamRequest } from '../upstream/upstream.ts';
import { readAsked, type Asked } from './bridged-call.ts';
import { MAX_MESSAGE_BYTES } from './carrier.ts';
import { downLevelResult } from './down-level.ts';
import { editMessage, fromModernResult, toEvent, toModernRequest } from './message-text.ts';

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
  const reply = new LegacyReply(asked, receiver, toLegacyAnswer);
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
  #chunks: Buffer[] = [];
  #size = 0;
  #status = 0;
  #reader: EventReader | undefined;
  #isTaken = true;
  handle: CallHandle | undefined;

  constructor(asked: Asked, receiver: ReplyReceiver, translate: Translate) {
    this.#asked = asked;
    this.#receiver = receiver;
    this.#translate = translate;
  }

  start(head: ReplyHead): void {
    if (head.kind === 'json') {
      this.#status = head.status;
      return;
    }
    this.#receiver.start(head);
    this.#reader = new EventReader((data) => {
      this.#size = 0;
      this.#isTaken = this.#receiver.data(toEvent(this.#translate(data, this.#asked)));
    });
  }

  data(chunk: Buffer): boolean {
    this.#size += chunk.length;
    if (this.#size > MAX_MESSAGE_BYTES) {
      this.handle?.cancel();
      this.#receiver.failed({ kind: 'too-large', limit: MAX_MESSAGE_BYTES });
      return false;
    }
    if (!this.#reader) {
      this.#chunks.push(chunk);
      return true;
    }
    this.#isTaken = true;
    this.#reader.push(chunk);
    return this.#isTaken;
  }

  end(): void {
    if (!this.#reader) {
      const answer = this.#translate(Buffer.concat(this.#chunks), this.#asked);
      // The revisions with initialize answer errors of JSON-RPC with 200.
      const status = this.#status < 300 ? this.#status : 200;
      this.#receiver.start({ kind: 'json', status, length: answer.length });
      this.#receiver.data(answer);
    }
    this.#receiver.end();
  }

  failed(failure: CallFailure): void {
    this.#receiver.failed(failure);
  }
}

/** A modern server's message as a legacy client expects it; what is no answer passes. */
function toLegacyAnswer(message: Buffer, asked: Asked): Buffer {
  const result = resultOf(message);
  if (!result) return message;
  if (result['resultType'] === 'input_required') return refuseInput(asked);
  return downLevelResult(fromModernResult(message), result, asked.version);
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
