import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCheckout } from './checkout.ts';

const ATTEMPT = { host: 'db.example', port: 5432, ssl: false, session: 'any' } as const;

/** A pool whose connections come, in their order, as the test says. */
function createPool(connections: (() => Promise<never>)[]) {
  let next = 0;
  return {
    options: { max: 2 },
    totalCount: 0,
    idleCount: 0,
    connect: () => connections[next++]?.() ?? assert.fail('asked too often'),
  };
}

const noSlot = (): Promise<never> =>
  Promise.reject(Object.assign(new Error('too many connections'), { code: '53300' }));
const never = (): Promise<never> => new Promise(() => {});

test('a call that waits in vain for a database without free slots is told so, also while the database is slow to say it again', async () => {
  const pool = createPool([noSlot, never]);
  const checkout = createCheckout({ pool, attempts: [ATTEMPT], waitMs: 300 });
  await assert.rejects(checkout.take(new AbortController().signal), {
    code: 'BUSY',
    message: /no free connection slots \(53300\)/,
  });
});

test('a call that waits in vain for a connection of the pool is told that all are in use', async () => {
  const checkout = createCheckout({ pool: createPool([never]), attempts: [ATTEMPT], waitMs: 10 });
  await assert.rejects(checkout.take(new AbortController().signal), { code: 'BUSY', message: /All 2 connections/ });
});
