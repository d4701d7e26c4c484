import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ToolError } from '@database-mcp/errors';
import { CONFIRM_WITHIN_MS, createConfirmations, type RehearsedWrite } from './confirmation.ts';

const KEY = 'k'.repeat(32);
const WRITE: RehearsedWrite = {
  instance: 'postgres',
  role: 'r',
  database: 'd',
  sql: 'DELETE FROM t WHERE id = $1',
  params: [1],
};

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ToolError);
    assert.match(error.message, /Nothing was changed\.$/);
    return error.message;
  }
  return 'it was taken';
}

test('a confirmation gives back the number of rows, also none and very many', () => {
  for (const rows of [undefined, 0, 1, 4_294_967_296, 140_000_000_000_000]) {
    const confirmations = createConfirmations(KEY);
    assert.deepEqual(confirmations.redeem(confirmations.seal(WRITE, rows), WRITE), { rows });
  }
});

const OTHERS: { write: Partial<RehearsedWrite>; why: string }[] = [
  { write: { sql: 'DELETE FROM t WHERE id = $1 ' }, why: 'a blank more' },
  { write: { sql: 'DELETE FROM t' }, why: 'another statement' },
  { write: { params: [2] }, why: 'another value' },
  { write: { params: ['1'] }, why: 'the same as text' },
  { write: { params: [1, null] }, why: 'one more' },
  { write: { role: 's' }, why: 'another role' },
  { write: { database: 'e' }, why: 'another database' },
  { write: { instance: 'crm' }, why: 'another server with the same key' },
  { write: { role: 'rd', database: '' }, why: 'parts that read the same when put together' },
];

for (const { write, why } of OTHERS) {
  test(`a confirmation is for nothing else: ${why}`, () => {
    const confirmations = createConfirmations(KEY);
    const confirm = confirmations.seal(WRITE, 1);
    assert.match(
      refusal(() => confirmations.redeem(confirm, { ...WRITE, ...write })),
      /does not belong to this sql/,
    );
    assert.deepEqual(confirmations.redeem(confirm, WRITE), { rows: 1 }, 'the refused attempt has not used it up');
  });
}

test('a garbled confirmation is refused, whichever of its characters is changed', () => {
  const confirmations = createConfirmations(KEY);
  const confirm = confirmations.seal(WRITE, 1);
  for (const place of confirm.split('').keys()) {
    const other = confirm[place] === 'A' ? 'B' : 'A';
    const garbled = confirm.slice(0, place) + other + confirm.slice(place + 1);
    assert.match(
      refusal(() => confirmations.redeem(garbled, WRITE)),
      /does not belong|is not a confirmation/,
    );
  }
  for (const text of [
    '',
    'x',
    confirm.slice(1),
    `${confirm}A`,
    `${confirm}=`,
    ` ${confirm}`,
    '€'.repeat(48),
    '_'.repeat(200),
  ]) {
    assert.match(
      refusal(() => confirmations.redeem(text, WRITE)),
      /is not a confirmation/,
      text,
    );
  }
});

test('a confirmation ends after five minutes', () => {
  let now = 1_800_000_000_000;
  const confirmations = createConfirmations(KEY, () => now);
  const early = confirmations.seal(WRITE, 1);
  const late = confirmations.seal(WRITE, 1);
  now += CONFIRM_WITHIN_MS - 1_000;
  assert.deepEqual(confirmations.redeem(early, WRITE), { rows: 1 });
  now += 2_000;
  assert.match(
    refusal(() => confirmations.redeem(late, WRITE)),
    /expired/,
  );
  assert.match(
    refusal(() => confirmations.redeem(early, WRITE)),
    /expired/,
  );
});

test('a confirmation is taken once', () => {
  const confirmations = createConfirmations(KEY);
  const confirm = confirmations.seal(WRITE, 1);
  confirmations.redeem(confirm, WRITE);
  assert.match(
    refusal(() => confirmations.redeem(confirm, WRITE)),
    /used before/,
  );
  assert.deepEqual(confirmations.redeem(confirmations.seal(WRITE, 1), WRITE), { rows: 1 }, 'rehearsed again');
});

test('processes with one key take each other’s confirmations; without a key a process takes its own only', () => {
  const confirm = createConfirmations(KEY).seal(WRITE, 3);
  assert.deepEqual(createConfirmations(KEY).redeem(confirm, WRITE), { rows: 3 });
  assert.match(
    refusal(() => createConfirmations(`${KEY}x`).redeem(confirm, WRITE)),
    /another server process/,
  );
  const alone = createConfirmations(undefined);
  assert.deepEqual(alone.redeem(alone.seal(WRITE, 3), WRITE), { rows: 3 });
  assert.match(
    refusal(() => createConfirmations(undefined).redeem(alone.seal(WRITE, 3), WRITE)),
    /another server process/,
  );
});

test('used confirmations are remembered within bounds, and forgotten after their end', () => {
  let now = 1_800_000_000_000;
  const confirmations = createConfirmations(KEY, () => now);
  for (let count = 0; count < 10_000; count++) confirmations.redeem(confirmations.seal(WRITE, 1), WRITE);
  const confirm = confirmations.seal(WRITE, 1);
  assert.throws(() => confirmations.redeem(confirm, WRITE), { code: 'BUSY' });
  now += CONFIRM_WITHIN_MS + 1_000;
  assert.deepEqual(confirmations.redeem(confirmations.seal(WRITE, 1), WRITE), { rows: 1 });
});
