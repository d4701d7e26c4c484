/** A foreign server on standard input and output, for the tests of the bridge. Ends itself when told `die`. */
import { setTimeout } from 'node:timers/promises';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';

/** SDK clients lose progress that arrives in one piece with the answer. */
const WORK_MS = 30;

const [mode] = process.argv.slice(2);
if (mode === 'broken') {
  console.error('cannot start: no such database');
  process.exit(1);
}
if (mode === 'asking') {
  const { createAskingServer } = await import('../test-asking-server.ts');
  const stats = { sessions: 0, ended: 0, initialized: 0, calls: [], cancelled: 0, asked: [] };
  await createAskingServer(stats).connect(new StdioServerTransport());
} else await serveFacts();

async function serveFacts(): Promise<void> {
  const server = new Server({ name: 'stdio', version: '1.0.0' }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: ['env', 'die', 'progress'].map((name) => ({ name, description: name, inputSchema: { type: 'object' } })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async (request, extra) => {
    const { name, _meta: meta } = request.params;
    if (name === 'die') process.exit(3);
    if (name === 'progress' && meta?.progressToken !== undefined) {
      const { progressToken } = meta;
      await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
      await setTimeout(WORK_MS);
    }
    const facts = { pid: process.pid, key: process.env['KEY'], names: Object.keys(process.env).toSorted() };
    return { content: [{ type: 'text', text: JSON.stringify(facts) }] };
  });
  console.error(`started with ${process.env['KEY']}`);
  await server.connect(new StdioServerTransport());
}
