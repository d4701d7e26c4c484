/** Tables as resources, and the completion of their names, through the gateway by clients of every era. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectClient, type ConnectOptions } from '@database-mcp/testing';
import type { LocalSystem } from './local-system.ts';

const WAYS: [name: string, options: ConnectOptions][] = [
  ['2026-07-28', { era: '2026-07-28' }],
  ['initialize', { era: 'legacy' }],
  ['HTTP+SSE', { transport: 'sse' }],
];

/** Registers the tests. */
export function defineResourceTests(current: () => LocalSystem): void {
  for (const [name, options] of WAYS) {
    test(`a client of ${name} reads tables as resources through the gateway, and names are completed`, async (t) => {
      const { gatewayUrl, sseUrl } = current();
      const client = await connectClient(options.transport === 'sse' ? sseUrl : gatewayUrl, { ...options, t });
      const { resources, completions } = client.getServerCapabilities() ?? {};
      assert.ok(resources && completions);
      const { resourceTemplates } = await client.listResourceTemplates();
      const template = 'postgres://{schema}/{table}';
      assert.ok(resourceTemplates.some(({ uriTemplate }) => uriTemplate === template));
      const uri = 'postgres://public/country';
      const { contents } = await client.readResource({ uri });
      assert.equal(contents[0]?.uri, uri);
      assert.match(JSON.stringify(contents), /area_km2/);
      const { completion } = await client.complete({
        ref: { type: 'ref/resource', uri: template },
        argument: { name: 'table', value: 'country_l' },
        context: { arguments: { schema: 'public' } },
      });
      assert.deepEqual(completion.values, ['country_language']);
      await assert.rejects(client.readResource({ uri: 'postgres://public/contry' }), (error: unknown) => {
        const { code, data } = error as { code?: unknown; data?: unknown };
        assert.deepEqual([code, data], [-32602, { uri: 'postgres://public/contry' }]);
        return true;
      });
    });
  }
}
