/**
 * An upstream that speaks the client's era over Streamable HTTP: requests and answers pass as bytes over kept-alive
 * connections. Owns the breaker and the limits of that upstream; `http-call.ts` carries the single request.
 */
import type { Dispatcher } from 'undici';
import buildConnector from 'undici/lib/core/connect.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import type { UpstreamConfig } from '../config.ts';
import { HttpCall, type CallObserver } from './http-call.ts';
import { createReachability } from './reachability.ts';
import type { CallHandle, ReplyReceiver, Upstream, UpstreamRequest } from './upstream.ts';

/** A call to a dead server must fail in less than a second. */
const CONNECT_TIMEOUT_MS = 800;
/**
 * Past calls that hold all other connections: lists and probes, which go one after the other, and the stream that
 * listens, for a moment beside the one that takes its place.
 */
const PROBE_CONNECTIONS = 4;

/** Creates the upstream; it connects at the first call. */
export function createHttpUpstream(config: UpstreamConfig): Upstream {
  const url = new URL(config.url);
  const pools = { calls: createPool(url, config.maxConcurrency), probes: createPool(url, PROBE_CONNECTIONS) };
  const path = `${url.pathname}${url.search}`;
  const ownHeaders = toOwnHeaders(url, config.headers);
  const reachability = createReachability();
  const { connected, unreachable, retryDelay } = reachability;
  let inProgress = 0;
  const waiting = new Set<HttpCall>();
  const idle = Promise.withResolvers<void>();
  let isDraining = false;

  const toOptions = (request: UpstreamRequest): Dispatcher.DispatchOptions => ({
    path,
    method: 'POST',
    headers: { ...request.headers, ...ownHeaders },
    body: request.body,
  });
  const startNext = (): void => {
    for (const call of waiting) {
      waiting.delete(call);
      inProgress++;
      return call.dispatch();
    }
  };
  const call = (request: UpstreamRequest, receiver: ReplyReceiver): CallHandle => {
    const mayTry = reachability.admit();
    const observer: CallObserver = {
      connected,
      unreachable,
      retryDelay,
      released: () => {
        // A call that still waits (or was refused) holds no place.
        if (waiting.delete(created) || !admitted) return;
        inProgress--;
        startNext();
        if (isDraining && inProgress === 0) idle.resolve();
      },
    };
    const created = new HttpCall(pools.calls, toOptions(request), receiver, observer, config.timeoutMs);
    const admitted = mayTry && (inProgress < config.maxConcurrency || waiting.size < config.maxQueue);
    if (!mayTry) created.refuse({ kind: 'unreachable' });
    else if (!admitted) created.refuse({ kind: 'busy', limit: waiting.size });
    else if (inProgress < config.maxConcurrency) {
      inProgress++;
      created.dispatch();
    } else waiting.add(created);
    return created;
  };
  const probe = (request: UpstreamRequest, receiver: ReplyReceiver, timeoutMs: number): CallHandle => {
    // The next probe is the retry of a probe.
    const observer = { connected, unreachable, retryDelay: noop, released: noop };
    const created = new HttpCall(pools.probes, toOptions(request), receiver, observer, timeoutMs);
    created.dispatch();
    return created;
  };
  return {
    name: config.name,
    isReachable: reachability.isReachable,
    markReachable: reachability.connected,
    call,
    probe,
    drained: () => {
      isDraining = true;
      if (inProgress === 0) idle.resolve();
      return idle.promise;
    },
    close: async () => {
      await Promise.all([pools.calls.destroy(), pools.probes.destroy()]);
    },
  };
}

function noop(): undefined {}

const connect = buildConnector({ timeout: 0, allowH2: false });

/** undici's own connect timer has a resolution of a second. */
const connectInTime: typeof connect = (options, callback) => {
  const timer = setTimeout(() => {
    socket.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`));
  }, CONNECT_TIMEOUT_MS);
  const socket = connect(options, (...outcome) => {
    clearTimeout(timer);
    callback(...outcome);
  });
  return socket;
};

/** A pool of kept-alive connections that fails fast when nobody listens. */
export function createPool(url: URL, connections: number): Pool {
  return new Pool(url.origin, {
    connections,
    pipelining: 1,
    allowH2: false,
    connect: connectInTime,
    // The call's own deadline counts; undici's timers would end quiet event streams.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

/** The gateway's credential for this upstream: configured headers, or user and password of the URL. */
export function toOwnHeaders(url: URL, configured: Readonly<Record<string, string>>): Record<string, string> {
  const headers: Record<string, string> = {};
  if (url.username !== '') {
    const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers['authorization'] = `Basic ${Buffer.from(user).toString('base64')}`;
  }
  for (const [name, value] of Object.entries(configured)) headers[name.toLowerCase()] = value;
  return headers;
}
