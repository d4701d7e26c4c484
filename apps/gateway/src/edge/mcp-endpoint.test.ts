import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createLogger } from '@database-mcp/telemetry';
import { post, startTestGateway } from '../test-gateway.ts';
import { createClassifier } from './classify.ts';
import { createMcpEndpoint } from './mcp-endpoint.ts';
import type { GatewayCore } from './gateway-core.ts';
import { openSocket } from './test-raw-http.ts';

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

const DRIBBLED = [
  { why: 'headers', head: 'POST /mcp HTTP/1.1\r\nhost: localhost\r\nx-a: ' },
  {
    why: 'a body',
    head: 'POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n',
  },
];

for (const { why, head } of DRIBBLED) {
  test(`a request that dribbles in for longer than requestTimeoutMs ends with 408, while others are served (${why})`, async (t) => {
    const gateway = await startTestGateway(t, [{ name: 'pg', url: 'http://127.0.0.1:1/mcp' }], {
      requestTimeoutMs: 300,
    });
    const { socket, answer } = await openSocket(gateway.port);
    socket.write(head);
    const timer = setInterval(() => socket.write(' '), 20);
    t.after(() => clearInterval(timer));
    const served = await post(gateway, '{"jsonrpc":"2.0","id":1,"method":"ping"}');
    assert.equal(served.text, '{"jsonrpc":"2.0","id":1,"result":{}}');
    assert.equal((await answer).status, 408);
  });
}
