/** What happens when a part fails or ends: the rest goes on, errors name the database, nothing needs a restart. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { startPostgres, startQdrant, type EmbeddedPostgres, type EmbeddedQdrant } from '@database-mcp/embedded';
import { connectClient, freePort, spawnProcess, waitFor, type SpawnedProcess } from '@database-mcp/testing';
import { callTool, textOf } from './raw-mcp.ts';

/** A call to a dead database must fail within this time. */
const FAIL_FAST_MS = 1_000;

let postgres: EmbeddedPostgres;
let qdrant: EmbeddedQdrant;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'database-mcp-e2e-'));
  [postgres, qdrant] = await Promise.all([startPostgres(), startQdrant()]);
  // Started here and not when it is first asked: the queries that it looks for must not be over by then.
  await observerUrl();
});
after(async () => {
  await (await observer)?.server.stop();
  await Promise.all([postgres?.stop(), qdrant?.stop(), rm(folder, { recursive: true, force: true })]);
});

function startServer(t: TestContext, kind: 'postgres' | 'qdrant', port: number): Promise<SpawnedProcess> {
  const database = kind === 'postgres' ? { POSTGRES_URL: postgres.url } : { QDRANT_URL: qdrant.url };
  return spawnProcess({
    t,
    name: `${kind}-mcp`,
    args: [`apps/${kind}-mcp/src/main.ts`],
    env: { ...database, MCP_PORT: String(port), LOG_LEVEL: 'error' },
    ready: { url: `http://127.0.0.1:${port}/ready` },
  });
}

interface Setup {
  gateway: SpawnedProcess;
  url: string;
  servers: Record<'postgres' | 'qdrant', { process: SpawnedProcess; port: number }>;
}

async function startAll(t: TestContext): Promise<Setup> {
  const [postgresPort, qdrantPort, gatewayPort] = [await freePort(), await freePort(), await freePort()];
  const config = join(folder, `gateway-${gatewayPort}.yaml`);
  await writeFile(
    config,
    `upstreams:\n  - { name: postgres, url: "http://127.0.0.1:${postgresPort}/mcp" }\n  - { name: qdrant, url: "http://127.0.0.1:${qdrantPort}/mcp" }\n`,
  );
  const [postgresServer, qdrantServer] = await Promise.all([
    startServer(t, 'postgres', postgresPort),
    startServer(t, 'qdrant', qdrantPort),
  ]);
  const gateway = await spawnProcess({
    t,
    name: 'gateway',
    args: ['apps/gateway/src/main.ts', '--config', config, '--port', String(gatewayPort)],
    ready: { url: `http://127.0.0.1:${gatewayPort}/ready` },
  });
  return {
    gateway,
    url: `http://127.0.0.1:${gatewayPort}/mcp`,
    servers: {
      postgres: { process: postgresServer, port: postgresPort },
      qdrant: { process: qdrantServer, port: qdrantPort },
    },
  };
}

test('with one server killed its tools stay listed, its calls fail fast and by name, others go on, and it comes back', async (t) => {
  const { url, servers } = await startAll(t);
  const client = await connectClient(url, { t });
  const before = (await client.listTools()).tools.map((tool) => tool.name);
  servers.qdrant.process.kill('SIGKILL');
  await servers.qdrant.process.exited;
  for (let call = 0; call < 5; call++) {
    const started = performance.now();
    const failed = await callTool(url, 'qdrant_list_collections', {});
    const tookMs = performance.now() - started;
    assert.ok(tookMs < FAIL_FAST_MS, `call ${call} took ${tookMs} ms`);
    assert.equal(failed.message.result?.isError, true, failed.text);
    assert.match(textOf(failed), /qdrant/);
    assert.ok(!failed.text.includes(String(servers.qdrant.port)), `the address is shown: ${failed.text}`);
    const other = await callTool(url, 'postgres_query', { sql: 'SELECT 1 AS one' });
    assert.match(textOf(other), /"rows":\[\[1\]\]/);
  }
  assert.deepEqual(
    (await client.listTools()).tools.map((tool) => tool.name),
    before,
  );
  const services = await callTool(url, 'list_services', {});
  const { services: byName } = (services.message.result?.structuredContent ?? {}) as {
    services: Record<string, { status: string }>;
  };
  assert.equal(byName['postgres']?.status, 'up');
  assert.notEqual(byName['qdrant']?.status, 'up');
  await startServer(t, 'qdrant', servers.qdrant.port);
  const back = performance.now();
  await waitFor(async () => !(await callTool(url, 'qdrant_list_collections', {})).message.result?.isError, {
    what: 'calls to work again',
    deadlineMs: 5_000,
  });
  t.diagnostic(`calls work again ${Math.round(performance.now() - back)} ms after the server was back`);
});

for (const part of ['gateway', 'postgres'] as const) {
  test(`SIGTERM to the ${part} during a call: the call finishes, then the process ends with code 0`, async (t) => {
    const { url, gateway, servers } = await startAll(t);
    const target = part === 'gateway' ? gateway : servers.postgres.process;
    const call = callTool(url, 'postgres_query', { sql: "SELECT 'finished' AS state FROM pg_sleep(3)" });
    await waitFor(() => isQueryRunning('pg_sleep(3)'), { what: 'the query to run' });
    target.kill('SIGTERM');
    assert.match(textOf(await call), /finished/);
    assert.deepEqual(await target.exited, { code: 0, signal: null }, target.stderr());
  });
}

test('a client that goes away ends the query on the database', async (t) => {
  const { url } = await startAll(t);
  const gone = new AbortController();
  const call = callTool(url, 'postgres_query', { sql: 'SELECT pg_sleep(25)' }, gone.signal);
  await waitFor(() => isQueryRunning('pg_sleep(25)'), { what: 'the query to run' });
  gone.abort();
  await assert.rejects(call);
  const started = performance.now();
  await waitFor(async () => !(await isQueryRunning('pg_sleep(25)')), { what: 'the query to end', deadlineMs: 3_000 });
  t.diagnostic(`ended ${Math.round(performance.now() - started)} ms after the client went away`);
});

/** Asked through a server of its own, on a connection that has nothing to do with the query. */
async function isQueryRunning(part: string): Promise<boolean> {
  const sql = `SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%' || $1 || '%' AND pid <> pg_backend_pid()`;
  const answer = await callTool(await observerUrl(), 'postgres_query', { sql, params: [part] });
  return !textOf(answer).includes('"rows":[[0]]');
}

let observer: Promise<{ server: SpawnedProcess; url: string }> | undefined;

async function observerUrl(): Promise<string> {
  observer ??= (async () => {
    const port = await freePort();
    const server = await spawnProcess({
      name: 'observer',
      args: ['apps/postgres-mcp/src/main.ts'],
      env: { POSTGRES_URL: postgres.url, MCP_PORT: String(port), LOG_LEVEL: 'error' },
      ready: { url: `http://127.0.0.1:${port}/ready` },
    });
    return { server, url: `http://127.0.0.1:${port}/mcp` };
  })();
  return (await observer).url;
}

test('a configuration with three mistakes is refused with all three, without a secret', async () => {
  const config = join(folder, 'wrong.yaml');
  await writeFile(
    config,
    `port: many\nupstreams:\n  - name: "Not A Name"\n    url: http://user:hunter2@127.0.0.1:1/mcp\n  - name: b\n    url: nowhere\n    headers: { authorization: "Bearer s3cret" }\n`,
  );
  const gateway = await spawnProcess({ name: 'gateway', args: ['apps/gateway/src/main.ts', '--config', config] });
  const exit = await gateway.exited;
  assert.equal(exit.code, 1);
  const said = gateway.stdout() + gateway.stderr();
  for (const expected of [/line 1.*port/, /upstreams\[0\]\.name/, /upstreams\[1\]\.url/]) assert.match(said, expected);
  assert.doesNotMatch(said, /hunter2|s3cret/);
  assert.doesNotMatch(said, /\n\s+at /, 'no stack');
});
