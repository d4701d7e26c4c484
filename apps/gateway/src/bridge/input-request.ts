/** What a server asks of its client, between the forms of the eras: a request of its own, or a part of a result. */
import { randomUUID } from 'node:crypto';
import { isObject } from '../protocol.ts';
import { editMessage, sourceOf, withoutProgressToken } from './message-text.ts';

/** An entry of `inputRequests` as source text. */
export function toInputRequest(method: string, params: Buffer | undefined): string {
  if (params === undefined) return JSON.stringify({ method });
  // The ids of legacy elicitations and tasks name nothing that a modern client could use.
  const kept = withoutProgressToken(editMessage(params, { elicitationId: undefined, task: undefined }));
  return `{"method":${JSON.stringify(method)},"params":${kept.toString('utf8')}}`;
}

/** The input request of a legacy server's request. */
export function fromServerRequest(message: Buffer, method: string): string {
  const params = sourceOf(message, 'params');
  return toInputRequest(method, params === undefined ? undefined : Buffer.from(params));
}

/** A request to a legacy client from the source text of an entry of `inputRequests`. */
export function toClientRequest(entry: Buffer, parsed: unknown, idText: string): Buffer {
  const params = sourceOf(entry, 'params');
  const isUrl = isObject(parsed) && isObject(parsed['params']) && parsed['params']['mode'] === 'url';
  // A legacy client wants an id of each visit; the gateway's is as good as any.
  const named = isUrl && params !== undefined ? withId(Buffer.from(params)).toString('utf8') : params;
  const rest = named === undefined ? '' : `,"params":${named}`;
  return Buffer.from(`{"jsonrpc":"2.0","id":${idText},"method":${sourceOf(entry, 'method') ?? '""'}${rest}}`);
}

function withId(params: Buffer): Buffer {
  return sourceOf(params, 'elicitationId') === undefined
    ? editMessage(params, { elicitationId: JSON.stringify(randomUUID()) })
    : params;
}
