import { once } from 'node:events';
import type { Server } from 'node:http';

/** A server of a test on its port. */
export interface LocalServer {
  readonly port: number;
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  /** Cuts every connection and ends. */
  stop(): Promise<void>;
}

/** Lets the server listen on 127.0.0.1, on a free port unless one is named; it ends with the test, or at `stop`. */
export async function listenLocally(
  server: Server,
  { port = 0, t }: { port?: number; t?: { after(cleanUp: () => Promise<void>): void } } = {},
): Promise<LocalServer> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no TCP address');
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  t?.after(stop);
  return { port: address.port, origin: `http://127.0.0.1:${address.port}`, stop };
}
