/** Every client that people use lists and calls tools, through the gateway and at each server. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { connectClient, repositoryRoot, rpcRequest, spawnProcess } from '@database-mcp/testing';
import { TOOLS, type LocalSystem } from './local-system.ts';

interface Target {
  name: string;
  url: string;
  sseUrl: string;
  tools: readonly string[];
  call: { name: string; arguments: Record<string, unknown> };
  /** What the text of the answer to `call` must hold. */
  expected: RegExp;
}

const COUNT_COUNTRIES = {
  postgres: { name: 'postgres_query', arguments: { sql: 'SELECT count(*) AS countries FROM country' } },
  qdrant: { name: 'qdrant_list_collections', arguments: {} },
  neo4j: { name: 'neo4j_query', arguments: { cypher: 'MATCH (c:Country) RETURN count(c) AS countries' } },
};

function targetsOf(system: LocalSystem): Target[] {
  const all = [...TOOLS.gateway, ...TOOLS.postgres, ...TOOLS.qdrant, ...TOOLS.neo4j];
  const gateway = { url: system.gatewayUrl, sseUrl: system.sseUrl, tools: all, expected: /250/ };
  const kinds = ['postgres', 'qdrant', 'neo4j'] as const;
  return [
    ...kinds.map((kind) => ({ name: `the gateway (${kind})`, ...gateway, call: COUNT_COUNTRIES[kind] })),
    ...kinds.map((kind) => ({
      name: `${kind}-mcp itself`,
      url: system.serverUrls[kind],
      sseUrl: system.serverUrls[kind].replace(/\/mcp$/, '/sse'),
      tools: TOOLS[kind],
      call: COUNT_COUNTRIES[kind],
      expected: /250/,
    })),
  ];
}

interface AnyClient {
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
}

async function exercise(client: AnyClient, target: Target): Promise<void> {
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map((tool) => tool.name).toSorted(), [...target.tools].toSorted());
  const result = (await client.callTool(target.call)) as { isError?: boolean; content: { text: string }[] };
  assert.ok(!result.isError, JSON.stringify(result));
  assert.match(result.content[0]?.text ?? '', target.expected);
}

/** Defines the tests; `current` gives the running system. */
export function defineClientTests(current: () => LocalSystem): void {
  const each = async (run: (target: Target) => Promise<void>): Promise<void> => {
    for (const target of targetsOf(current())) {
      await run(target).catch((error: unknown) => {
        throw new Error(`at ${target.name}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      });
    }
  };

  for (const era of ['auto', '2026-07-28', 'legacy'] as const) {
    test(`the SDK v2 client (${era}) lists and calls tools at the gateway and at each server`, (t) =>
      each(async (target) => exercise(await connectClient(target.url, { era, t }), target)));
  }

  test('the SDK v2 client over HTTP+SSE lists and calls tools at the gateway and at each server', (t) =>
    each(async (target) => exercise(await connectClient(target.sseUrl, { transport: 'sse', t }), target)));

  for (const [version, connect] of Object.entries(LEGACY_CLIENTS)) {
    test(`the SDK ${version} client ends its session at the gateway and at each server, and begins a new one`, (t) =>
      each(async (target) => {
        const { client, transport } = await connect(t, target.url);
        await client.listTools();
        const headers = { 'mcp-session-id': transport.sessionId ?? '' };
        await transport.terminateSession();
        assert.equal(transport.sessionId, undefined);
        const late = await rpcRequest(target.url, 'tools/list', { era: 'legacy', headers });
        assert.equal(late.status, 404, late.text);
        await exercise((await connect(t, target.url)).client, target);
      }));
  }

  const v1Transports: Record<string, (target: Target) => Transport> = {
    'Streamable HTTP': (target) => new StreamableHTTPClientTransport(new URL(target.url)) as Transport,
    'HTTP+SSE': (target) => new SSEClientTransport(new URL(target.sseUrl)),
  };
  for (const [name, createTransport] of Object.entries(v1Transports)) {
    test(`the SDK v1 client over ${name} lists and calls tools at the gateway and at each server`, () =>
      each((target) => exerciseV1(createTransport(target), target)));
  }

  for (const transport of ['http-only', 'sse-only'] as const) {
    test(`mcp-remote (${transport}) lists and calls tools at the gateway and at each server`, () =>
      each((target) => {
        const url = transport === 'sse-only' ? target.sseUrl : target.url;
        const args = ['node_modules/mcp-remote/dist/proxy.js', url, '--transport', transport, '--allow-http'];
        return exerciseV1(
          new StdioClientTransport({ command: process.execPath, args, cwd: repositoryRoot, stderr: 'ignore' }),
          target,
        );
      }));
  }

  test('the Inspector CLI lists and calls tools at the gateway and at each server', () =>
    each(async (target) => {
      const listed = await inspect(target.url, ['--method', 'tools/list']);
      for (const tool of target.tools) assert.ok(listed.includes(`"${tool}"`), `${tool} is missing in ${listed}`);
      const [key, value] = Object.entries(target.call.arguments)[0] ?? [];
      const args = key === undefined ? [] : ['--tool-arg', `${key}=${String(value)}`];
      const called = await inspect(target.url, ['--method', 'tools/call', '--tool-name', target.call.name, ...args]);
      assert.match(called, target.expected);
    }));
}

/** A transport of Streamable HTTP, of any SDK generation. */
interface EndableTransport {
  sessionId?: string | undefined;
  terminateSession(): Promise<void>;
}

/** A legacy client of the SDK that is connected, by generation. */
const LEGACY_CLIENTS = {
  v1: async (t: TestContext, url: string) => {
    const transport = new StreamableHTTPClientTransport(new URL(url));
    const client = new ClientV1({ name: 'test-client', version: '1.0.0' });
    t.after(() => client.close());
    await client.connect(transport as Transport);
    return { client: client as unknown as AnyClient, transport: transport as EndableTransport };
  },
  v2: async (t: TestContext, url: string) => {
    const client = await connectClient(url, { era: 'legacy', t });
    return { client: client as AnyClient, transport: client.transport as unknown as EndableTransport };
  },
};

async function exerciseV1(transport: Transport, target: Target): Promise<void> {
  const client = new ClientV1({ name: 'test-client', version: '1.0.0' });
  try {
    await client.connect(transport);
    await exercise(client as unknown as AnyClient, target);
  } finally {
    await client.close();
  }
}

async function inspect(url: string, args: readonly string[]): Promise<string> {
  const cli = 'node_modules/.bin/mcp-inspector';
  const inspector = await spawnProcess({
    name: 'Inspector CLI',
    args: [cli, '--cli', url, '--transport', 'http', ...args, '--format', 'json'],
  });
  const exit = await inspector.exited;
  assert.equal(exit.code, 0, inspector.stderr());
  return inspector.stdout();
}
