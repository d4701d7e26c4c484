/** Starts a whole gateway for the tests of this package, and speaks to it in raw HTTP. */
import type { TestContext } from 'node:test';
import { createLogger, type Telemetry } from '@database-mcp/telemetry';
import { spawnProcess, type SpawnedProcess } from '@database-mcp/testing';
import { startGateway, type Gateway, type ServingConfig } from './app.ts';
import { gatewayFileSchema } from './config.ts';

const N = 'io.modelcontextprotocol/';

/** A valid envelope. */
export const ENVELOPE = {
  [`${N}protocolVersion`]: '2026-07-28',
  [`${N}clientInfo`]: { name: 'test', version: '1' },
  [`${N}clientCapabilities`]: {},
};

/** An upstream entry of a test's configuration. */
export interface UpstreamEntry {
  name: string;
  url?: string;
  [member: string]: unknown;
}

/** Starts the gateway on a free port; it ends with the test. */
export async function startTestGateway(
  t: TestContext,
  upstreams: readonly UpstreamEntry[],
  overrides: Partial<ServingConfig> = {},
  telemetry?: Telemetry,
): Promise<Gateway> {
  const { $schema: _schema, ...file } = gatewayFileSchema.parse({ port: 0, upstreams });
  const logger = await createLogger({ service: 'test', level: 'silent', pretty: false });
  const gateway = await startGateway({ ...file, ...overrides }, logger, telemetry);
  t.after(gateway.close);
  return gateway;
}

/** An answer, its body as text. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

/** Posts text to the endpoint. */
export async function post(
  gateway: { url: string },
  body: string,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Answer> {
  const response = await fetch(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body,
    signal,
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Headers of a modern request. */
export function modernHeaders(method: string, name?: string): Record<string, string> {
  const headers: Record<string, string> = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method };
  if (name !== undefined) headers['mcp-name'] = name;
  return headers;
}

/** Text of a modern request. */
export function modernBody(method: string, params: object = {}, id: unknown = 1): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: ENVELOPE } });
}

/** A legacy call of a tool. */
export function callTool(gateway: { url: string }, name: string, signal?: AbortSignal): Promise<Answer> {
  return post(gateway, JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } }), {}, signal);
}

/** The text of a tool result, and whether it is an error. */
export function readResult(answer: Answer): { isError: boolean; text: string } {
  const { result } = JSON.parse(answer.text);
  return { isError: result.isError === true, text: result.content[0].text };
}

/** Published names, as a legacy client sees them. */
export async function listNames(gateway: { url: string }): Promise<string[]> {
  const answer = await post(gateway, '{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
  return JSON.parse(answer.text).result.tools.map((tool: { name: string }) => tool.name);
}

const POLL_MS = 10;

/** Starts a gateway in a process of its own with this configuration file, which names port 0; it ends with the test. */
export async function startGatewayProcess(
  t: TestContext,
  configPath: string,
): Promise<{ gateway: SpawnedProcess; url: string }> {
  const gateway = await spawnProcess({
    t,
    args: ['apps/gateway/src/main.ts', '--config', configPath],
    ready: { line: /"url":"(http:[^"]+)\/mcp","msg":"listening"/ },
  });
  return { gateway, url: gateway.readyLine?.[1] ?? '' };
}

/** Waits until the condition holds; rejects with its name when it does not in time. */
export async function until(
  name: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 5_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not in ${timeoutMs} ms: ${name}`);
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_MS);
    });
  }
}
