import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '@database-mcp/config';
import { describeConfig, loadConfig } from './config.ts';

test('every mistake is told at once, and no password is shown', () => {
  const env = { NEO4J_URI: 'bolt://neo4j:hunter2@db:7687', MCP_PORT: 'x', MCP_TRANSPORT: 'pigeon' };
  assert.throws(
    () => loadConfig({ env }),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.problems.length, 3);
      assert.match(error.message, /NEO4J_USERNAME/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    },
  );
});

const ADDRESSES: { uri: string; isRight: boolean; why: string }[] = [
  { uri: 'bolt://127.0.0.1:7687', isRight: true, why: 'one server' },
  { uri: 'neo4j+s://abc.databases.neo4j.io', isRight: true, why: 'a cluster with TLS, default port' },
  { uri: 'bolt+ssc://[::1]:7687/', isRight: true, why: 'IPv6' },
  { uri: 'http://127.0.0.1:7474', isRight: false, why: 'not Bolt' },
  { uri: 'bolt://db:7687/neo4j', isRight: false, why: 'the driver takes no path' },
  { uri: 'bolt://db:7687?policy=x', isRight: false, why: 'nor a query here' },
  { uri: 'bolt://', isRight: false, why: 'no host' },
  { uri: 'db:7687', isRight: false, why: 'no scheme' },
];

test('the address is checked before anything connects', () => {
  for (const { uri, isRight, why } of ADDRESSES) {
    const load = (): unknown => loadConfig({ env: { NEO4J_URI: uri } });
    if (isRight) assert.doesNotThrow(load, why);
    else assert.throws(load, ConfigError, why);
  }
});

test('without an address the error says how to set it', () => {
  assert.throws(() => loadConfig({ env: {} }), /NEO4J_URI: it must be set .* bolt:\/\/127\.0\.0\.1:7687/);
});

test('the log shows the address but no password', () => {
  const env = { NEO4J_URI: 'bolt://db:7687', NEO4J_PASSWORD: 'hunter2' };
  const shown = JSON.stringify(describeConfig(loadConfig({ env })));
  assert.match(shown, /bolt:\/\/db:7687/);
  assert.doesNotMatch(shown, /hunter2/);
});
