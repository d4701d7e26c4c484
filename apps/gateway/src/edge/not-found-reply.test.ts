import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { resourceText, serveKinds } from '../test-kinds.ts';
import { modernBody, modernHeaders, post, startTestGateway, type Answer } from '../test-gateway.ts';
import { answerJson, startTestUpstream } from '../test-upstream.ts';

const URI = 'test://a';

/** Reads a resource whose server answers with that text. */
async function read(t: TestContext, era: 'modern' | 'legacy', outcome: string, status: number): Promise<Answer> {
  const lists = serveKinds({ capabilities: { tools: {}, resources: {} }, resources: [resourceText(URI)] });
  const upstream = await startTestUpstream(t, {
    onRequest: (request, response) => {
      if (request.body.method !== 'resources/read') return lists(request, response);
      answerJson(response, `{"jsonrpc":"2.0","id":${JSON.stringify(request.body.id)},${outcome}}`, status);
      return true;
    },
  });
  const gateway = await startTestGateway(t, [{ name: 'db', url: upstream.url }]);
  if (era === 'modern') {
    return post(gateway, modernBody('resources/read', { uri: URI }), modernHeaders('resources/read', URI));
  }
  return post(gateway, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"${URI}"}}`);
}

const LONG = `"result":{"contents":[{"uri":"${URI}","text":"${'-32002 '.repeat(5_000)}"}]}`;
const TABLE = [
  {
    why: 'a server of 2026-07-28 that uses the old code',
    outcome: '"error":{"code":-32002,"message":"no","data":{"uri":"test://a","n":90071992547409931}}',
    expected: '"error":{"code":-32602,"message":"no","data":{"uri":"test://a","n":90071992547409931}}',
  },
  { why: 'with an error status', outcome: '"error":{"code":-32002}', expected: '"error":{"code":-32602}', status: 404 },
  { why: 'the client knows the old code', outcome: '"error":{"code":-32002}', era: 'legacy' as const },
  { why: 'another error that tells of the old one', outcome: '"error":{"code":-32603,"message":"-32002"}' },
  { why: 'a result that holds such a number', outcome: '"result":{"contents":[],"error":{"code":-32002}}' },
  { why: 'an answer longer than any error', outcome: LONG },
];

for (const { why, outcome, expected = outcome, era = 'modern', status = 200 } of TABLE) {
  test(`a resource that is not there has the code of the client's revision, all else keeps its bytes: ${why}`, async (t) => {
    const answer = await read(t, era, outcome, status);
    assert.equal(answer.status, status);
    assert.equal(answer.text, `{"jsonrpc":"2.0","id":1,${expected}}`);
  });
}
