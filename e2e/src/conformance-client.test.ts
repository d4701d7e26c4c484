/** What the gateway sends to its upstreams, judged by the conformance suite: the suite's own server is the upstream. */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { runClientScenario } from './conformance-run.ts';

const MAIN = fileURLToPath(new URL('conformance-client-main.ts', import.meta.url));

const SCENARIOS: { scenario: string; why: string; checks: number; skipped?: readonly string[] }[] = [
  { scenario: 'tools_call', why: 'a call arrives with its arguments', checks: 2 },
  {
    scenario: 'request-metadata',
    why: "the envelope and the gateway's own version negotiation",
    checks: 5,
    skipped: ['roots', 'sampling', 'elicitation'],
  },
  {
    scenario: 'http-standard-headers',
    why: 'Mcp-Method and Mcp-Name on every kind of request',
    checks: 10,
    skipped: ['standard-headers'],
  },
  { scenario: 'http-custom-headers', why: 'Mcp-Param headers arrive as the client wrote them', checks: 18 },
  { scenario: 'http-invalid-tool-headers', why: 'tools with an invalid x-mcp-header are not offered', checks: 12 },
  { scenario: 'sep-2322-client-request-state', why: 'requestState goes back unchanged', checks: 5 },
  { scenario: 'json-schema-ref-no-deref', why: 'no $ref of a schema is fetched', checks: 1 },
  { scenario: 'json-schema-2020-12-preservation', why: 'every schema keyword survives the list', checks: 9 },
];

for (const { scenario, why, checks: expected, skipped = [] } of SCENARIOS) {
  test(`as a client of its upstreams the gateway passes ${scenario}: ${why}`, async () => {
    const checks = [...(await runClientScenario(`${process.execPath} ${MAIN}`, scenario, '2026-07-28'))];
    const passed = checks.filter(([, { status }]) => status === 'SUCCESS');
    const others = checks.filter(
      ([key, { status }]) =>
        status !== 'SUCCESS' && !(status === 'SKIPPED' && skipped.some((part) => key.includes(part))),
    );
    assert.deepEqual(others, []);
    assert.ok(passed.length >= expected, `${passed.length} checks passed, ${expected} were expected`);
  });
}
