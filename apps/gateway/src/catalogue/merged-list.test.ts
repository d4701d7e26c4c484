import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findMember } from '../json-spans.ts';
import { forEachKind } from './kinds.ts';
import type { ListItem } from './list-items.ts';
import { describeCollision, HUB_OWNER, mergeLists, type MergeInput } from './merged-list.ts';
import { toPublishedName } from './published-names.ts';

const HUB = [{ name: 'health_check', text: '{"name":"health_check"}', run: () => ({}) }];

function source(text: string): ListItem {
  const bytes = Buffer.from(text);
  const nameSpan = findMember(bytes, 0, 'name');
  assert.ok(nameSpan);
  return { name: JSON.parse(text).name, text: bytes, nameSpan };
}

function withTools(name: string, prefix: string, tools: readonly ListItem[]): MergeInput {
  const items = { ...forEachKind((): ListItem[] => []), tools };
  return { name, prefix, rewriteUris: false, hasResources: false, items };
}

const NAMES = [
  { prefix: 'pg_', tool: 'pg_query', name: 'pg_query', why: 'it carries the prefix already' },
  { prefix: 'pg_', tool: 'query', name: 'pg_query', why: 'the prefix is added' },
  { prefix: '', tool: 'query', name: 'query', why: 'an empty prefix adds nothing' },
  { prefix: 'pg_', tool: 'pg', name: 'pg_pg', why: 'half a prefix is none' },
  { prefix: 'pg_', tool: 'a'.repeat(61), name: `pg_${'a'.repeat(61)}`, why: '64 characters fit' },
];

test('published names follow the naming rule', async (t) => {
  for (const { prefix, tool, name, why } of NAMES) {
    await t.test(why, () => assert.deepEqual(toPublishedName(prefix, tool), { name }));
  }
});

test('a name that does not fit gets a hashed tail, always the same and different for different names', () => {
  const long = toPublishedName('pg_', 'a'.repeat(62));
  assert.equal(long.altered, 'too long');
  assert.match(long.name, /^pg_a{50}_[0-9a-f]{10}$/);
  assert.deepEqual(toPublishedName('pg_', 'a'.repeat(62)), long);
  assert.notEqual(toPublishedName('pg_', 'a'.repeat(63)).name, long.name);
  const dotted = toPublishedName('pg_', 'admin.tools.list');
  assert.equal(dotted.altered, 'characters');
  assert.match(dotted.name, /^pg_admin_tools_list_[0-9a-f]{10}$/);
});

test('tools stand in configuration order, then by name, and keep every byte but the name', () => {
  const odd = '{ "x": 9007199254740993, "name":"b" ,"inputSchema" : {"type":"object"}, "t":"\\u00e9é" }';
  const inputs = [
    withTools('z', 'z_', [source(odd), source('{"name":"a"}')]),
    withTools('a', 'a_', [source('{"name":"a_q"}')]),
  ];
  const merged = mergeLists(HUB, inputs, 1_000);
  assert.deepEqual([...merged.routes.keys()], ['health_check', 'z_b', 'z_a', 'a_q']);
  const renamed = odd.replace('"b"', '"z_b"');
  const expected = `"tools":[{"name":"health_check"},{"name":"z_a"},${renamed},{"name":"a_q"}]`;
  assert.equal(merged.kinds.tools.pages.get(undefined)?.fields.toString(), expected);
  assert.deepEqual(merged.routes.get('z_b'), { kind: 'upstream', upstream: 'z', upstreamName: 'b' });
  assert.deepEqual(mergeLists(HUB, inputs, 1_000).kinds.tools.version, merged.kinds.tools.version);
});

test('of two equal published names the first stays, and the collision names both owners', () => {
  const inputs = [
    withTools('one', '', [source('{"name":"q"}')]),
    withTools('two', '', [source('{"name":"q"}'), source('{"name":"health_check"}')]),
  ];
  const { collisions, routes } = mergeLists(HUB, inputs, 1_000);
  assert.deepEqual(collisions, [
    { kind: 'tools', published: 'q', first: 'one', second: 'two' },
    { kind: 'tools', published: 'health_check', first: HUB_OWNER, second: 'two' },
  ]);
  const route = routes.get('q');
  assert.ok(route?.kind === 'upstream' && route.upstream === 'one');
  const [first] = collisions;
  assert.ok(first);
  assert.match(describeCollision(first), /upstream "one" and upstream "two" would both publish q/);
});

test('a list of more than a thousand tools has pages that join without gap or overlap', () => {
  const tools = Array.from({ length: 2_500 }, (_, index) => source(`{"name":"t${String(index).padStart(4, '0')}"}`));
  const { pages } = mergeLists([], [withTools('big', '', tools)], 1_000).kinds.tools;
  const names: string[] = [];
  let cursor: string | undefined;
  do {
    const page = JSON.parse(`{${pages.get(cursor)?.fields.toString()}}`);
    names.push(...page.tools.map((tool: { name: string }) => tool.name));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  assert.deepEqual(
    names,
    tools.map((tool) => tool.name),
  );
  assert.equal(pages.size, 3);
});
