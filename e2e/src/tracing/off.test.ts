import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { freePort, repositoryRoot, spawnProcess, startOtlpReceiver, type SpawnedProcess } from '@database-mcp/testing';
import { callTool, startTracedGateway } from './traced-gateway.ts';
import { startTracedUpstream } from './traced-upstream.ts';

const LIST_MODULES = ['--import', './e2e/src/tracing/list-modules.mjs'];
/** What is not loaded unless something is exported. */
const EXPORT_MODULES = /assemble-telemetry|\/otlp\/|\/metrics\/(?:prometheus|metrics-server|runtime-metrics)/;
const SDK_MODULES = /@opentelemetry\/(?:sdk|exporter|api)/;
const OTEL_OFF = {
  OTEL_EXPORTER_OTLP_ENDPOINT: undefined,
  OTEL_TRACES_EXPORTER: undefined,
  MCP_METRICS_PORT: undefined,
};
const run = promisify(execFile);

async function modulesOf(process: SpawnedProcess): Promise<string[]> {
  await process.stop();
  const line = /^MODULES (.*)$/m.exec(process.stderr());
  assert.ok(line?.[1], process.stderr());
  return JSON.parse(line[1]);
}

test('a gateway that exports nothing has loaded no exporter, and passes what clients send byte for byte', async (t) => {
  const upstream = await startTracedUpstream(t, 'a_');
  const upstreams = [{ name: 'a', url: `http://127.0.0.1:${upstream.port}/mcp` }];
  const gateway = await startTracedGateway(t, { upstreams, env: OTEL_OFF, nodeArgs: LIST_MODULES });
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const body = `{ "jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a_ok", "_meta":{"traceparent":"${traceparent}"}}}`;
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', traceparent };
  assert.equal((await fetch(gateway.url, { method: 'POST', headers, body })).status, 200);
  assert.equal(upstream.callOf('ok').text, body);
  assert.equal(upstream.callOf('ok').headers['traceparent'], traceparent);
  const modules = await modulesOf(gateway.process);
  const line =
    gateway.process
      .stderr()
      .split('\n')
      .find((text) => text.includes('"msg":"call"')) ?? '';
  assert.match(
    line,
    /"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331"/,
    "the caller's trace",
  );
  assert.ok(
    modules.some((url) => url.endsWith('/telemetry.ts')),
    'the list is one',
  );
  assert.deepEqual(
    modules.filter((url) => EXPORT_MODULES.test(url) || SDK_MODULES.test(url)),
    [],
  );
});

test('with an exporter these modules are loaded, so the list can tell', async (t) => {
  const receiver = await startOtlpReceiver(t);
  const upstream = await startTracedUpstream(t, 'a_');
  const upstreams = [{ name: 'a', url: `http://127.0.0.1:${upstream.port}/mcp` }];
  const env = { ...OTEL_OFF, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
  const gateway = await startTracedGateway(t, { upstreams, env, nodeArgs: LIST_MODULES });
  await callTool(gateway.url, 'modern', 'a_ok');
  const modules = await modulesOf(gateway.process);
  assert.ok(modules.some((url) => EXPORT_MODULES.test(url)));
  assert.ok(!modules.some((url) => SDK_MODULES.test(url)), 'there is no SDK in this project');
});

test('a database server that exports nothing has loaded no exporter', async (t) => {
  const port = await freePort();
  const server = await spawnProcess({
    t,
    args: [...LIST_MODULES, 'apps/qdrant-mcp/src/main.ts', '--port', String(port)],
    env: { ...OTEL_OFF, QDRANT_URL: `http://127.0.0.1:${await freePort()}` },
    ready: { url: `http://127.0.0.1:${port}/health` },
  });
  const modules = await modulesOf(server);
  assert.ok(modules.some((url) => url.endsWith('/telemetry.ts')));
  assert.deepEqual(
    modules.filter((url) => EXPORT_MODULES.test(url) || SDK_MODULES.test(url)),
    [],
  );
});

test('the bundles hold no SDK, and the bundled gateway exports as its sources do', async (t) => {
  const apps = ['gateway', 'postgres-mcp', 'qdrant-mcp', 'neo4j-mcp'].map((app) => join(repositoryRoot, 'apps', app));
  for (const app of apps) {
    await run(process.execPath, [join(repositoryRoot, 'deploy/bundle/src/main.ts'), app]);
    assert.doesNotMatch(await readFile(join(app, 'dist/main.js'), 'utf8'), SDK_MODULES, app);
  }
  const receiver = await startOtlpReceiver(t);
  const upstream = await startTracedUpstream(t, 'a_');
  const gateway = await startTracedGateway(t, {
    upstreams: [{ name: 'a', url: `http://127.0.0.1:${upstream.port}/mcp` }],
    program: 'apps/gateway/dist/main.js',
    env: { ...OTEL_OFF, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url },
  });
  await callTool(gateway.url, 'modern', 'a_ok');
  await receiver.waitForSpan('the call', ({ name, kind }) => name === 'tools/call a_ok' && kind === 'server');
});
