/** What OpenTelemetry's conventions for MCP say of labels and errors, for the gateway and for the servers alike. */

const METHODS: ReadonlySet<unknown> = new Set([
  'completion/complete',
  'initialize',
  'logging/setLevel',
  'notifications/cancelled',
  'notifications/initialized',
  'notifications/progress',
  'notifications/roots/list_changed',
  'ping',
  'prompts/get',
  'prompts/list',
  'resources/list',
  'resources/read',
  'resources/subscribe',
  'resources/templates/list',
  'resources/unsubscribe',
  'server/discover',
  'subscriptions/listen',
  'tools/call',
  'tools/list',
]);

/** Takes the place of a method that is none of MCP, so that no client can make up labels. */
const OTHER_METHOD = '_other';

/** The method as a label: of a closed set. */
export function toMethodLabel(method: unknown): string {
  return typeof method === 'string' && METHODS.has(method) ? method : OTHER_METHOD;
}

/**
 * Parse error, invalid request, method not found, invalid params; resource not found of the revisions that begin with
 * `initialize`; header mismatch and unsupported version of 2026-07-28.
 */
const CALLER_MISTAKES: ReadonlySet<number> = new Set([-32_700, -32_600, -32_601, -32_602, -32_002, -32_020, -32_022]);

/** Whether a JSON-RPC error code tells a mistake of the caller, which is no error of the server. */
export function isCallerMistake(code: number): boolean {
  return CALLER_MISTAKES.has(code);
}
