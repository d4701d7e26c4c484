/**
 * A client for the conformance suite that is our gateway with the official client in front of it: the suite's server
 * sees what the gateway sends. The suite starts `node conformance-client-main.ts <url of its server>`.
 */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { waitFor } from '@database-mcp/testing';
import { startGateway } from './gateway-process.ts';

interface Context {
  /** The calls that the scenario wants to see; default: one of every tool. */
  toolCalls?: { name: string; arguments: Record<string, unknown> }[];
}

/** Its server has no tools: it looks at every request, whatever it is. */
const NO_TOOLS = 'request-metadata';

const url = process.argv[2] ?? '';
const context = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as Context;
const scenario = process.env['MCP_CONFORMANCE_SCENARIO'];

const cleanUps: (() => unknown)[] = [];
const t = { after: (cleanUp: () => unknown) => void cleanUps.unshift(cleanUp) };
try {
  // This scenario says at first that it does not know the revision. A gateway that is not told better then tries
  // `initialize`, which is right and not what the scenario counts.
  const era = scenario === NO_TOOLS ? '2026-07-28' : 'auto';
  const gateway = await startGateway(t, [{ name: 'suite', url, prefix: '', era }]);
  await drive(gateway.url);
} finally {
  for (const cleanUp of cleanUps) await cleanUp();
}

async function drive(gatewayUrl: string): Promise<void> {
  const client = new Client(
    { name: 'test-client', version: '1.0.0' },
    { capabilities: { elicitation: {} }, versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { confirmed: true } }));
  await client.connect(new StreamableHTTPClientTransport(new URL(gatewayUrl)));
  const tools =
    scenario === NO_TOOLS
      ? []
      : await waitFor(async () => (await listUpstreamTools(client)) ?? false, { what: "the suite's tools" });
  const calls = context.toolCalls ?? tools.map(({ name }) => toCall(name, tools));
  // The gateway asks its upstream once more before it says that there is no such tool.
  if (scenario === NO_TOOLS) await client.callTool({ name: 'unknown' }).catch(() => {});
  // A call may be meant to fail; what the suite has seen of it is what counts.
  for (const call of calls) await client.callTool(call).catch(() => {});
  for (const { uri } of await listOptional(async () => (await client.listResources()).resources)) {
    await client.readResource({ uri }).catch(() => {});
  }
  for (const { name } of await listOptional(async () => (await client.listPrompts()).prompts)) {
    await client.getPrompt({ name }).catch(() => {});
  }
  await client.close();
}

async function listUpstreamTools(client: Client) {
  const hub = new Set(['health_check', 'list_services']);
  const tools = (await client.listTools()).tools.filter(({ name }) => !hub.has(name));
  return tools.length > 0 ? tools : undefined;
}

type Tools = NonNullable<Awaited<ReturnType<typeof listUpstreamTools>>>;

/** Every call gets what one of the scenarios wants; no server minds the rest. */
function toCall(name: string, tools: Tools) {
  if (scenario === 'tools_call') return { name, arguments: { a: 5, b: 3 } };
  const echoed = tools.find((tool) => tool.name === 'json_schema_2020_12_tool');
  return { name, arguments: echoed ? { schema: echoed.inputSchema } : { region: 'us-west1' } };
}

/** A server without them refuses the list. */
function listOptional<T>(list: () => Promise<T[]>): Promise<T[]> {
  return list().catch(() => []);
}
