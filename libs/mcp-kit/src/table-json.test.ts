import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRowCollector } from './row-collector.ts';
import { stringifyMessage, stringifyTable } from './table-json.ts';
import type { Cell, TableResult } from './table-result.ts';

const LIMITS = { maxRows: 10, maxBytes: 10_000, maxCellBytes: 100 };

function collect(rows: Cell[][], extra = {}): TableResult {
  const collector = createRowCollector(LIMITS);
  for (const row of rows) collector.push(row);
  return collector.finish([{ name: 'a "quoted" name', type: 'text' }], extra);
}

const TABLES: { why: string; table: TableResult }[] = [
  { why: 'no rows', table: collect([]) },
  { why: 'one empty row', table: collect([[]]) },
  { why: 'values of every kind', table: collect([[null, true, 1.5, 'ü"\\\n\u2028', [1, [2]], { a: [] }], ['x']]) },
  { why: 'a cut value', table: collect([['x'.repeat(1_000)]]) },
  { why: 'more rows than the cap', table: collect(Array.from({ length: 20 }, (_, n) => [n])) },
  { why: 'a cursor and notices', table: collect([[1]], { next: 'abc', notices: ['"said"'] }) },
  { why: 'a member without a value', table: { ...collect([[1]]), next: undefined } },
  { why: 'no collector', table: { columns: [], rows: [['x']], rowCount: 1, truncated: false } },
];
for (const { why, table } of TABLES) {
  test(`a table and the message that carries it are written as JSON.stringify does: ${why}`, () => {
    const text = stringifyTable(table);
    assert.equal(text, JSON.stringify(table));
    // The SDK makes a new object of the result, and of the structured content.
    const result = { content: [{ type: 'text', text }], structuredContent: { ...table }, _meta: { a: 1 } };
    const message = { jsonrpc: '2.0', id: 7, result };
    assert.deepEqual(JSON.parse(stringifyMessage(message)), JSON.parse(JSON.stringify(message)));
  });
}

test('what was added to a result after its rows were collected is in its text', () => {
  const table = collect(Array.from({ length: 20 }, (_, n) => [n]));
  table.notices?.push('one more');
  assert.equal(stringifyTable(table), JSON.stringify(table));
});

test('rows that have a text cannot change any more', () => {
  const { rows } = collect([[1]]);
  assert.throws(() => rows.push([2]), TypeError);
});

const OTHERS = [
  { jsonrpc: '2.0', method: 'notifications/progress' },
  { jsonrpc: '2.0', id: 1, error: { code: -32_600, message: 'no' } },
  { jsonrpc: '2.0', id: 1, result: {} },
  { jsonrpc: '2.0', id: 1, result: { structuredContent: { rows: [[1]] } } },
];
for (const message of OTHERS) {
  test(`a message without a table is written as it is: ${JSON.stringify(message)}`, () => {
    assert.equal(stringifyMessage(message), JSON.stringify(message));
  });
}
