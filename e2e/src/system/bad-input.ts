/** Mistakes that people and models make: each gets an error that says what to do, and nothing is changed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callTool, MODERN_META, modernHeaders, post, textOf } from '../raw-mcp.ts';
import type { LocalSystem } from './local-system.ts';

const LEGACY_CALL = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'no_such_tool', arguments: {} } };

const TOOL_MISTAKES: [tool: string, args: object, expected: RegExp, why: string][] = [
  ['postgres_query', { sql: 'SELEC 1' }, /^SYNTAX_ERROR: .*\nWhere: line 1, column 1/, 'a syntax error in SQL'],
  [
    'postgres_query',
    { sql: 'SELECT *\nFROM contry' },
    /^NOT_FOUND: .*contry[\s\S]*line 2[\s\S]*country/,
    'an unknown table',
  ],
  ['postgres_query', { sql: 'SELECT nme FROM country' }, /^NOT_FOUND: .*nme/, 'an unknown column'],
  [
    'postgres_query',
    { query: 'SELECT 1' },
    /^INVALID_ARGUMENT: .*sql[\s\S]*The arguments are: sql/,
    'a wrong argument name',
  ],
  ['postgres_query', { sql: 'SELECT 1', limit: 0 }, /^INVALID_ARGUMENT: limit/, 'a limit of nothing'],
  ['postgres_query', { sql: 'SELECT $1::int', params: [] }, /^INVALID_ARGUMENT|^QUERY_FAILED/, 'a missing parameter'],
  ['postgres_query', { sql: 'DROP TABLE country' }, /^READ_ONLY: /, 'a write in read-only mode'],
  [
    'postgres_query',
    { sql: 'SELECT 1; DROP TABLE country' },
    /^(READ_ONLY|SYNTAX_ERROR|INVALID_ARGUMENT): /,
    'two statements',
  ],
  [
    'postgres_query',
    { sql: 'WITH d AS (DELETE FROM country RETURNING 1) SELECT * FROM d' },
    /^READ_ONLY: /,
    'a hidden write',
  ],
  ['postgres_describe_table', { table: 'contry' }, /^NOT_FOUND: [\s\S]*country/, 'an unknown table to describe'],
  ['neo4j_query', { cypher: 'MATCH (n RETURN n' }, /^SYNTAX_ERROR: [\s\S]*line 1, column/, 'a syntax error in Cypher'],
  ['neo4j_query', { cypher: 'CREATE (n:Country) RETURN n' }, /^READ_ONLY: /, 'a write in read-only mode'],
  ['neo4j_query', { cypher: 'RETURN $missing' }, /missing/, 'a missing parameter'],
  ['neo4j_list_nodes', { label: 'Contry' }, /^NOT_FOUND: [\s\S]*Country/, 'an unknown label'],
  ['neo4j_get_relationships', { node_id: 'nonsense' }, /^(NOT_FOUND|INVALID_ARGUMENT): /, 'an unknown node'],
  [
    'qdrant_search',
    { collection: 'contries', query_vector: [0, 0, 1, 5] },
    /^NOT_FOUND: [\s\S]*countries/,
    'an unknown collection',
  ],
  [
    'qdrant_search',
    { collection: 'countries', query_vector: [1, 2] },
    /^INVALID_ARGUMENT: [\s\S]*4[\s\S]*2|^INVALID_ARGUMENT: [\s\S]*2[\s\S]*4/,
    'a wrong vector size',
  ],
  [
    'qdrant_search',
    {
      collection: 'countries',
      query_vector: [0, 0, 1, 5],
      filter: { must: [{ key: 'region', mach: { value: 'x' } }] },
    },
    /^INVALID_ARGUMENT: [\s\S]*mach/,
    'a misspelt condition',
  ],
];

/** Defines the tests; `current` gives the running system. */
export function defineBadInputTests(current: () => LocalSystem): void {
  for (const [tool, args, expected, why] of TOOL_MISTAKES) {
    test(`${tool}: ${why} gets an error that helps, at the gateway and at the server`, async () => {
      const kind = tool.split('_')[0] as keyof LocalSystem['serverUrls'];
      for (const url of [current().gatewayUrl, current().serverUrls[kind]]) {
        const answer = await callTool(url, tool, args);
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.message.result?.isError, true, answer.text);
        assert.match(textOf(answer), expected, answer.text);
      }
    });
  }

  test('nothing was changed by any of the mistakes', async () => {
    const { gatewayUrl } = current();
    const rows = await callTool(gatewayUrl, 'postgres_query', { sql: 'SELECT count(*) FROM country' });
    assert.match(textOf(rows), /250/);
    const nodes = await callTool(gatewayUrl, 'neo4j_query', { cypher: 'MATCH (c:Country) RETURN count(c)' });
    assert.match(textOf(nodes), /250/);
  });

  const wire: [name: string, body: string, headers: Record<string, string>, status: number, ...codes: number[]][] = [
    ['malformed JSON', '{"jsonrpc": "2.0", "id": 1,', {}, 400, -32700],
    [
      'a body of 20 MiB',
      JSON.stringify({ ...LEGACY_CALL, params: { name: 'x', arguments: { a: 'x'.repeat(20 * 1024 * 1024) } } }),
      {},
      413,
      -32600,
    ],
    [
      'an unknown era in the envelope',
      modernBody('1999-01-01'),
      { ...modernHeaders('tools/list'), 'mcp-protocol-version': '1999-01-01' },
      400,
      -32022,
    ],
    [
      'an unknown era in the header of a legacy request',
      JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
      { 'mcp-protocol-version': '1999-01-01' },
      400,
      -32022,
      // The SDK's own code for it.
      -32000,
    ],
    [
      'a header that disagrees with the body',
      modernBody('2026-07-28'),
      modernHeaders('tools/call', 'postgres_query'),
      400,
      -32020,
    ],
    [
      'an unknown tool of the modern era',
      JSON.stringify({ ...LEGACY_CALL, params: { ...LEGACY_CALL.params, _meta: MODERN_META } }),
      modernHeaders('tools/call', 'no_such_tool'),
      200,
      -32602,
    ],
    ['an unknown tool of the legacy era', JSON.stringify(LEGACY_CALL), {}, 200, -32602],
    [
      'an unknown method of the modern era',
      JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'no/such', params: { _meta: MODERN_META } }),
      modernHeaders('no/such'),
      404,
      -32601,
    ],
  ];
  for (const [name, body, headers, status, ...codes] of wire) {
    test(`${name} gets a JSON-RPC error at the gateway and at a server`, async () => {
      for (const url of [current().gatewayUrl, current().serverUrls.postgres]) {
        const answer = await post(url, body, headers);
        assert.equal(answer.status, status, `${url}: ${answer.text.slice(0, 500)}`);
        assert.ok(codes.includes(answer.message.error?.code ?? 0), `${url}: ${answer.text.slice(0, 500)}`);
        assert.ok((answer.message.error?.message.length ?? 0) > 10, answer.text);
      }
    });
  }
}

function modernBody(version: string): string {
  const meta = { ...MODERN_META, 'io.modelcontextprotocol/protocolVersion': version };
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: meta } });
}
