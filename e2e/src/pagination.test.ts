/** A thousand tools on one upstream, in pages of twenty, beside three others: nothing is missing, doubled or out of order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rpcRequest } from '@database-mcp/testing';
import { startByteUpstream } from './byte-upstream.ts';
import { startGateway } from './gateway-process.ts';

const MANY = 1_000;
const FEW = 12;
const UPSTREAM_PAGE = 20;
const NAMES = ['zeta', 'many', 'alpha', 'beta'] as const;

function createTools(prefix: string, count: number): string[] {
  const schema = '{"type":"object","properties":{"n":{"type":"integer","maximum":9007199254740993}}}';
  const tools = Array.from({ length: count }, (_, index) => {
    const name = `${prefix}_tool_${String(index).padStart(4, '0')}`;
    return `{"name":"${name}","description":"Tool ${index} of ${prefix}.","inputSchema":${schema}}`;
  });
  // Not in the order in which they must come out: an upstream may list them as it likes.
  return tools.toSorted((a, b) => (hash(a) < hash(b) ? -1 : 1));
}

function hash(text: string): string {
  return [...text].toReversed().join('');
}

interface Listed {
  texts: string[];
  names: string[];
}

/** Follows the cursors as a client does. */
async function listAll(url: string, era: 'modern' | 'legacy'): Promise<Listed> {
  const listed: Listed = { texts: [], names: [] };
  let cursor: unknown;
  do {
    const answer = await rpcRequest(url, 'tools/list', { era, params: cursor === undefined ? {} : { cursor } });
    const result = answer.message?.result;
    assert.ok(result, answer.text);
    const ttl = /"ttlMs":\d+/;
    listed.texts.push(answer.messageText.replace(ttl, ''));
    listed.names.push(...(result['tools'] as { name: string }[]).map((tool) => tool.name));
    cursor = result['nextCursor'];
  } while (cursor !== undefined);
  return listed;
}

test('a thousand tools in pages of twenty beside three other upstreams: none missing, none doubled, in order, the same bytes from two processes', async (t) => {
  const tools = NAMES.map((name) => createTools(name, name === 'many' ? MANY : FEW));
  const upstream = await startByteUpstream(t, { tools, pageSize: UPSTREAM_PAGE });
  const entries = NAMES.map((name, index) => ({ name, url: upstream.url(index) }));
  const [first, second] = await Promise.all([startGateway(t, entries), startGateway(t, entries)]);
  const expected = ['health_check', 'list_services'].concat(
    tools.flatMap((each) => each.map((text) => (JSON.parse(text) as { name: string }).name).toSorted()),
  );
  assert.equal(expected.length, MANY + 3 * FEW + 2);
  for (const era of ['modern', 'legacy'] as const) {
    const [one, other] = await Promise.all([listAll(first.url, era), listAll(second.url, era)]);
    assert.deepEqual(one.names, expected);
    assert.equal(new Set(one.names).size, expected.length);
    assert.deepEqual(other.texts, one.texts);
    for (const text of tools.flat())
      assert.ok(
        one.texts.some((page) => page.includes(text)),
        `changed: ${text}`,
      );
  }
});

test('a cursor that is not of this list is refused, and the list can be started again', async (t) => {
  const upstream = await startByteUpstream(t, { tools: [createTools('many', MANY + 1)], pageSize: UPSTREAM_PAGE });
  const gateway = await startGateway(t, [{ name: 'many', url: upstream.url(0) }]);
  const { names } = await listAll(gateway.url, 'modern');
  assert.equal(names.length, MANY + 1 + 2);
  for (const cursor of ['', 'nonsense', '20', Buffer.from('0000000000000000.1000').toString('base64url')]) {
    const refused = await rpcRequest(gateway.url, 'tools/list', { params: { cursor } });
    assert.equal(refused.message?.error?.code, -32602, `cursor ${JSON.stringify(cursor)}: ${refused.text}`);
  }
  assert.equal((await listAll(gateway.url, 'modern')).names.length, MANY + 1 + 2);
});
