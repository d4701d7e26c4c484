import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { ConfigError, loadSettings, parseConfigFile, redactSettings, redactUrl } from './index.ts';

const TABLE = {
  port: { env: 'MCP_PORT', flag: 'port', schema: z.coerce.number().int().min(0).max(65535).default(8000) },
  url: {
    env: 'POSTGRES_URL',
    schema: z.string().startsWith('postgres://', 'it must start with postgres://'),
    secret: true,
  },
  level: { env: 'LOG_LEVEL', schema: z.enum(['info', 'debug']).default('info') },
};

function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  throw new assert.AssertionError({ message: 'the configuration was accepted' });
}

test('settings come from flags, then the environment, then the default', () => {
  const env = { MCP_PORT: '8001', POSTGRES_URL: 'postgres://h/d' };
  assert.deepEqual(loadSettings(TABLE, { env }), { port: 8001, url: 'postgres://h/d', level: 'info' });
  assert.equal(loadSettings(TABLE, { env, argv: ['--port', '9'] }).port, 9);
});

test('a secret can come from a file, without its final line break', () => {
  const values = loadSettings(TABLE, { env: { POSTGRES_URL_FILE: '/run/x' }, readFile: () => 'postgres://u:p@h/d\n' });
  assert.equal(values.url, 'postgres://u:p@h/d');
});

test('all problems are reported at once and no secret is shown', () => {
  const problems = problemsOf(() =>
    loadSettings(TABLE, {
      env: { MCP_PORT: 'abc', POSTGRES_URL: 'mysql://u:hunter2@h/d', LOG_LEVEL: 'loud' },
      argv: ['--wrong', 'stray'],
    }),
  );
  assert.equal(problems.length, 5, problems.join('\n'));
  assert.ok(!problems.join('\n').includes('hunter2'));
  assert.match(problems.join('\n'), /--wrong: there is no such flag; known: --port/);
});

test('a secret file that cannot be read is one problem, not two', () => {
  const problems = problemsOf(() => loadSettings(TABLE, { env: { POSTGRES_URL_FILE: '/does/not/exist' } }));
  assert.deepEqual(problems, [
    'POSTGRES_URL: the file /does/not/exist named by POSTGRES_URL_FILE cannot be read (ENOENT)',
  ]);
});

test('prints hide secrets and passwords in URLs', () => {
  assert.deepEqual(redactSettings(TABLE, { port: 1, url: 'postgres://u:p@h/d', level: undefined }), {
    MCP_PORT: 1,
    POSTGRES_URL: '***',
  });
  const endpoint = { endpoint: { env: 'OTEL_EXPORTER_OTLP_ENDPOINT', schema: z.string() } };
  assert.deepEqual(redactSettings(endpoint, { endpoint: 'http://u:secret@h:1/p' }), {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://u:***@h:1/p',
  });
  assert.deepEqual(redactSettings(endpoint, { endpoint: 'http://h:1/p?a=b' }), {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://h:1/p?a=b',
  });
  assert.equal(redactUrl('http://u:secret@h:1/p?token=x'), 'http://u:***@h:1/p?***');
  assert.equal(redactUrl('secret'), '(hidden)');
});

const FILE_SCHEMA = z.strictObject({ upstreams: z.array(z.strictObject({ name: z.string(), url: z.url() })) });

test('a YAML file takes ${NAME} from the environment, JSON is valid too', () => {
  const yaml = 'upstreams:\n  - name: a\n    url: http://${HOST}:1/\n';
  const expected = { upstreams: [{ name: 'a', url: 'http://h:1/' }] };
  assert.deepEqual(parseConfigFile('g.yaml', yaml, FILE_SCHEMA, { HOST: 'h' }), expected);
  assert.deepEqual(parseConfigFile('g.json', JSON.stringify(expected), FILE_SCHEMA, {}), expected);
});

test('a value from the environment cannot change the structure of the file', () => {
  const yaml = 'upstreams:\n  - name: ${NAME}\n    url: http://h/\n';
  const parsed = parseConfigFile('g.yaml', yaml, FILE_SCHEMA, { NAME: 'x\nurl: http://evil/' });
  assert.equal(parsed.upstreams[0]?.url, 'http://h/');
});

test('every mistake in a file is reported at once with its line', () => {
  const yaml = 'upstreams:\n  - name: 7\n    url: nowhere\n    colour: red\n  - name: b\n    url: ${MISSING}\n';
  const problems = problemsOf(() => parseConfigFile('g.yaml', yaml, FILE_SCHEMA, {}));
  const all = problems.join('\n');
  for (const expected of [
    /line 2, upstreams\[0\]\.name/,
    /line 3, upstreams\[0\]\.url/,
    /colour/,
    /line 6: .*MISSING/,
  ]) {
    assert.match(all, expected);
  }
});
