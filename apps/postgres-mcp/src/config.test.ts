import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '@database-mcp/config';
import { describeConfig, loadConfig } from './config.ts';

const URL_TEXT = 'postgresql://reader:hunter2@db.example:5433/shop';

test('the URL wins over the PG variables, which fill in what it leaves out, and the log shows no password', () => {
  const env = { POSTGRES_URL: 'postgresql://reader@db.example/shop', PGHOST: 'elsewhere', PGPASSWORD: 'hunter2', PGSSLMODE: 'require' }; // prettier-ignore
  const config = loadConfig({ env });
  assert.deepEqual(config.target.hosts, [{ host: 'db.example', port: 5432 }]);
  assert.equal(config.target.password, 'hunter2');
  const shown = describeConfig(config);
  assert.equal(shown['POSTGRES_URL'], 'postgresql://reader:***@db.example:5432/shop?sslmode=require');
  assert.equal(JSON.stringify(shown).includes('hunter2'), false);
});

test('without a URL the PG variables count, the password also from a file', () => {
  const env = { PGHOST: 'h', PGPORT: '5433', PGUSER: 'u', PGPASSWORD_FILE: '/run/p', PGDATABASE: 'd' };
  const config = loadConfig({ env, readFile: () => 'hunter2\n' });
  const { hosts, user, password, database, sslMode } = config.target;
  assert.deepEqual([hosts, user, password, database, sslMode], [[{ host: 'h', port: 5433 }], 'u', 'hunter2', 'd', 'prefer']); // prettier-ignore
  assert.equal(JSON.stringify(describeConfig(config)).includes('hunter2'), false);
});

test('the URL itself can come from a file', () => {
  const config = loadConfig({ env: { POSTGRES_URL_FILE: '/run/url' }, readFile: () => `${URL_TEXT}\n` });
  assert.equal(config.target.hosts[0]?.host, 'db.example');
});

test('a replica is reached as the primary unless its URL says otherwise', () => {
  const env = {
    POSTGRES_URL: 'postgresql://reader:hunter2@db.example:5433/shop?sslmode=require&target_session_attrs=primary',
    POSTGRES_REPLICA_URL: 'postgresql://replica.example/?sslmode=disable',
  };
  const { replica } = loadConfig({ env });
  assert.deepEqual(
    [replica?.hosts, replica?.user, replica?.password, replica?.database, replica?.sslMode, replica?.sessionAttrs],
    [[{ host: 'replica.example', port: 5432 }], 'reader', 'hunter2', 'shop', 'disable', 'any'],
  );
});

test('certificates are read when the process starts', () => {
  const env = { POSTGRES_URL: `${URL_TEXT}?sslmode=verify-ca&sslrootcert=/etc/ca.pem` };
  const config = loadConfig({ env, readFile: (path) => `PEM of ${path}` });
  assert.equal(config.target.ca, 'PEM of /etc/ca.pem');
});

const noFile = (): string => {
  throw Object.assign(new Error('no'), { code: 'ENOENT' });
};

const MISTAKES: { env: Record<string, string>; problems: RegExp[]; why: string }[] = [
  {
    env: { POSTGRES_URL: 'mysql://u:hunter2@h/d', POSTGRES_POOL_SIZE: '0', MCP_PORT: 'x', PGSSLMODE: 'on' },
    problems: [/^MCP_PORT/, /^POSTGRES_POOL_SIZE/, /^POSTGRES_URL \(its value is not shown\): it must look like postgresql:/, /^PGSSLMODE is "on": it must be one of disable, .*verify-full$/],
    why: 'all at once',
  },
  { env: { POSTGRES_URL: 'postgresql://u:hunter2%@h/d' }, problems: [/a % in its password .*%25/], why: 'a raw percent sign in the password' },
  { env: { POSTGRES_URL: 'postgresql://u@h:99999/d' }, problems: [/^POSTGRES_URL: its port is "99999"/], why: 'no port' },
  { env: { POSTGRES_URL: 'postgresql://u@a:1,b:2,c:3/d?port=1,2' }, problems: [/its port has 2 ports for 3 hosts/], why: 'ports that do not fit' },
  { env: { POSTGRES_URL: 'postgresql://u@h/d?sslmod=require' }, problems: [/unknown parameter "sslmod"/], why: 'a misspelt parameter would be TLS that nobody notices is missing' },
  { env: { POSTGRES_URL: 'postgresql://u@h/d?sslmode=verify_full' }, problems: [/^POSTGRES_URL: its sslmode is "verify_full"/], why: 'a misspelt mode' },
  { env: { PGSSLMODE: 'verify-ca' }, problems: [/^PGSSLMODE is "verify-ca": that needs sslrootcert/], why: 'verify-ca without an authority' },
  { env: { PGSSLMODE: 'require', PGSSLROOTCERT: 'system' }, problems: [/^PGSSLROOTCERT is "system": that needs sslmode=verify-full/], why: 'public authorities prove no host' },
  { env: { PGSSLROOTCERT: '/nosuch.pem' }, problems: [/^PGSSLROOTCERT names the file \/nosuch.pem, which cannot be read \(ENOENT\)/], why: 'a file that is not there' },
  { env: { PGTARGETSESSIONATTRS: 'master' }, problems: [/^PGTARGETSESSIONATTRS is "master"/], why: 'not a word of libpq' },
  { env: { POSTGRES_REPLICA_URL: 'http://h' }, problems: [/^POSTGRES_REPLICA_URL \(its value is not shown\)/], why: 'no URL of Postgres' },
  { env: { PGPORT: 'x', PGPORT_FILE: '/x' }, problems: [/PGPORT_FILE is set too/], why: 'said twice' },
]; // prettier-ignore

for (const { env, problems, why } of MISTAKES) {
  test(`refused: ${Object.keys(env).join(', ')} (${why})`, () => {
    assert.throws(
      () => loadConfig({ env, readFile: noFile }),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.problems.length, problems.length, error.message);
        for (const problem of problems)
          assert.ok(
            error.problems.some((found) => problem.test(found)),
            error.message,
          );
        assert.equal(error.message.includes('hunter2'), false);
        return true;
      },
    );
  });
}
