import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '@database-mcp/telemetry';
import { until } from '../test-gateway.ts';
import type { CarrierEvents } from './carrier.ts';
import { LegacySession } from './legacy-session.ts';
import { SessionPool } from './session-pool.ts';

const silent = await createLogger({ service: 'test', level: 'silent', pretty: false });

/** A pool of sessions with a server that answers the handshake; what was opened and closed, by key. */
function createPool({ idleMs = 60_000, answers = true, isShared = false } = {}) {
  const opened: string[] = [];
  const closed: string[] = [];
  const create = (key: string): LegacySession => {
    opened.push(key);
    const createCarrier = (events: CarrierEvents) => ({
      open: () => Promise.resolve(),
      send: (text: Buffer, requestId?: number) => {
        const result = '{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{}}';
        if (requestId === undefined || !answers) return;
        setImmediate(() => events.message(Buffer.from(`{"jsonrpc":"2.0","id":${requestId},"result":${result}}`)));
        assert.match(text.toString('utf8'), /"initialize"/);
      },
      agreed: () => {},
      abandon: () => {},
      close: () => {
        closed.push(key);
        return Promise.resolve();
      },
    });
    return new LegacySession({
      name: 'db',
      version: '0',
      logger: silent,
      capabilities: {},
      createCarrier,
      handshakeMs: 100,
      onNotification: () => {},
      onClosed: (session) => pool.retire(session),
    });
  };
  const pool = new SessionPool({ create, maxSessions: 2, isShared, idleMs });
  return { pool, opened, closed };
}

test('a call has a session for itself; one that is free is used again by a call that declares the same', async () => {
  const { pool, opened } = createPool();
  const [first, second] = [await pool.acquire('f'), await pool.acquire('f')];
  assert.notEqual(first.session, second.session);
  first.release();
  first.release();
  assert.equal((await pool.acquire('f')).session, first.session);
  assert.deepEqual(opened, ['f', 'f']);
  await pool.close();
});

test('when there are as many as may be, a free one gives way, a used one is shared, or the server is busy', async () => {
  const { pool, opened, closed } = createPool();
  const [first, second] = [await pool.acquire('f'), await pool.acquire('s')];
  assert.equal((await pool.acquire('s')).session, second.session, 'shared');
  await assert.rejects(pool.acquire('r'), { failure: { kind: 'busy', limit: 2 } });
  first.release();
  await pool.acquire('r');
  assert.deepEqual([opened, closed], [['f', 's', 'r'], ['f']]);
  await pool.close();
  assert.deepEqual(closed.toSorted(), ['f', 'r', 's']);
});

test('where sessions are processes, calls that declare the same share one', async () => {
  const { pool, opened } = createPool({ isShared: true });
  const [first, second] = [await pool.acquire('f'), await pool.acquire('f')];
  assert.equal(first.session, second.session);
  await pool.acquire('r');
  assert.deepEqual(opened, ['f', 'r']);
  await pool.close();
});

test('a session that is idle, retired, or could not be opened does not stay', async () => {
  const idle = createPool({ idleMs: 20 });
  (await idle.pool.acquire('f')).release();
  await until('it is closed', () => idle.closed.length === 1);

  const retired = createPool();
  const lease = await retired.pool.acquire('f');
  retired.pool.retire(lease.session);
  assert.notEqual((await retired.pool.acquire('f')).session, lease.session);
  assert.deepEqual(retired.closed, [], 'it still has a call');
  lease.release();
  assert.deepEqual(retired.closed, ['f']);
  await retired.pool.close();

  const mute = createPool({ answers: false });
  await assert.rejects(mute.pool.acquire('f'), { failure: { kind: 'timeout', timeoutMs: 100 } });
  await assert.rejects(mute.pool.acquire('f'), { failure: { kind: 'timeout', timeoutMs: 100 } });
  assert.equal(mute.opened.length, 2, 'each attempt is a new one');
});
