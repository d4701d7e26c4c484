import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports that systems give to outgoing connections (from 32768 on Linux, 49152 elsewhere): one of those may be
 * taken by any connection of the machine between the question and the listening.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

/** Ports that this process has given out already. */
const given = new Set<number>();

/** The first of `count` ports in a row on 127.0.0.1 that nobody listens on, never the same twice in one process. */
export async function freePort(count = 1): Promise<number> {
  for (;;) {
    const first = randomInt(FIRST_PORT, LAST_PORT - count);
    const ports = Array.from({ length: count }, (_, offset) => first + offset);
    if (ports.some((port) => given.has(port))) continue;
    const free = await Promise.all(ports.map(isFree));
    if (free.includes(false)) continue;
    for (const port of ports) given.add(port);
    return first;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
