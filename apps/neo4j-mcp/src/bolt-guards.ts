/**
 * Two bounds that the driver does not have: on the memory that a batch of rows takes, and on the time that a host which
 * takes connections but never answers may hold a place in the pool. Works on undocumented parts of the driver, whose
 * version is therefore exact in package.json; the tests against a real Neo4j tell when they change.
 */
import type { Socket } from 'node:net';
import { createBatchMeter } from './batch-meter.ts';
import { BATCH_EXCEEDED } from './database-errors.ts';

/** Of a batch, as it comes from the network; in memory it takes up to 24 times that (a small integer is one byte). */
const MAX_BATCH_BYTES = 8 * 1024 * 1024;
/** For the handshake, and again for the answer to the login. */
const ANSWER_TIMEOUT_MS = 1_500;

/** A connection as the driver makes it: the socket is open and the handshake is done, the login comes next. */
interface Connection {
  _ch: { _conn: Socket };
  close(): Promise<void>;
}

interface DriverInternals {
  _getOrCreateConnectionProvider(): { _createChannelConnection(address: unknown): Promise<Connection> };
}

/** Puts the guards on every connection that the driver will open. Throws when its inner parts are not as expected. */
export function guardConnections(driver: object): void {
  const provider = (driver as DriverInternals)._getOrCreateConnectionProvider();
  const create = provider._createChannelConnection.bind(provider);
  provider._createChannelConnection = async (address) => {
    const connection = await answered(create(address));
    const socket = connection._ch._conn;
    const mute = setTimeout(() => socket.destroy(new Error('no answer to the login')), ANSWER_TIMEOUT_MS);
    socket.once('data', () => clearTimeout(mute)).once('close', () => clearTimeout(mute));
    const meter = createBatchMeter(MAX_BATCH_BYTES, () => socket.destroy(new Error(BATCH_EXCEEDED)));
    socket.on('data', meter);
    return connection;
  };
}

/** Rejects as the driver does when nobody listens. A connection that comes later is closed: nobody waits for it. */
async function answered(opening: Promise<Connection>): Promise<Connection> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(Object.assign(new Error('no answer to the handshake'), { code: 'ServiceUnavailable' }));
    opening.then((connection) => connection.close()).catch(() => {});
  }, ANSWER_TIMEOUT_MS);
  try {
    return await Promise.race([opening, late]);
  } finally {
    clearTimeout(timer);
  }
}
