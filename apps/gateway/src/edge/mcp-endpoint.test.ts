import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createLogger } from '@database-mcp/telemetry';
import { post } from '../test-gateway.ts';
import { createClassifier } from './classify.ts';
import { createMcpEndpoint } from './mcp-endpoint.ts';
import type { GatewayCore } from './serve-message.ts';

const broken = {
  catalogue: {
    get list() {
      throw new Error('hunter2');
    },
  },
} as unknown as GatewayCore;

for (const { idText, why } of [
  { idText: '7', why: 'a number' },
  { idText: '"ä\\"b"', why: 'a string' },
  { idText: '9007199254740993', why: 'a number beyond those that are exact' },
]) {
  test(`a fault of our own is answered with the request's id and no cause: the id is ${why}`, async (t) => {
    const logger = await createLogger({ service: 'test', level: 'silent', pretty: false });
    const handle = createMcpEndpoint({
      core: broken,
      classifier: createClassifier(),
      maxBodyBytes: 1_024,
      keepAliveMs: 15_000,
      logger,
    });
    const server = createServer(handle).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const answer = await post({ url }, `{"jsonrpc":"2.0","id":${idText},"method":"tools/call","params":{"name":"x"}}`);
    assert.equal(answer.status, 500);
    assert.ok(answer.text.includes(`"id":${idText},`), answer.text);
    assert.match(answer.text, /-32603.*under the reference/);
    assert.ok(!answer.text.includes('hunter2'), answer.text);
  });
}
