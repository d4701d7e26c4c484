/**
 * Transparency: the official conformance suite says the same of a server whether it is asked directly or through the
 * gateway, check by check. What differs, and why, is in conformance-expected-differences.ts.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { connectClient, spawnProcess } from '@database-mcp/testing';
import { EXPECTED_DIFFERENCES, type Setting } from './conformance-expected-differences.ts';
import { runRequirements, type Checks, type Revision } from './conformance-run.ts';
import { startGateway, type UpstreamEntry } from './gateway-process.ts';

/** An extension, and streams that are resumed: both are run without being required. */
const OPTIONAL = /^(tasks-|server-sse-polling:)/;
const REVISIONS: readonly Revision[] = ['2026-07-28', '2025-11-25', '2025-06-18'];

/** A context whose clean-up runs when everything here has been run. */
const cleanUps: (() => unknown)[] = [];
const t = { after: (cleanUp: () => unknown) => void cleanUps.unshift(cleanUp) };

let fixtureUrl: string;
let secondUrl: string;
let sessionUrl: string;
const direct = new Map<Revision, Checks>();

before(async () => {
  [fixtureUrl, secondUrl, sessionUrl] = await Promise.all([
    startFixture(),
    startFixture('--prefix', 'second_'),
    startFixture('--legacy'),
  ]);
  for (const revision of REVISIONS) direct.set(revision, await runRequirements(fixtureUrl, revision));
});

after(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
});

for (const revision of REVISIONS) {
  test(`asked directly, the fixture passes everything but what is optional (${revision})`, () => {
    const failed = [...checksOf(revision)].filter(
      ([key, { status }]) => (status === 'FAILURE' || status === 'WARNING') && !OPTIONAL.test(key),
    );
    assert.deepEqual(failed, []);
    assert.ok(checksOf(revision).size > 40);
  });
}

const SETTINGS: Record<Setting, () => UpstreamEntry[]> = {
  'one upstream': () => [{ name: 'fixture', url: fixtureUrl, prefix: '' }],
  'a second, prefixed upstream': () => [
    { name: 'fixture', url: fixtureUrl, prefix: '' },
    { name: 'second', url: secondUrl },
  ],
  'an upstream that knows sessions only': () => [{ name: 'fixture', url: sessionUrl, prefix: '' }],
};

for (const [setting, upstreams] of Object.entries(SETTINGS) as [Setting, () => UpstreamEntry[]][]) {
  suite(`through the gateway, ${setting}`, () => {
    let url: string;

    before(async () => {
      ({ url } = await startGateway(t, upstreams()));
    });

    for (const revision of REVISIONS) {
      test(`every check has the verdict that it has directly, or a reason (${revision})`, async () => {
        const through = await runRequirements(url, revision);
        assert.deepEqual(findSurprises(setting, revision, through), []);
      });
    }

    test('it is the gateway that answers', async () => {
      for (const era of ['2026-07-28', 'legacy'] as const) {
        const client = await connectClient(url, { era, t });
        assert.equal(client.getServerVersion()?.name, 'database-mcp-gateway');
      }
    });
  });
}

test('the second upstream is really there: its tools, prompts and resources are served beside the first', async (context) => {
  const { url } = await startGateway(context, SETTINGS['a second, prefixed upstream']());
  for (const era of ['2026-07-28', 'legacy'] as const) {
    const client = await connectClient(url, { era, t: context });
    for (const [prefix, scheme] of [
      ['', 'test'],
      ['second_', 'test-second'],
    ]) {
      const { content } = await client.callTool({ name: `${prefix}test_embedded_resource` });
      assert.match(JSON.stringify(content), new RegExp(`"${scheme}://embedded-resource"`));
      const { messages } = await client.getPrompt({ name: `${prefix}test_simple_prompt` });
      assert.equal(messages.length, 1);
      const { contents } = await client.readResource({ uri: `${scheme}://template/9/data` });
      assert.equal(contents[0]?.uri, `${scheme}://template/9/data`);
    }
    const names = (await client.listTools()).tools.map(({ name }) => name);
    const second = names.filter((name) => name.startsWith('second_'));
    assert.ok(second.length > 25 && second.every((name) => names.includes(name.slice('second_'.length))));
  }
});

async function startFixture(...flags: string[]): Promise<string> {
  const args = ['libs/testing/src/conformance/main.ts', ...flags];
  const { readyLine } = await spawnProcess({ t, name: 'fixture', args, ready: { line: /"(http:.*\/mcp)"/ } });
  return readyLine?.[1] ?? '';
}

function checksOf(revision: Revision): Checks {
  return direct.get(revision) ?? new Map();
}

/** What differs without being expected to, and what is expected to differ and does not. */
function findSurprises(setting: Setting, revision: Revision, through: Checks): string[] {
  const expected = new Map(
    EXPECTED_DIFFERENCES.filter((row) => row.settings.includes(setting) && row.revisions.includes(revision)).flatMap(
      (row) => Object.entries(row.checks),
    ),
  );
  const asked = checksOf(revision);
  const keys = new Set([...asked.keys(), ...through.keys(), ...expected.keys()]);
  return [...keys].flatMap((key) => {
    const directly = asked.get(key)?.status ?? 'absent';
    const { status = 'absent', message = '' } = through.get(key) ?? {};
    const wanted = expected.get(key);
    if (wanted !== undefined && status === directly)
      return [`${key}: ${status} in both, so it needs no reason any more`];
    if (status === (wanted ?? directly)) return [];
    return [`${key}: ${directly} directly, ${status} through the gateway, ${wanted ?? directly} expected. ${message}`];
  });
}
