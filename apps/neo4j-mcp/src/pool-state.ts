/**
 * How many connections the driver has, and how many wait for one. Reads undocumented parts of the driver, whose version is
 * therefore exact in package.json; a test against a real Neo4j tells when they change.
 */
import type { PoolState } from '@database-mcp/mcp-kit';

interface DriverInternals {
  _getOrCreateConnectionProvider(): {
    _connectionPool: {
      /** By address, as the others. */
      _activeResourceCounts: Record<string, number>;
      /** The connections that are free. */
      _pools: Record<string, { length: number }>;
      _acquireRequests: Record<string, unknown[]>;
    };
  };
}

/** Reads it, over all addresses of the driver. */
export function readPool(driver: object, maxConnections: number): PoolState {
  const { _connectionPool: pool } = (driver as DriverInternals)._getOrCreateConnectionProvider();
  return {
    used: sum(Object.values(pool._activeResourceCounts)),
    idle: sum(Object.values(pool._pools).map(({ length }) => length)),
    pending: sum(Object.values(pool._acquireRequests).map(({ length }) => length)),
    max: maxConnections,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
