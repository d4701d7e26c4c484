/** MCP requests written by hand, for what no client would send and for what a client would hide. */

/** The keys that every 2026-07-28 request carries in `_meta`. */
export const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1.0.0' },
};

/** An answer with its body read as JSON; an event stream gives its last message. */
export interface RawAnswer {
  status: number;
  text: string;
  message: RawMessage;
}

/** The parts of a JSON-RPC answer that tests look at. */
export interface RawMessage {
  id?: unknown;
  result?: {
    isError?: boolean;
    content: { type: string; text: string }[];
    structuredContent?: Record<string, unknown>;
  };
  error?: { code: number; message: string; data?: Record<string, unknown> };
}

/** Sends a body as it is. */
export async function post(
  url: string,
  body: string,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<RawAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body,
    signal,
  });
  const text = await response.text();
  return { status: response.status, text, message: parse(text) };
}

/** Calls a tool in the 2026-07-28 way. */
export function callTool(url: string, name: string, args: object, signal?: AbortSignal): Promise<RawAnswer> {
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name, arguments: args, _meta: MODERN_META },
  });
  return post(url, body, modernHeaders('tools/call', name), signal);
}

/** The headers that must agree with the body. */
export function modernHeaders(method: string, name?: string): Record<string, string> {
  return {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(name === undefined ? {} : { 'mcp-name': name }),
  };
}

/** The text of a tool's answer. */
export function textOf(answer: RawAnswer): string {
  return answer.message.result?.content[0]?.text ?? JSON.stringify(answer.message);
}

function parse(text: string): RawMessage {
  const events = text.split(/\r?\n/).filter((line) => line.startsWith('data: '));
  const last = events.at(-1)?.slice('data: '.length) ?? text;
  try {
    return JSON.parse(last) as RawMessage;
  } catch {
    return {};
  }
}
