import { once } from 'node:events';
import { createServer } from 'node:net';

/** Ports that this process has given out already: the system may offer a closed one again at once. */
const given = new Set<number>();

/** A port on 127.0.0.1 that nobody listens on, never the same twice in one process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    server.close();
    await once(server, 'close');
    if (address === null || typeof address === 'string') throw new Error('the probe socket has no TCP address');
    if (given.has(address.port)) continue;
    given.add(address.port);
    return address.port;
  }
}
