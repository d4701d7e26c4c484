import type { Failure } from './codes.ts';

/** The `tools/call` result of an expected failure (MCP: execution and validation failures are results with `isError`). */
export interface ErrorResult {
  [key: string]: unknown;
  isError: true;
  content: [{ type: 'text'; text: string }];
}

/** The failure as a few lines of text that a model can act on: code and message, then where, then what to do. */
export function toErrorText(failure: Failure): string {
  const lines = [`${failure.code}: ${failure.message}`];
  if (failure.where) lines.push(`Where: ${failure.where}`);
  if (failure.hint) lines.push(`Next: ${failure.hint}`);
  return lines.join('\n');
}

/**
 * The failure as a tool result. It carries text only: clients validate `structuredContent` against the tool's
 * `outputSchema` even when `isError` is set (SDK v1), so an error object there would hide the error itself.
 */
export function toErrorResult(failure: Failure): ErrorResult {
  return { isError: true, content: [{ type: 'text', text: toErrorText(failure) }] };
}

/**
 * JSON-RPC error codes used on the wire (MCP 2026-07-28 basic, S07: no others from the reserved ranges; one more is for
 * clients of the older revisions alone).
 */
export const JSON_RPC_ERROR = {
  PARSE_ERROR: -32700,
  INVALID_REQUEST: -32600,
  METHOD_NOT_FOUND: -32601,
  INVALID_PARAMS: -32602,
  INTERNAL_ERROR: -32603,
  HEADER_MISMATCH: -32020,
  UNSUPPORTED_PROTOCOL_VERSION: -32022,
  /** As the SDK's servers have it: some clients tell an ended session by this code and HTTP 404 together. */
  SESSION_NOT_FOUND: -32001,
} as const;

/** A JSON-RPC error response. `id` is null when the request's id could not be read. */
export function toJsonRpcError(id: string | number | null, code: number, message: string, data?: unknown): object {
  return { jsonrpc: '2.0', id, error: data === undefined ? { code, message } : { code, message, data } };
}
