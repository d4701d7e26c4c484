/** One trace from the client through the gateway and the server to the database, for each database. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { buildRpcRequest, waitFor, type ReceivedSpan } from '@database-mcp/testing';
import { labelsIn, metricsIn, OPERATOR_FILES, readQueries } from './operator-files.ts';
import {
  callTraced,
  startTracedSystem,
  type DatabaseName,
  type TracedCall,
  type TracedSystem,
} from './traced-system.ts';

let system: TracedSystem;

before(async () => {
  system = await startTracedSystem();
  // The first use of a function or operator makes postgres-mcp look it up, which is an operation of its own.
  for (const { tool, args } of [...CASES, ...FAILURES]) await callTraced(system, tool, args, 4);
});

after(() => system?.stop());

const SECRET = 'hunter2';
const GATEWAY = 'database-mcp-gateway';

interface Case {
  database: DatabaseName;
  tool: string;
  args: object;
  /** Names of the database spans, in their order. */
  spans: string[];
  /** Attributes of the last of them, besides the address. */
  attributes: Record<string, string | number>;
}

const CASES: Case[] = [
  {
    database: 'postgres',
    tool: 'postgres_query',
    args: { sql: `SELECT name FROM country WHERE name <> '${SECRET}' AND landlocked ORDER BY name LIMIT 3` },
    spans: ['SELECT country'],
    attributes: {
      'db.system.name': 'postgresql',
      'db.namespace': 'postgres',
      'db.query.summary': 'SELECT country',
      'db.query.text': 'SELECT name FROM country WHERE name <> ? AND landlocked ORDER BY name LIMIT ?',
      'db.response.returned_rows': 3,
    },
  },
  {
    database: 'neo4j',
    tool: 'neo4j_query',
    args: { cypher: `MATCH (c:Country)-[:BORDERS]->(n) WHERE c.name <> '${SECRET}' RETURN n.name LIMIT 3` },
    spans: ['EXPLAIN MATCH Country BORDERS', 'MATCH Country BORDERS'],
    attributes: {
      'db.system.name': 'neo4j',
      'db.query.summary': 'MATCH Country BORDERS',
      'db.query.text': 'MATCH (c:Country)-[:BORDERS]->(n) WHERE c.name <> ? RETURN n.name LIMIT ?',
      'db.response.returned_rows': 3,
    },
  },
  {
    database: 'qdrant',
    tool: 'qdrant_search',
    args: {
      collection: 'countries',
      query_vector: [0.669, 0.112, 0.734, 0.22],
      limit: 3,
      filter: { must_not: [{ key: 'name', match: { value: SECRET } }] },
    },
    spans: ['query_points countries'],
    attributes: {
      'db.system.name': 'qdrant',
      'db.operation.name': 'query_points',
      'db.collection.name': 'countries',
      'db.query.summary': 'query_points countries',
      // One beyond the limit, to know whether there are more.
      'db.response.returned_rows': 4,
    },
  },
];

for (const { database, tool, args, spans, attributes } of CASES) {
  test(`a call of ${tool} is one trace: client, gateway, server, database`, async () => {
    const call = await callTraced(system, tool, args, 3 + spans.length);
    const [edge, hop, server, ...operations] = call.spans;
    assertTree(call, database, tool);
    assert.deepEqual(operations.map(({ name }) => name), spans); // prettier-ignore
    for (const operation of operations) {
      assert.deepEqual(
        [operation.kind, operation.parentSpanId, operation.service, operation.status.code],
        ['client', server?.spanId, `${database}-mcp`, 0],
      );
    }
    const last = operations.at(-1)?.attributes ?? {};
    const { 'server.address': address, 'server.port': port, ...others } = last;
    assert.deepEqual([address, port], ['127.0.0.1', system.ports[database]]);
    assert.deepEqual(others, attributes);
    assert.ok([edge, hop, server].every((span) => span?.status.code === 0));
  });
}

const shape = (span: ReceivedSpan | undefined) => [span?.name, span?.kind, span?.service, span?.parentSpanId];

/** The three spans above the database. */
function assertTree({ spans, clientSpanId }: TracedCall, database: DatabaseName, tool: string): void {
  const [edge, hop, server] = spans;
  assert.deepEqual(shape(edge), [`tools/call ${tool}`, 'server', GATEWAY, clientSpanId]);
  assert.deepEqual(shape(hop), [`tools/call ${tool}`, 'client', GATEWAY, edge?.spanId]);
  assert.deepEqual(shape(server), [`tools/call ${tool}`, 'server', `${database}-mcp`, hop?.spanId]);
  assert.equal(hop?.attributes['mcp.upstream.name'], database);
  for (const span of [edge, hop, server]) {
    assert.equal(span?.attributes['mcp.method.name'], 'tools/call');
    assert.equal(span?.attributes['gen_ai.tool.name'], tool);
    assert.equal(span?.attributes['gen_ai.operation.name'], 'execute_tool');
    assert.equal(span?.attributes['mcp.protocol.version'], '2026-07-28');
  }
}

const FAILURES: {
  database: DatabaseName;
  tool: string;
  args: object;
  operation: string;
  status: string;
  code: string;
  /** Operations on the database, with those that look something up. */
  operations: number;
}[] = [
  {
    database: 'postgres',
    tool: 'postgres_query',
    args: { sql: `SELECT '${SECRET}'::int FROM country` },
    operation: 'SELECT country',
    status: '22P02',
    code: 'QUERY_FAILED',
    operations: 1,
  },
  {
    database: 'neo4j',
    tool: 'neo4j_query',
    args: { cypher: `MATCH (c:Country) RETURN c.name + duration('${SECRET}')` },
    operation: 'MATCH Country',
    status: 'Neo.ClientError.Statement.SyntaxError',
    code: 'SYNTAX_ERROR',
    operations: 2,
  },
  {
    database: 'qdrant',
    tool: 'qdrant_collection_info',
    args: { collection: 'no-such' },
    operation: 'get_collection no-such',
    status: '404',
    code: 'NOT_FOUND',
    operations: 2,
  },
];

for (const { database, tool, args, operation, status, code, operations } of FAILURES) {
  test(`a failure of ${database} is on every span of its trace, each in its own words`, async () => {
    const { spans, text } = await callTraced(system, tool, args, 3 + operations);
    assert.match(text, /"isError":true/);
    const failed = spans.find(({ name }) => name === operation);
    assert.deepEqual(
      [failed?.attributes['error.type'], failed?.attributes['db.response.status_code'], failed?.status],
      [status, status, { code: 2, message: '' }],
    );
    const [edge, hop, server] = spans;
    for (const span of [edge, hop, server]) assert.equal(span?.attributes['error.type'], 'tool_error');
    assert.deepEqual(server?.status, { code: 2, message: code });
  });
}

test('a statement that is refused never reaches the database, and is in the audit log', async () => {
  const { spans, traceId } = await callTraced(
    system,
    'postgres_query',
    { sql: `DELETE FROM country WHERE name = '${SECRET}'` },
    3,
  );
  assert.deepEqual(spans.map(({ service }) => service), [GATEWAY, GATEWAY, 'postgres-mcp']); // prettier-ignore
  const line = system.auditLines('postgres').find((entry) => entry['trace_id'] === traceId);
  assert.deepEqual(
    [line?.['verdict'], line?.['code'], line?.['summary'], line?.['tool']],
    ['refused', 'READ_ONLY', 'DELETE country', 'postgres_query'],
  );
  assert.match(String(line?.['fingerprint']), /^[0-9a-f]{16}$/);
});

test('every call that was made is in the audit log of its server, with its trace and its rows', async () => {
  for (const { database, tool, args } of CASES) {
    const { traceId } = await callTraced(system, tool, args, 4);
    const lines = system.auditLines(database).filter((line) => line['trace_id'] === traceId);
    assert.deepEqual(
      lines.map((line) => [line['tool'], line['verdict'], line['rows'], line['address']]),
      [[tool, 'allowed', 3, '127.0.0.1']],
    );
  }
});

/** Added by Prometheus when it reads, or made of buckets by it. */
const OF_PROMETHEUS = new Set(['job', 'instance', 'le']);

test('the dashboard and the alert rules read only metrics and labels that the processes have', async () => {
  const { receiver } = system;
  // Spans are lost: one server has a short queue, and the receiver answers nothing.
  receiver.mood = 'silent';
  const list = buildRpcRequest('tools/list');
  const ask = () => fetch(system.url, { method: 'POST', ...list }).then((answer) => answer.text());
  const tool = buildRpcRequest('tools/call', { params: { name: 'qdrant_list_collections', arguments: {} } });
  for (let call = 0; call < 20; call++) await fetch(system.url, { method: 'POST', ...tool }).then((a) => a.text());
  await ask();
  const scrape = async (): Promise<string> =>
    (await Promise.all(system.metricsUrls.map(async (url) => (await fetch(url)).text()))).join('');
  await waitFor(async () => (await scrape()).includes('otel_sdk_processor_span_processed_total{'), {
    what: 'lost spans to be counted',
  });
  receiver.mood = 'ok';
  const lines = (await scrape()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const names = new Set(lines.map((line) => /^\w+/.exec(line)?.[0]));
  const labels = new Set(lines.flatMap((line) => [...line.matchAll(/[{,](\w+)="/g)].map((match) => match[1])));
  const queries = readQueries();
  assert.ok(queries.length > 30, 'all queries were found');
  for (const { from, query } of queries) {
    assert.ok(metricsIn(query).length > 0, `${from}: ${query}`);
    for (const name of metricsIn(query)) assert.ok(names.has(name), `${from}: no process has ${name}`);
    for (const label of labelsIn(query)) {
      assert.ok(labels.has(label) || OF_PROMETHEUS.has(label), `${from}: no process has the label ${label}`);
    }
  }
});

const PROMTOOL = spawnSync('promtool', ['--version']).status === 0;
const WITHOUT = PROMTOOL ? '' : ' (not run: promtool is not installed)';

const promtool = (args: string[], input?: string) =>
  spawnSync('promtool', args, { cwd: OPERATOR_FILES, encoding: 'utf8', input });

test(
  `promtool takes the alert rules, their tests and the metrics of every process${WITHOUT}`,
  { skip: !PROMTOOL },
  async () => {
    for (const args of [
      ['check', 'rules', 'prometheus-rules.yaml'],
      ['test', 'rules', 'prometheus-rules.test.yaml'],
    ]) {
      const { status, stdout, stderr } = promtool(args);
      assert.equal(status, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    }
    for (const url of system.metricsUrls) {
      const { status, stdout, stderr } = promtool(['check', 'metrics'], await (await fetch(url)).text());
      assert.equal(status, 0, `${url}: ${stdout}${stderr}`);
    }
  },
);

test('no value of any call is in a span, a log line of any level, an audit log or a metric', async () => {
  const told = await system.everythingTold();
  assert.ok(told.includes('SELECT country') && told.includes('"call"'), 'something was told');
  const at = told.indexOf(SECRET);
  assert.equal(at, -1, told.slice(Math.max(0, at - 300), at + 100));
});
