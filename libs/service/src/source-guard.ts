/**
 * Host and Origin checks against DNS rebinding (MCP 2026-07-28 Streamable HTTP: a present but invalid Origin is 403).
 * The names are compared, not the ports: a proxy in front may listen on another one.
 */
import type { IncomingHttpHeaders } from 'node:http';

/** Which names requests may be addressed to and come from. */
export interface SourceRules {
  /** The address the service listens on; a loopback address admits loopback names only, unless more are listed. */
  host: string;
  /** Further host names, exactly as they appear in the Host header without the port; `*` admits every name. */
  allowedHosts?: readonly string[];
  /** Further origins (`https://app.example`) for browsers; loopback origins are admitted always. */
  allowedOrigins?: readonly string[];
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** The reason why a request must not be served, or undefined. */
export function checkSource(headers: IncomingHttpHeaders, rules: SourceRules): string | undefined {
  const host = headers.host;
  if (host === undefined || !isAllowedHost(host, rules)) {
    return `Host ${JSON.stringify(host ?? '')} is not served here. Use localhost, or add the name to the allowed hosts (allowedHosts in gateway.yaml; MCP_ALLOWED_HOSTS of a server).`;
  }
  const origin = headers.origin;
  if (origin !== undefined && !isAllowedOrigin(origin, rules)) {
    return `Origin ${JSON.stringify(origin)} is not allowed. Add it to the allowed origins (allowedOrigins in gateway.yaml; MCP_ALLOWED_ORIGINS of a server).`;
  }
  return undefined;
}

function isAllowedHost(header: string, rules: SourceRules): boolean {
  const name = header.replace(/:\d+$/, '').toLowerCase();
  if (LOOPBACK.has(name) || name === rules.host) return true;
  const allowed = rules.allowedHosts ?? [];
  return allowed.includes('*') || allowed.some((entry) => entry.toLowerCase() === name);
}

function isAllowedOrigin(origin: string, rules: SourceRules): boolean {
  if (rules.allowedOrigins?.includes(origin)) return true;
  if (!URL.canParse(origin)) return false;
  const { hostname, protocol } = new URL(origin);
  return (protocol === 'http:' || protocol === 'https:') && LOOPBACK.has(hostname);
}
