import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

/** The revision that a client speaks: found out by probing, pinned to the stateless one, or the `initialize` handshake. */
export type ClientEra = 'auto' | '2026-07-28' | 'legacy';

/** Options of {@link connectClient}. */
export interface ConnectOptions {
  /** Default: `auto`. HTTP+SSE exists in the legacy revisions only. */
  era?: ClientEra;
  /** `sse` is the deprecated HTTP+SSE transport of 2024-11-05. */
  transport?: 'http' | 'sse';
  /** Sent with every request. */
  headers?: Readonly<Record<string, string>>;
  /** Registers the client's close as clean-up, usually the test context `t`. */
  t?: { after(cleanUp: () => Promise<void>): void };
}

/** Connects the official SDK v2 client; close it yourself when no `t` is given. */
export async function connectClient(url: string | URL, options: ConnectOptions = {}): Promise<Client> {
  const transportKind = options.transport ?? 'http';
  const era = transportKind === 'sse' ? 'legacy' : (options.era ?? 'auto');
  const mode = era === '2026-07-28' ? { pin: era } : era;
  const client = new Client({ name: 'test-client', version: '1.0.0' }, { versionNegotiation: { mode } });
  options.t?.after(() => client.close());
  const target = new URL(url);
  const requestInit = options.headers ? { headers: { ...options.headers } } : {};
  const transport =
    transportKind === 'sse'
      ? new SSEClientTransport(target, { requestInit })
      : new StreamableHTTPClientTransport(target, { requestInit });
  try {
    await client.connect(transport);
  } catch (error) {
    await client.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`The ${era} client could not connect to ${target.href} over ${transportKind}: ${reason}`, {
      cause: error,
    });
  }
  return client;
}
