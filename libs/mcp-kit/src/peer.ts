/** Who is at the other end of the connection that a request came by; the SDK hands on only the web-standard request. */
import type { Socket } from 'node:net';

/** The other end. A proxy or the gateway, when one stands between. */
export interface Peer {
  address: string;
  port: number;
}

const peers = new WeakMap<Request, Peer>();

/** Keeps the other end for as long as the request lives. */
export function rememberPeer(request: Request, { remoteAddress, remotePort }: Socket): void {
  if (remoteAddress !== undefined && remotePort !== undefined) {
    peers.set(request, { address: remoteAddress, port: remotePort });
  }
}

/** The other end of a request that was remembered. */
export function peerOf(request: Request | undefined): Peer | undefined {
  return request && peers.get(request);
}
