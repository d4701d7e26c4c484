/** The methods of MCP: the closed set of labels and span names. */

const METHODS = new Set([
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

/** The method as a label. */
export function toMethodLabel(method: unknown): string {
  return typeof method === 'string' && METHODS.has(method) ? method : OTHER_METHOD;
}
