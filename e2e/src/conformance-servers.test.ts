/** Each database server, without the gateway, in those scenarios of the conformance suite that a server of tools can pass. */
import assert from 'node:assert/strict';
import { before, after, suite, test } from 'node:test';
import { startNeo4j, startPostgres, startQdrant } from '@database-mcp/embedded';
import { freePort, spawnProcess, type SpawnedProcess } from '@database-mcp/testing';
import { runRequirements, type Checks, type Revision } from './conformance-run.ts';

interface StartedDatabase {
  /** What the server has to be told about it. */
  env: Record<string, string | undefined>;
  stop(): Promise<void>;
}

const SERVERS: { name: string; hasResources?: boolean; start(): Promise<StartedDatabase> }[] = [
  {
    name: 'postgres-mcp',
    hasResources: true,
    async start() {
      const database = await startPostgres();
      return { env: { POSTGRES_URL: database.url }, stop: () => database.stop() };
    },
  },
  {
    name: 'qdrant-mcp',
    async start() {
      const database = await startQdrant();
      return { env: { QDRANT_URL: database.url, QDRANT_API_KEY: undefined }, stop: () => database.stop() };
    },
  },
  {
    name: 'neo4j-mcp',
    async start() {
      const { uri, username, password, ...database } = await startNeo4j();
      return {
        env: { NEO4J_URI: uri, NEO4J_USERNAME: username, NEO4J_PASSWORD: password },
        stop: () => database.stop(),
      };
    },
  },
];

const OLD_SCENARIOS: readonly string[] = ['ping', 'server-initialize', 'server-session-lifecycle', 'tools-list'];
/** The scenarios that need no tool, prompt or resource made for the suite. */
const APPLICABLE: Record<Revision, readonly string[]> = {
  '2026-07-28': [
    'caching',
    'dns-rebinding-protection',
    'http-header-validation',
    'input-required-result-unsupported-methods',
    'input-required-result-validate-input',
    'sep-2164-resource-not-found',
    'server-sse-multiple-streams',
    'server-stateless',
    'tools-list',
  ],
  '2025-11-25': [...OLD_SCENARIOS, 'dns-rebinding-protection', 'server-sse-multiple-streams'],
  '2025-06-18': OLD_SCENARIOS,
};

type Exceptions = Record<string, { status: string; why: string }>;

/** Checks of those scenarios that ask for more than tools. A listed check that begins to pass fails the test too. */
const EXCEPTIONS: Exceptions = {
  'caching:sep-2549-prompts-list-caching-hints': { status: 'FAILURE', why: 'there are no prompts' },
  'caching:sep-2549-resources-read-caching-hints': { status: 'SKIPPED', why: 'no resource is listed' },
  'server-stateless:sep-2575-server-rejects-undeclared-capability': {
    status: 'FAILURE',
    why: 'wants a tool that needs a capability of the client; ours need none',
  },
  'server-stateless:sep-2575-missing-capability-http-400': { status: 'FAILURE', why: 'wants the same tool' },
  'server-stateless:sep-2575-http-server-no-independent-requests-on-stream': {
    status: 'FAILURE',
    why: 'wants a tool of its own that answers on a stream',
  },
  'server-stateless:sep-2575-server-no-log-without-loglevel': {
    status: 'FAILURE',
    why: 'wants a tool of its own that logs',
  },
  'server-stateless:sep-2575-server-sends-prompts-list-changed-on-subscription': {
    status: 'SKIPPED',
    why: 'there are no prompts',
  },
  'server-stateless:sep-2575-server-sends-tools-list-changed-on-subscription': {
    status: 'SKIPPED',
    why: 'the list of tools is fixed, so its change is not declared',
  },
};

/** The same, of servers without resources. */
const RESOURCE_EXCEPTIONS: Exceptions = {
  'caching:sep-2549-resources-list-caching-hints': { status: 'FAILURE', why: 'there are no resources' },
  'caching:sep-2549-resources-templates-list-caching-hints': { status: 'FAILURE', why: 'there are no resources' },
  'sep-2164-resource-not-found:sep-2164-error-code': { status: 'WARNING', why: 'there are no resources' },
  'sep-2164-resource-not-found:sep-2164-data-uri': { status: 'WARNING', why: 'there are no resources' },
};

for (const { name, hasResources = false, start } of SERVERS) {
  const exceptions = hasResources ? EXCEPTIONS : { ...EXCEPTIONS, ...RESOURCE_EXCEPTIONS };
  suite(name, () => {
    let database: StartedDatabase | undefined;
    let server: SpawnedProcess | undefined;
    let url = '';

    before(async () => {
      database = await start();
      const port = await freePort();
      url = `http://127.0.0.1:${port}/mcp`;
      server = await spawnProcess({
        args: [`apps/${name}/src/main.ts`],
        env: { ...database.env, MCP_PORT: String(port) },
        ready: { url: `http://127.0.0.1:${port}/ready` },
      });
    });

    after(async () => {
      await server?.stop();
      await database?.stop();
    });

    for (const [revision, scenarios] of Object.entries(APPLICABLE) as [Revision, readonly string[]][]) {
      test(`it passes what applies to a server of tools (${revision})`, async () => {
        const checks = await runRequirements(url, revision);
        for (const scenario of scenarios) assert.ok(hasScenario(checks, scenario), `${scenario} was not run`);
        assert.deepEqual(findDeviations(checks, scenarios, exceptions), []);
      });
    }
  });
}

function hasScenario(checks: Checks, scenario: string): boolean {
  return [...checks.keys()].some((key) => key.startsWith(`${scenario}:`));
}

/** In the other scenarios every message still has to fit the schema of its revision. */
function findDeviations(checks: Checks, scenarios: readonly string[], exceptions: Exceptions): string[] {
  const unused = Object.keys(exceptions).filter(
    (key) => scenarios.includes(key.split(':')[0] ?? '') && !checks.has(key),
  );
  const deviations = [...checks].flatMap(([key, { status, message }]) => {
    const [scenario = '', check] = key.split(':');
    if (!scenarios.includes(scenario) && check !== 'wire-schema-valid') return [];
    const expected = exceptions[key]?.status ?? 'SUCCESS';
    // INFO is no verdict.
    return status === expected || status === 'INFO' ? [] : [`${key}: ${status}, expected ${expected}. ${message}`];
  });
  return [...unused.map((key) => `${key}: an exception for a check that there is not`), ...deviations];
}
