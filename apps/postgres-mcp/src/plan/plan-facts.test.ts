/** Plans as Postgres writes them, cut to what matters, and the facts that are told of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compactPlan } from './compact-plan.ts';
import { findPlanFacts, flatten } from './plan-facts.ts';
import { readPlan, type Plan, type RawNode } from './read-plan.ts';

const CONTEXT = { tableRows: new Map([['big', 100_000]]), workMem: '4MB', blockBytes: 8_192 };

function node(
  type: string,
  figures: { ms?: number; rows?: number; est?: number; loops?: number; cost?: number },
  more: RawNode = {},
  ...plans: RawNode[]
): RawNode {
  const { ms, rows = 1, est = rows, loops = 1, cost = 1 } = figures;
  const run = ms === undefined ? {} : { 'Actual Total Time': ms, 'Actual Rows': rows, 'Actual Loops': loops };
  return {
    'Node Type': type,
    'Parent Relationship': 'Outer',
    'Plan Rows': est,
    'Total Cost': cost,
    ...run,
    ...more,
    ...(plans.length > 0 && { Plans: plans }),
  };
}

const planOf = (root: RawNode, top: RawNode = {}): Plan =>
  readPlan([{ Plan: root, 'Execution Time': root['Actual Total Time'], ...top }]);
const factsOf = (plan: Plan): string[] =>
  findPlanFacts(plan, CONTEXT).map(({ fact, value, where }) => `${fact}: ${value}${where ? ` @ ${where}` : ''}`);
const ownMs = (plan: Plan): Record<string, number> =>
  Object.fromEntries(flatten(plan.root).map((each) => [each.label, each.ownMs ?? -1]));

test('the time of a node is its own: children are taken off, each loop counts', () => {
  const scan = node(
    'Index Scan',
    { ms: 0.1, rows: 2, loops: 50 },
    { 'Parent Relationship': 'Inner', 'Relation Name': 'a', Alias: 'x', 'Index Name': 'a_pkey' },
  );
  const plan = planOf(
    node(
      'Nested Loop',
      { ms: 12, rows: 100 },
      { 'Join Type': 'Left' },
      node('Seq Scan', { ms: 4, rows: 50 }, { 'Relation Name': 'b', Alias: 'b' }),
      scan,
    ),
  );
  assert.deepEqual(ownMs(plan), {
    'Nested Loop Left Join': 3,
    'Seq Scan on b': 4,
    'Index Scan using a_pkey on a x': 5,
  });
  assert.deepEqual(factsOf(plan)[1], 'slowest node: 5 ms by itself (42 %), 50 loops @ Index Scan using a_pkey on a x');
});

test('workers run side by side, so the time below a Gather is divided by them and the leader', () => {
  const scan = node('Seq Scan', { ms: 10, loops: 3 }, { 'Parallel Aware': true, 'Relation Name': 'big', Alias: 'big' });
  assert.deepEqual(ownMs(planOf(node('Gather', { ms: 12 }, { 'Workers Launched': 2 }, scan))), {
    Gather: 2,
    'Parallel Seq Scan on big': 10,
  });
});

test('a CTE is paid for once, by its first reader, and never twice', () => {
  const cte = node('Sort', { ms: 8 }, { 'Parent Relationship': 'InitPlan', 'Subplan Name': 'CTE x' });
  const reader = (ms: number): RawNode => node('CTE Scan', { ms }, { 'CTE Name': 'x', Alias: `r${ms}` });
  assert.deepEqual(ownMs(planOf(node('Append', { ms: 12 }, {}, cte, reader(9), reader(2)))), {
    Append: 1,
    'Sort (CTE x)': 8,
    'CTE Scan on x r9': 1,
    'CTE Scan on x r2': 2,
  });
});

test('the worst estimate is told where it begins, not where it has gone on to', () => {
  const scan = node('Seq Scan', { ms: 1, rows: 50_000, est: 10 }, { 'Relation Name': 'big', Alias: 'big' });
  const plan = planOf(node('Sort', { ms: 3, rows: 50_000, est: 10 }, {}, scan));
  assert.deepEqual(
    factsOf(plan)[2],
    'worst row estimate: 10 rows estimated, 50000 came: 5000 times too low @ Seq Scan on big',
  );
});

const NO_MISTAKES: [why: string, root: RawNode][] = [
  ['a LIMIT ended it', node('Limit', { ms: 1, rows: 5 }, {}, node('Seq Scan', { ms: 1, rows: 5, est: 90_000 }))],
  [
    'a merge ended it',
    node(
      'Merge Join',
      { ms: 1, rows: 5 },
      { 'Join Type': 'Inner' },
      node('Index Scan', { ms: 1, rows: 5, est: 90_000 }),
    ),
  ],
  [
    'its first row was enough',
    node(
      'Result',
      { ms: 1 },
      {},
      node('Seq Scan', { ms: 1, rows: 1, est: 90_000 }, { 'Parent Relationship': 'SubPlan' }),
    ),
  ],
  ['it was never run', node('Append', { ms: 1 }, {}, node('Seq Scan', { ms: 0, rows: 0, est: 90_000, loops: 0 }))],
  ['bitmaps have no rows', node('Bitmap Heap Scan', { ms: 1 }, {}, node('BitmapAnd', { ms: 1, rows: 0, est: 90_000 }))],
  ['there are few rows', node('Sort', { ms: 1, rows: 400, est: 1 })],
];

for (const [why, root] of NO_MISTAKES) {
  test(`fewer or more rows than estimated are no mistake when ${why}`, () => {
    assert.equal(
      factsOf(planOf(root)).some((fact) => fact.startsWith('worst')),
      false,
    );
  });
}

test('below a sort a LIMIT ends nothing early, so a wrong estimate there is one', () => {
  const scan = node('Seq Scan', { ms: 1, rows: 5, est: 90_000 });
  assert.match(
    factsOf(planOf(node('Limit', { ms: 1, rows: 5 }, {}, node('Sort', { ms: 1, rows: 5, est: 5 }, {}, scan)))).join(),
    /18000 times too high @ Seq Scan/,
  );
});

test('a scan that drops most of what it reads is told, measured or estimated', () => {
  const table = { 'Relation Name': 'big', Alias: 'big', Filter: '(a = 1)' };
  const measured = planOf(
    node('Seq Scan', { ms: 9, rows: 10, loops: 2 }, { ...table, 'Rows Removed by Filter': 49_990 }),
  );
  assert.deepEqual(
    factsOf(measured).at(-1),
    'sequential scan: reads 100000 rows and keeps 20: (a = 1) @ Seq Scan on big',
  );
  assert.deepEqual(
    factsOf(planOf(node('Seq Scan', { est: 10 }, table))).at(-1),
    'sequential scan: reads about 100000 rows and keeps 10: (a = 1) @ Seq Scan on big',
  );
  for (const [why, figures] of [
    ['keeps most', { est: 90_000 }],
    ['has no filter', { est: 10 }],
  ] as const) {
    const raw = node('Seq Scan', figures, { ...table, ...(why === 'has no filter' && { Filter: undefined }) });
    assert.equal(
      factsOf(planOf(raw)).some((fact) => fact.startsWith('sequential')),
      false,
      why,
    );
  }
});

test('what spilled is told of the node that wrote it', () => {
  const sort = node('Sort', { ms: 5 }, { 'Temp Written Blocks': 128 });
  assert.deepEqual(
    factsOf(planOf(node('WindowAgg', { ms: 6 }, { 'Temp Written Blocks': 128 }, sort))).filter((fact) =>
      fact.startsWith('spill'),
    ),
    ['spill to disk: 1024 kB written to temporary files; work_mem is 4MB @ Sort'],
  );
});

test('just-in-time compilation is told when it costs much', () => {
  const withJit = (ms: number): string =>
    factsOf(planOf(node('Result', { ms: 100 }), { JIT: { Timing: { Total: ms } } })).join();
  assert.match(withJit(60), /just-in-time compilation: 60 ms/);
  assert.equal(/just-in-time/.test(withJit(10)), false);
});

test('below a LIMIT only the share of the cost counts that is fetched', () => {
  const plan = planOf(
    node(
      'Limit',
      { cost: 10 },
      {},
      node('Hash Join', { cost: 1_000 }, { 'Join Type': 'Inner' }, node('Seq Scan', { cost: 900 })),
    ),
  );
  assert.deepEqual(
    flatten(plan.root).map(({ ownCost }) => Math.round(ownCost)),
    [0, 1, 9],
  );
});

test('of a large plan the nodes that cost the most are shown, and how many are left out', () => {
  const scans = Array.from({ length: 500 }, (_, index) =>
    node('Seq Scan', { ms: index }, { 'Relation Name': `part_${index}`, Filter: 'x'.repeat(1_000) }),
  );
  const { tree, shown, total } = compactPlan(planOf(node('Append', { ms: 200_000 }, {}, ...scans)), 100_000);
  assert.equal(total, 501);
  assert.ok(shown < 41 && Buffer.byteLength(JSON.stringify(tree)) <= 4_000);
  const { leftOut, plans } = tree as { leftOut: number; plans: { node: string }[] };
  assert.equal(leftOut + plans.length, 500);
  assert.ok(plans.some((each) => each.node === 'Seq Scan on part_499'));
});

test('a plan that was run shows rows against the estimate, one that was not shows cost', () => {
  const scan = { 'Relation Name': 'a', Alias: 'a', 'Index Cond': '(id = 1)', 'Index Name': 'a_pkey' };
  assert.deepEqual(
    compactPlan(planOf(node('Index Scan', { ms: 1.23456, rows: 3, est: 5, loops: 2 }, scan)), 1_000).tree,
    {
      node: 'Index Scan using a_pkey on a',
      ms: 2.47,
      rows: 3,
      loops: 2,
      estimate: 5,
      condition: '(id = 1)',
    },
  );
  assert.deepEqual(compactPlan(planOf(node('Result', { cost: 0.01, est: 1 })), 1_000).tree, {
    node: 'Result',
    cost: 0.01,
    rows: 1,
  });
});

test('what is no plan is refused', () => assert.throws(() => readPlan({ rows: [] }), /without a plan/));
