import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeInstructions } from './instructions.ts';

test('instructions name every database, then give each its section in configuration order', () => {
  const text = mergeInstructions([
    { name: 'orders', prefix: 'orders_', instructions: 'Orders since 2020.' },
    { name: 'crm', prefix: '' },
    { name: 'map', prefix: 'm_', instructions: 'Places.' },
  ]);
  assert.match(text, /orders \(tools orders_…\), crm, map \(tools m_…\)/);
  assert.match(text, /\n\n## orders\nOrders since 2020\.\n\n## map\nPlaces\.$/);
});

test('instructions are capped, for each database and together', () => {
  const sources = Array.from({ length: 20 }, (_, index) => ({
    name: `db${index}`,
    prefix: `db${index}_`,
    instructions: 'x'.repeat(100_000),
  }));
  const text = mergeInstructions(sources);
  assert.ok(text.length <= 16_000, String(text.length));
  assert.match(text, /## db2\n/);
});
