import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post, readResult, startTestGateway } from '../test-gateway.ts';
import { answerJson, startTestUpstream, toolText } from '../test-upstream.ts';

const CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pg_link"}}';

test('the very first call of a client of an old revision has an answer that it can read, too', async (t) => {
  const upstream = await startTestUpstream(t, {
    tools: [toolText('pg_link')],
    onCall: (_seen, response) => {
      const link = '{"type":"resource_link","uri":"pg://a","name":"Rows"}';
      answerJson(response, `{"jsonrpc":"2.0","id":1,"result":{"content":[${link}]}}`);
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }]);
  for (const call of ['first', 'second']) {
    const answer = await post(gateway, CALL, { 'mcp-protocol-version': '2025-03-26' });
    assert.equal(readResult(answer).text, 'Rows (pg://a)', call);
  }
  assert.equal(upstream.calls.length, 2);
});
