import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions } from './options.ts';

const DEFAULTS = {
  port: 8000,
  dataDirectory: '.data',
  sample: true,
  postgresUrl: undefined,
  qdrantUrl: undefined,
  neo4jUri: undefined,
};

test('flags and environment become options', () => {
  const table: [argv: string[], env: Record<string, string>, expected: object, why: string][] = [
    [[], {}, {}, 'the defaults'],
    [['--port', '9000'], {}, { port: 9000 }, 'a port'],
    [['--ephemeral'], {}, { dataDirectory: undefined }, 'no data kept'],
    [['--data', 'x', '--no-sample'], {}, { dataDirectory: 'x', sample: false }, 'a folder, no sample'],
    [['--qdrant-url', 'http://h:1'], { QDRANT_URL: 'http://other' }, { qdrantUrl: 'http://h:1' }, 'a flag wins'],
    [
      [],
      { POSTGRES_URL: 'postgres://u:p@h/d', NEO4J_URI: 'bolt://h' },
      { postgresUrl: 'postgres://u:p@h/d', neo4jUri: 'bolt://h' },
      'from the environment',
    ],
    [[], { POSTGRES_URL: '' }, {}, 'an empty variable is none'],
  ];
  for (const [argv, env, expected, why] of table) {
    assert.deepEqual(parseOptions(argv, env), { kind: 'options', options: { ...DEFAULTS, ...expected } }, why);
  }
});

test('mistakes are named in the words that were typed, without a password', () => {
  const table: [argv: string[], expected: RegExp, why: string][] = [
    [['--port', 'x'], /--port is "x"/, 'no number'],
    [['--port', '65533'], /--port is "65533"/, 'no room for the servers'],
    [['--colour'], /--colour/, 'an unknown flag'],
    [['start'], /start/, 'a stray word'],
    [['--data', 'x', '--ephemeral'], /exclude each other/, 'both'],
    [
      ['--postgres-url', 'mysql://u:hunter2@h/d'],
      /--postgres-url is not a URL that begins with postgres:/,
      'another database',
    ],
  ];
  for (const [argv, expected, why] of table) {
    const parsed = parseOptions(argv, {});
    assert.equal(parsed.kind, 'problems', why);
    const text = parsed.kind === 'problems' ? parsed.problems.join('\n') : '';
    assert.match(text, expected, why);
    assert.doesNotMatch(text, /hunter2/);
  }
});
