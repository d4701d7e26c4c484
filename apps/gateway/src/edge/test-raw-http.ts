/** Speaks to a gateway process byte for byte, for tests of input that no HTTP client would send. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../test-gateway.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

/** A gateway in a process of its own. */
export interface GatewayProcess {
  readonly port: number;
  readonly url: string;
  isRunning(): boolean;
  log(): string;
  end(): void;
}

/** Starts it with this Node and configuration. */
export async function startGatewayProcess(node: string, config: object): Promise<GatewayProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-raw-'));
  const path = join(folder, 'gateway.yaml');
  writeFileSync(path, JSON.stringify({ port: 0, ...config }));
  const child = spawn(node, [MAIN, '--config', path], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (log += chunk));
  await until('the process listens', () => log.includes('"listening"') || child.exitCode !== null, 20_000);
  const port = Number(/"url":"http:[^"]+:(\d+)\/mcp","msg":"listening"/.exec(log)?.[1]);
  if (!Number.isInteger(port)) throw new Error(`the gateway did not start: ${log}`);
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    log: () => log,
    end: () => {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true });
    },
  };
}

/** What came back before the connection ended. */
export interface RawAnswer {
  /** 0: nothing, or no HTTP. */
  status: number;
  headers: string;
  body: string;
  /** All of it. */
  text: string;
}

/** Opens a connection; errors of it are ends of it. */
export async function openSocket(port: number): Promise<{ socket: Socket; answer: Promise<RawAnswer> }> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  const answer = new Promise<RawAnswer>((resolve) => {
    const finish = (): void => {
      socket.destroy();
      resolve(parseAnswer(Buffer.concat(chunks).toString('utf8')));
    };
    socket.on('end', finish).on('close', finish);
  });
  await once(socket, 'connect');
  return { socket, answer };
}

function parseAnswer(text: string): RawAnswer {
  // What precedes the final answer: 100 Continue.
  const final = text.replace(/^(?:HTTP\/1\.1 1\d\d [^]*?\r\n\r\n)+/, '');
  const end = final.indexOf('\r\n\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(final)?.[1] ?? 0);
  return { status, headers: final.slice(0, end), body: end === -1 ? '' : final.slice(end + 4), text };
}

/** Sends bytes and waits for the connection's end. */
export async function sendRaw(port: number, bytes: string | Buffer): Promise<RawAnswer> {
  const { socket, answer } = await openSocket(port);
  socket.write(bytes);
  return answer;
}

/** The bytes of a request that asks for its connection to be closed afterwards. */
export function toRequest(
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
  line = 'POST /mcp',
): Buffer {
  const all: Record<string, string> = {
    host: 'localhost',
    connection: 'close',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`${line} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'), Buffer.from(body)]);
}
