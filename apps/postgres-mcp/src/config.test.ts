import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '@database-mcp/config';
import { describeConfig, loadConfig, toDatabaseOptions } from './config.ts';

const URL_TEXT = 'postgresql://reader:hunter2@db.example:5433/shop';

test('the URL wins over the PG variables and is shown without its password', () => {
  const config = loadConfig({ env: { POSTGRES_URL: URL_TEXT, PGHOST: 'elsewhere' } });
  assert.equal(toDatabaseOptions(config).url, URL_TEXT);
  const shown = describeConfig(config);
  assert.equal(shown['POSTGRES_URL'], 'postgresql://reader:***@db.example:5433/shop');
  assert.equal('PGHOST' in shown, false);
});

test('without a URL the PG variables count, the password also from a file', () => {
  const env = { PGHOST: 'h', PGPORT: '5433', PGUSER: 'u', PGPASSWORD_FILE: '/run/p', PGDATABASE: 'd' };
  const config = loadConfig({ env, readFile: () => 'hunter2\n' });
  const { host, port, user, password, database, url } = toDatabaseOptions(config);
  assert.deepEqual([host, port, user, password, database, url], ['h', 5433, 'u', 'hunter2', 'd', undefined]);
  assert.equal(JSON.stringify(describeConfig(config)).includes('hunter2'), false);
});

test('all mistakes are reported at once and none shows a secret', () => {
  const env = { POSTGRES_URL: 'mysql://u:hunter2@h/d', POSTGRES_POOL_SIZE: '0', MCP_PORT: 'x' };
  assert.throws(
    () => loadConfig({ env }),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.problems.length, 3);
      assert.equal(error.message.includes('hunter2'), false);
      return true;
    },
  );
});
