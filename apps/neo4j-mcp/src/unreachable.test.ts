/** The database module when there is no Neo4j. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { createDatabase } from './database.ts';

test('a database that is not there is told within two seconds, without its address', async (t) => {
  const absent = createDatabase({ uri: 'bolt://127.0.0.1:1', username: 'u', password: 'hunter2', timeoutMs: 30_000 });
  t.after(() => absent.close());
  const started = performance.now();
  await assert.rejects(
    absent.read({ cypher: 'RETURN 1' }, () => true, AbortSignal.timeout(20_000)),
    {
      code: 'UNAVAILABLE',
      message: 'Neo4j cannot be reached.',
    },
  );
  await assert.rejects(absent.ping(), { code: 'UNAVAILABLE' });
  assert.ok(performance.now() - started < 2_000);
});

test('a host that takes connections but never answers is told within the same time, and holds no place', async (t) => {
  const sockets: Socket[] = [];
  const mute = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(mute, 'listening');
  const uri = `bolt://127.0.0.1:${(mute.address() as AddressInfo).port}`;
  const hanging = createDatabase({ uri, username: 'u', password: 'p', timeoutMs: 30_000 });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    mute.close();
    return hanging.close();
  });
  for (const round of [1, 2]) {
    const started = performance.now();
    const calls = Array.from({ length: 12 }, () =>
      hanging.read({ cypher: 'RETURN 1' }, () => true, new AbortController().signal),
    );
    for (const call of calls) await assert.rejects(call, { code: 'UNAVAILABLE' }, `round ${round}`);
    assert.ok(performance.now() - started < 2_500);
  }
});
