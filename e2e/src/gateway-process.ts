/** A real gateway process over the given upstreams, and plain HTTP to it that gives the bytes of an answer. */
import { Agent, request as startRequest, type IncomingHttpHeaders } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort, spawnProcess, type SpawnedProcess } from '@database-mcp/testing';

/** An entry of `upstreams` in gateway.yaml. */
export interface UpstreamEntry {
  name: string;
  url: string;
  [setting: string]: unknown;
}

/** A running gateway. */
export interface GatewayProcess {
  readonly process: SpawnedProcess;
  /** Its `/mcp` endpoint. */
  readonly url: string;
}

/** Starts the gateway from its sources; it ends with the test. */
export async function startGateway(
  t: Pick<TestContext, 'after'>,
  upstreams: readonly UpstreamEntry[],
  settings: Record<string, unknown> = {},
): Promise<GatewayProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'database-mcp-e2e-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, 'gateway.yaml');
  // YAML takes JSON.
  await writeFile(config, JSON.stringify({ ...settings, upstreams }));
  const port = await freePort();
  const started = await spawnProcess({
    t,
    name: 'gateway',
    args: ['apps/gateway/src/main.ts', '--config', config, '--port', String(port), '--log-level', 'error'],
    ready: { url: `http://127.0.0.1:${port}/ready` },
  });
  return { process: started, url: `http://127.0.0.1:${port}/mcp` };
}

/** An answer as it came. */
export interface BytesAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** The connection ended before the answer was whole. */
  isCutOff: boolean;
}

/** Posts over kept connections. Rejects only when no answer began. */
export interface Poster {
  post(url: string, headers: Record<string, string>, body: Buffer | string, timeoutMs?: number): Promise<BytesAnswer>;
  close(): void;
}

const TIMEOUT_MS = 20_000;

/** Creates a poster of its own connections. */
export function createPoster(): Poster {
  const agent = new Agent({ keepAlive: true });
  return {
    post: (url, headers, body, timeoutMs = TIMEOUT_MS) => post(agent, url, headers, Buffer.from(body), timeoutMs),
    close: () => agent.destroy(),
  };
}

function post(
  agent: Agent,
  url: string,
  headers: Record<string, string>,
  body: Buffer,
  timeoutMs: number,
): Promise<BytesAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<BytesAnswer>();
  const outgoing = startRequest(url, {
    method: 'POST',
    agent,
    signal: AbortSignal.timeout(timeoutMs),
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'content-length': String(body.length),
      ...headers,
    },
  });
  outgoing.on('response', (response) => {
    const chunks: Buffer[] = [];
    const finish = (): void =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: Buffer.concat(chunks),
        isCutOff: !response.complete,
      });
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', finish);
    response.on('end', finish);
  });
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}
