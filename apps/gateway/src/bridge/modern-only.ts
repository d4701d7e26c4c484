/**
 * A legacy client's request at a server of 2026-07-28 alone: the request gets the envelope and the headers that the
 * server needs, the answer loses the members that the client does not know. Notifications pass as they are. What the
 * server asks goes to a client that can be asked through `input-rounds.ts`.
 */
import { ASK_NOTHING, toCapabilities } from '../asks/client-capabilities.ts';
import { MODERN_VERSION, type JsonObject } from '../protocol.ts';
import { encodeHeaderValue } from '../edge/header-value.ts';
import type { CallHandle, ReplyReceiver, Upstream, UpstreamRequest } from '../upstream/upstream.ts';
import { readAsked } from './bridged-call.ts';
import { downLevelResult } from './down-level.ts';
import { InputRounds } from './input-rounds.ts';
import { LegacyReply, resultOf, toLegacyAnswer } from './legacy-reply.ts';
import { MODERN_RESULT_RULES, toModernRequest } from './message-text.ts';

/** Which parameter the `Mcp-Name` header repeats (S18). */
const NAME_SOURCE: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

/** What the gateway says of itself, and how long it waits for clients. */
export interface ModernCallOptions {
  clientInfo: JsonObject;
  askTimeoutMs: number;
}

/** Sends a legacy request in modern form; `send` carries it. */
export function callModern(
  send: Upstream['call'],
  request: UpstreamRequest,
  receiver: ReplyReceiver,
  { clientInfo, askTimeoutMs }: ModernCallOptions,
): CallHandle {
  const asked = readAsked(request);
  const name = asked.params[NAME_SOURCE[asked.method] ?? ''];
  const headers: Record<string, string> = {
    ...request.headers,
    'mcp-protocol-version': MODERN_VERSION,
    'mcp-method': asked.method,
  };
  if (typeof name === 'string') headers['mcp-name'] = encodeHeaderValue(name);
  const body = toModernRequest(request.body, clientInfo, toCapabilities(asked.canAsk));
  if (asked.client && asked.canAsk !== ASK_NOTHING) {
    return new InputRounds({ send, asked, client: asked.client, body, headers, receiver, askTimeoutMs });
  }
  const translate = (message: Buffer): Buffer | undefined => {
    const result = resultOf(message);
    if (!result) return message;
    if (result['resultType'] !== 'input_required') return toLegacyAnswer(message, result, asked);
    reply.refuse({ kind: 'refused-ask', problem: 'This client cannot be asked for it.' });
    return undefined;
  };
  const reply = new LegacyReply(receiver, translate, { largeRules: MODERN_RESULT_RULES });
  const handle = send({ body, headers }, reply);
  reply.handle = handle;
  return handle;
}

/** Sends a request as it is; the answer's content is brought down to the client's old revision (G34). */
export function callDownLevel(send: Upstream['call'], request: UpstreamRequest, receiver: ReplyReceiver): CallHandle {
  const { version } = readAsked(request);
  const reply = new LegacyReply(receiver, (message) => {
    const result = resultOf(message);
    // Only content that the client's old revision cannot read is replaced.
    return result ? downLevelResult(message, result, version) : message;
  });
  const handle = send(request, reply);
  reply.handle = handle;
  return handle;
}
