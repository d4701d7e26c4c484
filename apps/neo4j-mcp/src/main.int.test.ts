/** The server as a process, as a client meets it: over HTTP and over standard input and output. */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { execFile } from 'node:child_process';
import neo4j, { type Driver } from 'neo4j-driver';
import { loadSampleData, startNeo4j, type EmbeddedNeo4j } from '@database-mcp/embedded';
import {
  assertServerContract,
  buildRpcRequest,
  connectClient,
  freePort,
  repositoryRoot,
  residentBytes,
  rpcRequest,
  spawnProcess,
  waitFor,
  type SpawnedProcess,
} from '@database-mcp/testing';

const MAIN = 'apps/neo4j-mcp/src/main.ts';
const TOOLS = ['neo4j_query', 'neo4j_list_nodes', 'neo4j_get_relationships'];
const ENDLESS = 'UNWIND range(1, 1000000000000) AS x WITH x WHERE x < 0 RETURN x';
const MEBIBYTE = 1024 * 1024;

let database: EmbeddedNeo4j;
/** An independent connection with all rights. */
let admin: Driver;

before(async () => {
  database = await startNeo4j();
  await loadSampleData({ neo4j: database });
  admin = neo4j.driver(database.uri, neo4j.auth.basic(database.username, database.password));
});

after(async () => {
  await admin?.close();
  await database?.stop();
});

interface Served {
  base: string;
  url: string;
  server: SpawnedProcess;
}

interface Table {
  columns: { name: string; type: string }[];
  rows: unknown[][];
  truncated: boolean;
  notices?: string[];
}

function environmentOf({ uri, username, password }: Pick<EmbeddedNeo4j, 'uri' | 'username' | 'password'>) {
  return { NEO4J_URI: uri, NEO4J_USERNAME: username, NEO4J_PASSWORD: password };
}

async function serve(t: TestContext, env: Record<string, string> = {}, ready = '/ready', main = MAIN): Promise<Served> {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const server = await spawnProcess({
    t,
    args: [main],
    env: { ...environmentOf(database), MCP_PORT: String(port), ...env },
    ready: { url: `${base}${ready}` },
  });
  return { base, url: `${base}/mcp`, server };
}

/** The table of a call that must succeed. */
async function call(url: string, name: string, args: Record<string, unknown>): Promise<Table> {
  const { message, text } = await rpcRequest(url, 'tools/call', { params: { name, arguments: args } });
  const result = message?.result;
  assert.ok(result && result['isError'] !== true, text.slice(0, 500));
  return result['structuredContent'] as Table;
}

/** The text of a call that must fail. */
async function fail(url: string, name: string, args: Record<string, unknown>): Promise<string> {
  const { message, text } = await rpcRequest(url, 'tools/call', { params: { name, arguments: args } });
  assert.equal(message?.result?.['isError'], true, text.slice(0, 500));
  return (message.result['content'] as { text: string }[])[0]?.text ?? '';
}

async function running(): Promise<number> {
  const { records } = await admin.executeQuery(
    'SHOW TRANSACTIONS YIELD currentQuery WHERE currentQuery = $endless RETURN 1',
    { endless: ENDLESS },
  );
  return records.length;
}

test('it keeps the contract of all database servers', async (t) => {
  const { url } = await serve(t);
  const { rows } = await call(url, 'neo4j_list_nodes', { label: 'Country', limit: 1 });
  await assertServerContract(url, {
    expectedTools: TOOLS,
    maxDefinitionTokens: 700,
    callExamples: [
      { name: 'neo4j_query', arguments: { cypher: 'RETURN 9223372036854775807 AS big, $x AS x', params: { x: 1 } } },
      { name: 'neo4j_list_nodes', arguments: { label: 'Country' } },
      { name: 'neo4j_get_relationships', arguments: { node_id: rows[0]?.[0] } },
    ],
  });
});

test('an integer parameter that no double holds reaches Neo4j and comes back', async (t) => {
  const { url } = await serve(t);
  const params = { name: 'neo4j_query', arguments: { cypher: 'RETURN $i + 1 AS i', params: { i: 'HERE' } } };
  const { headers, body } = buildRpcRequest('tools/call', { params });
  const response = await fetch(url, { method: 'POST', headers, body: body.replace('"HERE"', '9007199254740992') });
  const { result } = (await response.json()) as { result: { structuredContent: Table } };
  assert.deepEqual(result.structuredContent.rows, [['9007199254740993']]);
});

test('a question about the sample data is answered, and more rows are said to exist', async (t) => {
  const { url } = await serve(t);
  const cypher = 'MATCH (:Country {cca3: $code})-[:BORDERS]->(c) RETURN c.name AS name ORDER BY name';
  const all = await call(url, 'neo4j_query', { cypher, params: { code: 'CHE' } });
  assert.deepEqual(all.rows.flat(), ['Austria', 'France', 'Germany', 'Italy', 'Liechtenstein']);
  assert.equal(all.truncated, false);
  const some = await call(url, 'neo4j_query', { cypher, params: { code: 'CHE' }, limit: 2 });
  assert.deepEqual([some.rows.length, some.truncated], [2, true]);
  assert.match(some.notices?.join() ?? '', /there are more/);
});

test('names that do not exist are told with the nearest ones that do', async (t) => {
  const { url } = await serve(t);
  const cypher = 'MATCH (c:Cuntry)-[:BORDER]->(d) RETURN d.nam';
  const { notices = [], rows } = await call(url, 'neo4j_query', { cypher });
  assert.deepEqual(rows, []);
  assert.deepEqual(notices.toSorted(), [
    'There is no label "Cuntry" in the database. Did you mean "Country"?',
    'There is no property "nam" in the database. Did you mean "name"?',
    'There is no relationship type "BORDER" in the database. Did you mean "BORDERS"?',
  ]);
  const text = await fail(url, 'neo4j_list_nodes', { label: 'Contry' });
  assert.match(text, /^NOT_FOUND: There is no label "Contry".*[^]*Did you mean "Country"\? Labels: .*Language/);
});

test('nodes of a label are listed, whatever signs the label has', async (t) => {
  const { url } = await serve(t);
  const labels = ['My Label', 'a`b', 'Ünï 🙂', "q'uote", 'x\\u0060) DETACH DELETE n //', 'back\\slash', '`'];
  for (const label of labels) await admin.executeQuery('CREATE (n:$($label) {name: $label})', { label });
  t.after(() =>
    admin.executeQuery('MATCH (n) WHERE any(label IN labels(n) WHERE label IN $labels) DELETE n', { labels }),
  );
  for (const label of labels) {
    const { rows, columns } = await call(url, 'neo4j_list_nodes', { label });
    assert.deepEqual(
      columns.map(({ name, type }) => [name, type]),
      [
        ['element_id', 'STRING'],
        ['labels', 'LIST<STRING>'],
        ['properties', 'MAP'],
      ],
    );
    assert.deepEqual(
      rows.map((row) => row.slice(1)),
      [[[label], { name: label }]],
      label,
    );
  }
});

test('the relationships of a node are listed with direction and the other end', async (t) => {
  const { url } = await serve(t);
  const cypher = 'MATCH (l:Language {code: "roh"}) RETURN elementId(l)';
  const id = (await call(url, 'neo4j_query', { cypher })).rows[0]?.[0];
  const { rows, columns } = await call(url, 'neo4j_get_relationships', { node_id: id });
  assert.deepEqual(
    columns.map(({ name }) => name),
    ['relationship_id', 'type', 'direction', 'other_id', 'other_labels', 'other_name', 'properties'],
  );
  const spoken = rows.find((row) => row[1] === 'HAS_LANGUAGE');
  assert.deepEqual([spoken?.[2], spoken?.[4], spoken?.[5]], ['in', ['Country'], 'Switzerland']);
  const some = await call(url, 'neo4j_get_relationships', { node_id: id, limit: 1 });
  assert.match(some.notices?.join(' ') ?? '', /there are more.*elementId\(n\) = \$id/);
});

test('a node without relationships is told from one that does not exist', async (t) => {
  const { url } = await serve(t);
  const cypher = 'MATCH (n:SampleData) RETURN elementId(n)';
  const id = (await call(url, 'neo4j_query', { cypher })).rows[0]?.[0];
  const none = await call(url, 'neo4j_get_relationships', { node_id: id });
  assert.deepEqual([none.rows, none.truncated], [[], false]);
  assert.match(await fail(url, 'neo4j_get_relationships', { node_id: `${id}999` }), /NOT_FOUND: .*[^]*list_nodes/);
  assert.match(await fail(url, 'neo4j_get_relationships', { node_id: '17' }), /NOT_FOUND: .*[^]*old id\(n\)/);
});

test('a client that goes away ends its statement in Neo4j', async (t) => {
  const { url } = await serve(t);
  for (const era of ['modern', 'legacy'] as const) {
    const params = { name: 'neo4j_query', arguments: { cypher: ENDLESS } };
    const { headers, body } = buildRpcRequest('tools/call', { era, params });
    const gone = new AbortController();
    const failed = assert.rejects(
      fetch(url, { method: 'POST', headers, body, signal: gone.signal }).then((response) => response.text()),
    );
    await waitFor(async () => (await running()) === 1, { what: `the statement of the ${era} client` });
    gone.abort();
    await failed;
    await waitFor(async () => (await running()) === 0, { deadlineMs: 2_000, what: `the end of it (${era})` });
  }
});

test('the deadline ends the statement in Neo4j', async (t) => {
  const { url } = await serve(t, { MCP_TIMEOUT_MS: '800' });
  assert.match(await fail(url, 'neo4j_query', { cypher: ENDLESS }), /^TIMEOUT: .*longer than/);
  await waitFor(async () => (await running()) === 0, { deadlineMs: 2_000, what: 'its end' });
});

test('idle, the bundle takes less than 120 MiB, and it needs no file beside it', async (t) => {
  const bundle = join(repositoryRoot, 'deploy/bundle/src/main.ts');
  await promisify(execFile)(process.execPath, [bundle, join(repositoryRoot, 'apps/neo4j-mcp')]);
  const folder = await mkdtemp(join(tmpdir(), 'neo4j-mcp-'));
  t.after(() => rm(folder, { recursive: true }));
  const main = join(folder, 'main.mjs');
  await copyFile(join(repositoryRoot, 'apps/neo4j-mcp/dist/main.js'), main);
  const { url, server } = await serve(t, {}, '/ready', main);
  assert.equal((await call(url, 'neo4j_query', { cypher: 'MATCH (c:Country) RETURN c' })).rows.length, 100);
  const bytes = residentBytes(server.pid);
  assert.ok(bytes < 120 * MEBIBYTE, `${bytes / MEBIBYTE} MiB`);
});

test('without Neo4j it serves its list and says so; it recovers by itself whenever Neo4j comes back', async (t) => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'neo4j-mcp-'));
  t.after(() => rm(dataDirectory, { recursive: true }));
  const first = await startNeo4j({ dataDirectory });
  t.after(() => first.stop());
  const { port } = first;
  await first.stop();
  const { base, url, server } = await serve(t, environmentOf(first), '/health');
  const client = await connectClient(url, { t });
  assert.equal((await client.listTools()).tools.length, TOOLS.length);
  const notReady = await fetch(`${base}/ready`);
  assert.equal(notReady.status, 503);
  assert.match(await notReady.text(), /Neo4j cannot be reached/);
  await waitFor(() => server.stderr().includes('cannot be used yet'), { what: 'the warning in the log' });
  const started = performance.now();
  const text = await fail(url, 'neo4j_query', { cypher: 'RETURN 1' });
  assert.ok(performance.now() - started < 2_000);
  assert.match(text, /^UNAVAILABLE: Neo4j cannot be reached/);
  assert.doesNotMatch(text, new RegExp(`${port}|${first.password}`));
  const second = await startNeo4j({ dataDirectory, port });
  t.after(() => second.stop());
  assert.deepEqual((await call(url, 'neo4j_query', { cypher: 'RETURN 1' })).rows, [[1]]);
  await second.stop();
  assert.match(await fail(url, 'neo4j_query', { cypher: 'RETURN 1' }), /^UNAVAILABLE/);
  const third = await startNeo4j({ dataDirectory, port });
  t.after(() => third.stop());
  assert.deepEqual((await call(url, 'neo4j_query', { cypher: 'RETURN 1' })).rows, [[1]]);
  assert.equal((await fetch(`${base}/ready`)).status, 200);
});

test('the start is logged with the configuration and the role, without the password', async (t) => {
  const { server } = await serve(t);
  await waitFor(() => server.stderr().includes('database role'), { what: 'the role in the log' });
  assert.match(server.stderr(), /"NEO4J_PASSWORD":"\*\*\*"/);
  assert.match(server.stderr(), /READ access mode/);
  assert.ok(!server.stderr().includes(database.password));
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test('every mistake in the configuration is told at once, without a stack', async (t) => {
  const env = { NEO4J_URI: 'bolt://neo4j:s3cret@h:7687', MCP_PORT: 'x', MCP_MAX_ROWS: '0' };
  const server = await spawnProcess({ t, args: [MAIN], env });
  assert.equal((await server.exited).code, 1);
  assert.match(server.stderr(), /3 problems:/);
  assert.doesNotMatch(server.stderr(), /s3cret|\n {4}at /);
});

test('it serves standard input and output, and ends when its client does', async (t) => {
  const env = { ...environmentOf(database), MCP_TRANSPORT: 'stdio' };
  const server = await spawnProcess({ t, args: [MAIN], env, stdin: 'pipe' });
  const say = (message: object): unknown => server.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const clientInfo = { name: 'test', version: '1' };
  say({ id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo } });
  say({ method: 'notifications/initialized' });
  const cypher = "MATCH (c:Country {cca3: 'FRA'}) RETURN c.name";
  say({ id: 2, method: 'tools/call', params: { name: 'neo4j_query', arguments: { cypher } } });
  server.stdin?.end();
  assert.deepEqual(await server.exited, { code: 0, signal: null });
  const answers = server
    .stdout()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: number; result: Record<string, unknown> });
  const table = answers.find(({ id }) => id === 2)?.result['structuredContent'];
  assert.deepEqual((table as Table).rows, [['France']]);
});
