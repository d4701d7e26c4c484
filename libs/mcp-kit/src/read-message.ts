import type { IncomingMessage, ServerResponse } from 'node:http';
import { JSON_RPC_ERROR, toJsonRpcError } from '@database-mcp/errors';
import { readBody, refuseBody, sendJson } from '@database-mcp/service';
import { parseExactJson } from './exact-json.ts';

/** Statements and parameters fit easily; anything larger is not a query. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** Reads and parses the body of a POST (integers exact). Undefined: it was answered already, or the client is gone. */
export async function readMessage(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<{ message: unknown } | undefined> {
  const body = await readBody(request, MAX_BODY_BYTES);
  if (body.kind === 'aborted') return undefined;
  if (body.kind === 'too-large') {
    const text = `The request body is larger than ${MAX_BODY_BYTES} bytes. Send less in one call.`;
    refuseBody(request, response, 413, toJsonRpcError(null, JSON_RPC_ERROR.INVALID_REQUEST, text));
    return undefined;
  }
  try {
    return { message: parseExactJson(body.bytes.toString('utf8')) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    sendJson(response, 400, toJsonRpcError(null, JSON_RPC_ERROR.PARSE_ERROR, `The body is not valid JSON: ${reason}`));
    return undefined;
  }
}
