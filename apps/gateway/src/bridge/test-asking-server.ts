/** A foreign server whose tools ask their client, on the SDK's first generation; for the tests of the bridge. */
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import {
  CallToolRequestSchema,
  CreateMessageResultSchema,
  ElicitResultSchema,
  ListRootsResultSchema,
  ListToolsRequestSchema,
  UrlElicitationRequiredError,
} from '@modelcontextprotocol/sdk/types.js';
import type { ForeignStats } from './test-bridge.ts';

/** How long the impatient tool waits. */
const PATIENCE_MS = 100;
const FORM = {
  message: 'Which table?',
  requestedSchema: { type: 'object' as const, properties: { table: { type: 'string' as const } } },
};
const QUESTION = {
  messages: [{ role: 'user' as const, content: { type: 'text' as const, text: 'Which table?' } }],
  maxTokens: 10,
};
const VISIT = { mode: 'url' as const, elicitationId: 'e1', url: 'https://example.com/login', message: 'Log in first.' };

/** Everything that it can ask; `stats.asked` gets what came back. */
export function createAskingServer(stats: ForeignStats): Server {
  const server = new Server({ name: 'asking', version: '1.0.0' }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: ['form', 'aside', 'model', 'roots', 'all', 'twice', 'hang', 'impatient', 'visit', 'visited', 'declared'].map(
      (name) => ({
        name,
        description: `Asks: ${name}.`,
        inputSchema: { type: 'object' as const },
      }),
    ),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params: { name, arguments: args } }, extra) => {
    stats.calls.push({ name, meta: args });
    extra.signal.addEventListener('abort', () => stats.cancelled++);
    const form = () => extra.sendRequest({ method: 'elicitation/create', params: FORM }, ElicitResultSchema);
    const model = () =>
      extra.sendRequest({ method: 'sampling/createMessage', params: QUESTION }, CreateMessageResultSchema);
    const roots = () => extra.sendRequest({ method: 'roots/list' }, ListRootsResultSchema);
    const asked = async (): Promise<unknown> => {
      switch (name) {
        case 'form':
          return form();
        // Not as part of the call: over Streamable HTTP it comes on the session's own stream.
        case 'aside':
          return server.elicitInput(FORM);
        case 'model':
          return model();
        case 'roots':
          return roots();
        case 'all':
          return Promise.all([form(), model(), roots()]);
        case 'twice':
          return [await form(), await model()];
        case 'hang':
          stats.asked.push(JSON.stringify(await form()));
          return new Promise(() => {});
        case 'impatient':
          return extra
            .sendRequest({ method: 'elicitation/create', params: FORM }, ElicitResultSchema, { timeout: PATIENCE_MS })
            .catch(() => 'nobody answered');
        case 'visit':
          if (!stats.asked.includes('visit')) {
            stats.asked.push('visit');
            throw new UrlElicitationRequiredError([VISIT]);
          }
          return 'visited';
        case 'visited':
          await extra.sendNotification({
            method: 'notifications/elicitation/complete',
            params: { elicitationId: VISIT.elicitationId },
          });
          return form();
        default:
          return server.getClientCapabilities();
      }
    };
    const text = JSON.stringify(await asked());
    stats.asked.push(text);
    return { content: [{ type: 'text', text }] };
  });
  return server;
}
