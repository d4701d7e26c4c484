/** Parts of undici: its root module also loads fetch, WebSocket and caches, which cost 9 MiB of memory for nothing. */
declare module 'undici/lib/dispatcher/pool.js' {
  export { Pool as default } from 'undici';
}

declare module 'undici/lib/core/connect.js' {
  import type { Socket } from 'node:net';
  import type { buildConnector } from 'undici';

  type Connector = (options: buildConnector.Options, callback: buildConnector.Callback) => Socket;
  export default function createConnector(options: buildConnector.BuildOptions): Connector;
}
