/**
 * Takes connections out of the pool: waits its turn, tries the hosts in their order, and takes no more connections than
 * the database has room for.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ToolError } from '@database-mcp/errors';
import { isAboutTls, isLackOfSlots, isRefusal, noFreeConnection, toConnectionError } from '../sql-errors.ts';
import type { Attempt } from './target.ts';

/** What is used of the driver's pool. */
export interface ConnectionPool<Client> {
  readonly options: { max: number };
  readonly totalCount: number;
  readonly idleCount: number;
  connect(): Promise<Client>;
}

interface ReleasableClient {
  release(destroy?: boolean): void;
}

/** Options of {@link createCheckout}. */
export interface CheckoutOptions<Client> {
  pool: ConnectionPool<Client>;
  attempts: readonly Attempt[];
  /** How long a call waits for a connection. */
  waitMs: number;
}

/** A database without free slots is asked again after this time. */
const NO_SLOT_PAUSE_MS = 200;
/** After this time a pool that was made smaller may grow again. */
const SHRUNK_MS = 30_000;

/** The way out of the pool. */
export interface Checkout<Client> {
  /** The way to connect that new connections take. */
  readonly attempt: Attempt;
  /** Rejects with a ToolError, or with the reason of the signal. */
  take(signal: AbortSignal): Promise<Client>;
}

/** Creates the way out of a pool. */
export function createCheckout<Client extends ReleasableClient>(options: CheckoutOptions<Client>): Checkout<Client> {
  const { pool, attempts, waitMs } = options;
  const { max } = pool.options;
  let current = 0;
  let shrunkAt = -Infinity;

  /** The next way that may do what this one could not: another host, or the same with or without TLS. */
  function nextAfter(failed: number, error: unknown): number | undefined {
    if (isRefusal(error)) return undefined;
    for (let step = 1; step < attempts.length; step++) {
      const next = (failed + step) % attempts.length;
      const isSamePlace =
        attempts[next]?.host === attempts[failed]?.host && attempts[next]?.port === attempts[failed]?.port;
      if (isAboutTls(error) || !isSamePlace) return next;
    }
    return undefined;
  }

  /** What the database has no room for is not asked of it again for a while; calls wait for the connections there are. */
  async function makeRoom(error: unknown, deadline: number, signal: AbortSignal): Promise<void> {
    if (pool.totalCount > 0) {
      pool.options.max = pool.totalCount;
      shrunkAt = performance.now();
      return;
    }
    if (performance.now() + NO_SLOT_PAUSE_MS > deadline) throw toConnectionError(error);
    await delay(NO_SLOT_PAUSE_MS, undefined, { signal });
  }

  return {
    get attempt() {
      return attempts[current] ?? attempts[0] ?? failWithoutHost();
    },
    async take(signal) {
      const deadline = performance.now() + waitMs;
      if (performance.now() - shrunkAt > SHRUNK_MS) pool.options.max = max;
      /** Set while there is no connection at all because the database has no room for one. */
      let lack: unknown;
      for (let tried = 1; ;) {
        const used = current;
        try {
          return await takeOne(pool, signal, deadline - performance.now());
        } catch (error) {
          if (signal.aborted) throw error;
          // Not that all are in use: there are none.
          if (error instanceof ToolError) throw lack === undefined ? error : toConnectionError(lack);
          if (isLackOfSlots(error)) {
            lack = pool.totalCount === 0 ? error : undefined;
            await makeRoom(error, deadline, signal);
            continue;
          }
          const next = tried++ < attempts.length ? nextAfter(used, error) : undefined;
          if (next === undefined) throw toConnectionError(error);
          // Unless another call has found out already.
          if (current === used) current = next;
        }
      }
    },
  };
}

function failWithoutHost(): never {
  throw new Error('a target without a host');
}

async function takeOne<Client extends ReleasableClient>(
  pool: ConnectionPool<Client>,
  signal: AbortSignal,
  waitMs: number,
): Promise<Client> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  const timer = setTimeout(() => reject(noFreeConnection(pool.options.max)), waitMs);
  const connecting = pool.connect();
  try {
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
    return await Promise.race([connecting, stopped]);
  } catch (error) {
    // One that comes too late is not lost to the pool.
    connecting.then(
      (client) => client.release(),
      () => {},
    );
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Drops the connections that nobody uses: when one of them died unnoticed, so may the others. */
export async function discardIdle(pool: ConnectionPool<ReleasableClient>): Promise<void> {
  for (let left = pool.idleCount; left > 0; left--) (await pool.connect()).release(true);
}
