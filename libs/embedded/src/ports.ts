import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** The only address that embedded databases listen on. */
export const LOCAL_HOST = '127.0.0.1';

function bind(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, LOCAL_HOST, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}

// Below the ports that systems give to outgoing connections (from 32768 on Linux, 49152 elsewhere): one of those may be
// taken by any connection of the machine before the database listens on it.
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const MAX_ATTEMPTS = 50;

async function bindAnyFree(): Promise<number> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const port = await bind(randomInt(FIRST_PORT, LAST_PORT)).catch(() => undefined);
    if (port !== undefined) return port;
  }
  return await bind(0);
}

/** Gives the wanted port when it is free (an error that names it otherwise), or any free one. */
export async function choosePort(wanted: number | undefined, databaseName: string): Promise<number> {
  if (wanted === undefined || wanted === 0) return await bindAnyFree();
  try {
    return await bind(wanted);
  } catch (cause) {
    throw createPortTakenError(wanted, databaseName, cause);
  }
}

/** Another program holds the port. */
export class PortTakenError extends Error {
  constructor(port: number, databaseName: string, cause?: unknown) {
    super(
      `${databaseName} cannot listen on ${LOCAL_HOST}:${port}: the port is taken or not allowed. ` +
        'Stop the program that holds it, or give another port with --port N (option `port`).',
      { cause },
    );
    this.name = 'PortTakenError';
  }
}

/** The error for a port that another program holds. */
export function createPortTakenError(port: number, databaseName: string, cause?: unknown): PortTakenError {
  return new PortTakenError(port, databaseName, cause);
}

/** Calls a probe until it answers true; false when the time is over. */
export async function waitUntil(probe: () => Promise<boolean>, timeoutMs: number, pollMs = 50): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    if (await probe()) return true;
    await delay(pollMs);
  }
  return false;
}
