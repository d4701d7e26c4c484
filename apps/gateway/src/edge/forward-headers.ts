/** Which of a client's headers travel to an upstream. `authorization` and `cookie` are the gateway's alone (G05). */
import type { IncomingHttpHeaders } from 'node:http';

const FORWARDED = new Set(['mcp-protocol-version', 'mcp-method', 'mcp-name', 'traceparent', 'tracestate', 'baggage']);
const PARAMETER_PREFIX = 'mcp-param-';
const JSON_TYPE = 'application/json';
const ACCEPT_BOTH = 'application/json, text/event-stream';

/** The headers of the request to the upstream, apart from the gateway's own credential. */
export function pickForwardHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const { accept } = headers;
  const picked: Record<string, string> = {
    'content-type': JSON_TYPE,
    // Servers insist on both types; a client that names less still understands what the protocol demands of it.
    accept: accept?.includes(JSON_TYPE) && accept.includes('text/event-stream') ? accept : ACCEPT_BOTH,
  };
  for (const name in headers) {
    if (!FORWARDED.has(name) && !name.startsWith(PARAMETER_PREFIX)) continue;
    const value = headers[name];
    if (typeof value === 'string') picked[name] = value;
  }
  return picked;
}
