import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { putLoad } from './load.ts';
import { startStdioClient } from './stdio-client.ts';

/** A server of one line of JavaScript for each request; `answer` sends. */
async function start(t: TestContext, onRequest: string) {
  const script = `
    const answer = (message) => process.stdout.write(JSON.stringify(message) + '\\n');
    require('node:readline').createInterface(process.stdin).on('line', (line) => {
      const { id, method, params } = JSON.parse(line);
      if (method === 'initialize') return answer({ jsonrpc: '2.0', id, result: {} });
      if (id === undefined) return;
      ${onRequest}
    });`;
  const client = await startStdioClient(['-e', script]);
  t.after(() => client.stop());
  return client;
}

const FORMS = [
  { why: 'the id at the beginning', answer: "answer({ jsonrpc: '2.0', id, result: params })" },
  { why: 'the id at the end', answer: "answer({ result: params, jsonrpc: '2.0', id })" },
  { why: 'the id last of all', answer: "answer({ jsonrpc: '2.0', result: params, id })" },
  {
    why: 'in another order than asked, and in pieces',
    answer: `setTimeout(() => {
      const text = JSON.stringify({ jsonrpc: '2.0', id, result: params }) + '\\n';
      process.stdout.write(text.slice(0, 20));
      process.stdout.write(text.slice(20));
    }, 5 * (4 - params.n))`,
  },
];
for (const { why, answer } of FORMS) {
  test(`calls in flight on one connection get their own answers: ${why}`, async (t) => {
    const client = await start(t, answer);
    const numbers = [1, 2, 3, 4];
    const answers = await Promise.all(
      numbers.map((n) => client.request('tools/call', { n, text: `"id":99,é${'x'.repeat(200)}` })),
    );
    const found = answers.map((bytes) => (JSON.parse(bytes.toString('utf8')) as { result: { n: number } }).result.n);
    assert.deepEqual(found, numbers);
  });
}

test('a server that ends fails the calls in flight with what it said', async (t) => {
  const client = await start(t, "console.error('out of luck'); process.exitCode = 3; process.stdin.destroy();");
  await assert.rejects(client.request('tools/call', {}), /code 3.*out of luck/);
  await assert.rejects(client.request('tools/call', {}), /out of luck/);
});

test('the load counts what ended in the measured time, and fails with the first call that fails', async () => {
  const result = await putLoad(() => new Promise((resolve) => setTimeout(resolve, 10)), {
    clients: 2,
    warmUpMs: 50,
    measureMs: 100,
  });
  assert.ok(result.calls > 0 && result.calls < result.callsInAll, JSON.stringify(result));
  assert.ok(result.p50 >= 9, JSON.stringify(result));
  const failing = putLoad(() => Promise.reject(new Error('no')), { clients: 2, warmUpMs: 0, measureMs: 1_000 });
  await assert.rejects(failing, /^Error: no$/);
});
