import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { loadGatewayConfig, redactConfig } from './config.ts';
import { toSchemaText } from './write-schema.ts';

function writeConfig(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-config-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'gateway.yaml');
  writeFileSync(path, text);
  return path;
}

const VALID = `
port: 9001
upstreams:
  - name: pg
    url: http://127.0.0.1:8001/mcp
    headers: { authorization: "Bearer \${PG_TOKEN}" }
`;

test('flag wins over environment over file over default', (t) => {
  const path = writeConfig(t, VALID);
  const env = { PG_TOKEN: 's3cret', MCP_PORT: '9002', MCP_HOST: '0.0.0.0' };
  const config = loadGatewayConfig({ argv: ['--config', path, '--port', '9003'], env });
  assert.equal(config.port, 9003);
  assert.equal(config.host, '0.0.0.0');
  assert.equal(loadGatewayConfig({ argv: ['--config', path], env }).port, 9002);
  const { port, host, maxBodyBytes, upstreams } = loadGatewayConfig({
    argv: ['--config', path],
    env: { PG_TOKEN: 'x' },
  });
  assert.deepEqual({ port, host, maxBodyBytes }, { port: 9001, host: '127.0.0.1', maxBodyBytes: 4 * 1024 * 1024 });
  assert.deepEqual(upstreams, [
    {
      name: 'pg',
      url: 'http://127.0.0.1:8001/mcp',
      transport: 'auto',
      era: 'auto',
      args: [],
      env: {},
      prefix: 'pg_',
      rewriteUris: false,
      headers: { authorization: 'Bearer x' },
      timeoutMs: 60_000,
      askTimeoutMs: 300_000,
      maxConcurrency: 64,
      maxQueue: 256,
    },
  ]);
});

test('an upstream is a url or a command, and a key that does not go with it is told', (t) => {
  const cases = [
    { entry: '{}', told: 'upstreams[0].url', why: 'neither' },
    { entry: '{"url":"http://h/mcp","command":"x"}', told: 'upstreams[0].command', why: 'both' },
    { entry: '{"url":"http://h/mcp","args":["a"]}', told: 'upstreams[0].args', why: 'arguments of nothing' },
    { entry: '{"url":"http://h/mcp","env":{"A":"hunter2"}}', told: 'upstreams[0].env', why: 'nothing is started' },
    { entry: '{"command":"x","headers":{"a":"hunter2"}}', told: 'upstreams[0].headers', why: 'no HTTP' },
    {
      entry: '{"name":"a_b","url":"http://h/mcp","rewriteUris":true}',
      told: 'upstreams[0].rewriteUris',
      why: 'no URI begins with that name',
    },
    { entry: '{"command":"x","transport":"sse"}', told: 'upstreams[0].transport', why: 'no HTTP' },
  ];
  for (const { entry, told, why } of cases) {
    const path = writeConfig(t, `{"upstreams":[${JSON.stringify({ name: 'a', ...JSON.parse(entry) })}]}`);
    assert.throws(
      () => loadGatewayConfig({ argv: ['--config', path], env: {} }),
      (error: Error) => error.message.includes(told) && !error.message.includes('hunter2'),
      why,
    );
  }
});

test("a command gets its own variables and what programs need to run, not the gateway's secrets", (t) => {
  const path = writeConfig(t, '{"upstreams":[{"name":"a","command":"x","env":{"KEY":"hunter2"}}]}');
  const config = loadGatewayConfig({ argv: ['--config', path], env: { PATH: '/bin', PG_TOKEN: 's3cret' } });
  assert.deepEqual(config.upstreams[0]?.env, { PATH: '/bin', KEY: 'hunter2' });
  assert.ok(!JSON.stringify(redactConfig(config)).includes('hunter2'));
});

test('JSON is a configuration file too', (t) => {
  const path = writeConfig(t, '{"upstreams":[{"name":"a","url":"http://h/mcp","prefix":""}]}');
  assert.equal(loadGatewayConfig({ argv: ['--config', path], env: {} }).upstreams[0]?.prefix, '');
});

test('every mistake is told at once, and no secret', (t) => {
  const path = writeConfig(
    t,
    `
port: 99999
upstreams:
  - name: Orders!
    url: ftp://user:hunter2@host/mcp
    headers: { authorization: "Bearer hunter2" }
  - name: crm
    url: http://127.0.0.1:8002/mcp
    timeout: 5
`,
  );
  assert.throws(
    () => loadGatewayConfig({ argv: ['--config', path, '--port', 'abc'], env: {} }),
    (error: Error) => {
      for (const part of ['port', 'upstreams[0].name', 'upstreams[0].url', 'timeout', '--port']) {
        assert.ok(error.message.includes(part), `${part} is not in: ${error.message}`);
      }
      assert.ok(!error.message.includes('hunter2'));
      return true;
    },
  );
});

test('two upstreams of one name are refused with both places', (t) => {
  const entry = '  - { name: pg, url: "http://127.0.0.1:1/mcp" }\n';
  const path = writeConfig(t, `upstreams:\n${entry}${entry}`);
  assert.throws(
    () => loadGatewayConfig({ argv: ['--config', path], env: {} }),
    /upstreams\[1\]\.name.*upstreams\[0\] has the name "pg" too/,
  );
});

test('a start without a configuration file says how to name one', () => {
  assert.throws(() => loadGatewayConfig({ argv: [], env: {} }), /start with --config gateway\.yaml/);
});

test('the effective configuration is logged without secrets', (t) => {
  const path = writeConfig(t, VALID.replace('127.0.0.1:8001/mcp', 'u:hunter2@127.0.0.1:8001/mcp?key=hunter2'));
  const config = loadGatewayConfig({ argv: ['--config', path], env: { PG_TOKEN: 'hunter2' } });
  const text = JSON.stringify(redactConfig(config));
  assert.ok(!text.includes('hunter2'));
  assert.ok(text.includes('"authorization":"***"'));
});

test('a key that a command takes as an argument is not logged', (t) => {
  const path = writeConfig(
    t,
    'upstreams:\n  - { name: a, command: run, args: [--key, "${API_KEY}", "-k=${API_KEY}"] }\n',
  );
  const config = loadGatewayConfig({ argv: ['--config', path], env: { API_KEY: 'hunter2' } });
  assert.deepEqual(config.upstreams[0]?.args, ['--key', 'hunter2', '-k=hunter2']);
  const text = JSON.stringify(redactConfig(config));
  assert.ok(!text.includes('hunter2'), text);
  assert.ok(text.includes('"args":["***","***","***"]'), text);
});

test('the published schema is the one that is enforced', () => {
  const published = readFileSync(new URL('../gateway.schema.json', import.meta.url), 'utf8');
  assert.deepEqual(JSON.parse(published), JSON.parse(toSchemaText()), 'run: npm run schema -w @database-mcp/gateway');
});
