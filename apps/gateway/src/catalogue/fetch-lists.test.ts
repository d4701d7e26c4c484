import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listNames, startTestGateway } from '../test-gateway.ts';
import { answerJson, startTestUpstream, toolText, type TestUpstreamOptions } from '../test-upstream.ts';

/** Answers `tools/list`: the tool and the next cursor of each page, by the cursor that leads to it. */
function pages(byCursor: Readonly<Record<string, [tool: string, next?: string]>>): TestUpstreamOptions {
  return {
    onRequest: ({ body }, response) => {
      if (body.method !== 'tools/list') return false;
      const [tool, nextCursor] = byCursor[body.params?.cursor ?? 'first'] ?? assert.fail('no such page');
      const next = nextCursor === undefined ? '' : `,"nextCursor":${JSON.stringify(nextCursor)}`;
      answerJson(response, `{"jsonrpc":"2.0","id":1,"result":{"tools":[${toolText(tool)}]${next}}}`);
      return true;
    },
  };
}

const WALKS = [
  {
    why: 'the empty text is a cursor like any other',
    walk: pages({ first: ['pg_a', ''], '': ['pg_b', 'x'], x: ['pg_c'] }),
    names: ['pg_a', 'pg_b', 'pg_c'],
  },
  { why: 'a list that names the same page again ends', walk: pages({ first: ['pg_a', 'x'], x: ['pg_b', 'x'] }), names: [] }, // prettier-ignore
];

for (const { why, walk, names } of WALKS) {
  test(`the pages of an upstream are walked by its own cursors (${why})`, async (t) => {
    const upstream = await startTestUpstream(t, walk);
    const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
    assert.deepEqual((await listNames(gateway)).filter((name) => name.startsWith('pg_')), names); // prettier-ignore
  });
}
