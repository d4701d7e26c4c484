/**
 * The error of 2025-11-25 by which a server says that its client must visit a URL before the call can be made. In
 * 2026-07-28 the server asks for that instead, as for any input (G27).
 */
import { toJsonRpcError } from '@database-mcp/errors';
import { isObject, type JsonObject } from '../protocol.ts';
import { findValue, listElements } from '../json-spans.ts';
import { editMessage } from './message-text.ts';
import { toInputRequest } from './input-request.ts';

/** The code of that error. */
export const URL_ELICITATION_REQUIRED = -32_042;
/** What a client must declare to be asked (S05). */
const MISSING_CAPABILITY = -32_021;
const HTTP_BAD_REQUEST = 400;

/** The visits that the error asks for, as input requests in source text; undefined if there are none. */
export function readUrlElicitations(message: Buffer, parsed: JsonObject): string[] | undefined {
  const error = isObject(parsed['error']) ? parsed['error'] : {};
  const data = isObject(error['data']) ? error['data'] : {};
  const array = findValue(message, 'error', 'data', 'elicitations');
  if (error['code'] !== URL_ELICITATION_REQUIRED || !array || !Array.isArray(data['elicitations'])) return undefined;
  const spans = listElements(message, array.start);
  const requests = data['elicitations'].flatMap((each: unknown, index) => {
    const span = spans[index];
    if (!isObject(each) || typeof each['url'] !== 'string' || !span) return [];
    const params = editMessage(message.subarray(span.start, span.end), { mode: '"url"' });
    return [toInputRequest('elicitation/create', params)];
  });
  return requests.length === 0 ? undefined : requests;
}

/** The answer for a modern client that did not say that it can open URLs, and its HTTP status. */
export function refuseWithoutUrl(idText: string): [Buffer, number] {
  const text =
    'The server needs its user to open a URL first, and this client did not declare that it can be asked to.';
  const data = { requiredCapabilities: { elicitation: { url: {} } } };
  const answer = Buffer.from(JSON.stringify(toJsonRpcError(null, MISSING_CAPABILITY, text, data)));
  return [editMessage(answer, { id: idText }), HTTP_BAD_REQUEST];
}
