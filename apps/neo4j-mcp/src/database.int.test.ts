/** The database module against a real Neo4j: values, the two layers of read-only, cancellation, memory. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import neo4j, { type Driver } from 'neo4j-driver';
import { startNeo4j, type EmbeddedNeo4j } from '@database-mcp/embedded';
import { createRowCollector, type Cell, type TableResult } from '@database-mcp/mcp-kit';
import { waitFor } from '@database-mcp/testing';
import { checkAccess } from './access-policy.ts';
import { createDatabase, type Database } from './database.ts';
import { toParameters } from './parameters.ts';

const LIMITS = { maxRows: 1_000, maxBytes: 1_000_000, maxCellBytes: 100_000 };
const ENDLESS = 'UNWIND range(1, 1000000000000) AS x WITH x WHERE x < 0 RETURN x';

let server: EmbeddedNeo4j;
let database: Database;
/** An independent connection with all rights. */
let admin: Driver;

before(async () => {
  server = await startNeo4j();
  database = createDatabase({ ...server, timeoutMs: 30_000 });
  admin = neo4j.driver(server.uri, neo4j.auth.basic(server.username, server.password), { useBigInt: true });
  await admin.executeQuery(
    "CREATE (:Person {name: 'Ada', born: 1815})-[:KNOWS {since: 1833}]->(:Person {name: 'Charles'})",
  );
});
after(async () => {
  await database?.close();
  await admin?.close();
  await server?.stop();
});

interface ReadOptions {
  params?: Record<string, unknown>;
  maxRows?: number;
  isChecked?: boolean;
  signal?: AbortSignal;
}

async function read(cypher: string, options: ReadOptions = {}): Promise<TableResult> {
  const collector = createRowCollector({ ...LIMITS, maxRows: options.maxRows ?? LIMITS.maxRows });
  const check = options.isChecked === false ? undefined : checkAccess.bind(undefined, cypher);
  const statement = { cypher, params: toParameters(options.params), ...(check ? { check } : {}) };
  const { columns } = await database.read(statement, collector.push, options.signal ?? AbortSignal.timeout(20_000));
  return collector.finish(columns);
}

/** The one value of a statement with its type. */
async function readOne(expression: string, params?: Record<string, unknown>): Promise<{ cell: Cell; type: string }> {
  const { rows, columns } = await read(`RETURN ${expression} AS v`, params ? { params } : {});
  return { cell: rows[0]?.[0] ?? null, type: columns[0]?.type ?? '' };
}

async function running(text: string): Promise<number> {
  const { records } = await admin.executeQuery(
    'SHOW TRANSACTIONS YIELD currentQuery WHERE currentQuery CONTAINS $text AND NOT currentQuery STARTS WITH "SHOW" RETURN 1',
    { text },
  );
  return records.length;
}

async function countNodes(): Promise<bigint> {
  return (await admin.executeQuery('MATCH (n) RETURN count(n) AS n')).records[0]?.get('n') as bigint;
}

const EXACT: { expression: string; cell: Cell; type: string; why: string }[] = [
  { expression: '1', cell: 1, type: 'INTEGER', why: 'a safe integer is a number' },
  { expression: '9007199254740991', cell: 9007199254740991, type: 'INTEGER', why: 'the last one' },
  { expression: '9007199254740993', cell: '9007199254740993', type: 'INTEGER', why: 'no double holds it' },
  { expression: '9223372036854775807', cell: '9223372036854775807', type: 'INTEGER', why: '2^63-1' },
  { expression: '-9223372036854775808', cell: '-9223372036854775808', type: 'INTEGER', why: '-2^63' },
  { expression: '0.1', cell: 0.1, type: 'FLOAT', why: 'a double' },
  { expression: '0.0/0.0', cell: 'NaN', type: 'FLOAT', why: 'JSON has none' },
  { expression: '-1.0/0.0', cell: '-Infinity', type: 'FLOAT', why: 'JSON has none' },
  { expression: '-0.0', cell: '-0.0', type: 'FLOAT', why: 'JSON readers lose the sign' },
  { expression: 'null', cell: null, type: 'NULL', why: 'null is null' },
  { expression: "''", cell: '', type: 'STRING', why: 'and not the empty string' },
  { expression: '[1, null, 2]', cell: [1, null, 2], type: 'LIST<INTEGER>', why: 'nulls in lists stay' },
  { expression: '[]', cell: [], type: 'LIST<NOTHING>', why: "Neo4j's own name" },
  { expression: "[1, 'a']", cell: [1, 'a'], type: 'LIST<ANY>', why: 'mixed' },
  {
    expression: '{a: 9007199254740993, b: [0.0/0.0]}',
    cell: { a: '9007199254740993', b: ['NaN'] },
    type: 'MAP',
    why: 'inside of maps',
  },
  { expression: 'point({latitude: 1, longitude: 2})', cell: { srid: 4326, x: 2, y: 1 }, type: 'POINT', why: 'a place' },
  {
    expression: 'point({x: 1, y: 2.5, z: 3})',
    cell: { srid: 9157, x: 1, y: 2.5, z: 3 },
    type: 'POINT',
    why: 'in space',
  },
];

test('values come back exact, with the name of their type', async () => {
  for (const { expression, cell, type, why } of EXACT) {
    assert.deepEqual(await readOne(expression), { cell, type }, `${expression}: ${why}`);
  }
});

const TEMPORAL: { expression: string; type: string }[] = [
  ...['2024-02-29', '-0044-03-15', '+12345-01-01', '0000-01-01'].map((text) => ({
    expression: `date('${text}')`,
    type: 'DATE',
  })),
  ...['12:00:00.123456789+01:00', '12:00Z', '23:59:59.9-18:00', '00:00+05:30'].map((text) => ({
    expression: `time('${text}')`,
    type: 'ZONED TIME',
  })),
  ...['12:00', '12:00:00.1'].map((text) => ({ expression: `localtime('${text}')`, type: 'LOCAL TIME' })),
  ...[
    '2024-01-02T03:04:05.000000006[Europe/Zurich]',
    '2024-10-27T02:30+01:00[Europe/Zurich]',
    '1800-01-01T00:00[Europe/Zurich]',
    '2024-01-02T03:04:05.5-05:30',
    '2024-01-02T03:04:05[UTC]',
    '9999-12-31T23:59:59.999999999[America/New_York]',
    '-0044-03-15T12:00Z',
  ].map((text) => ({ expression: `datetime('${text}')`, type: 'ZONED DATETIME' })),
  ...['2024-01-02T03:04', '2024-01-02T03:04:05.120'].map((text) => ({
    expression: `localdatetime('${text}')`,
    type: 'LOCAL DATETIME',
  })),
  ...['P1M2DT3.5S', 'P0D', 'P-1Y2M-3DT-4H5M-6.000000007S', 'P1Y2M400DT25H1M1S', 'PT-0.000000001S'].map((text) => ({
    expression: `duration('${text}')`,
    type: 'DURATION',
  })),
  ...[
    'seconds: 1, nanoseconds: -1',
    'seconds: -1, nanoseconds: 1',
    'months: -14, days: 3, seconds: -3661',
    'minutes: 59, seconds: 61',
  ].map((parts) => ({ expression: `duration({${parts}})`, type: 'DURATION' })),
];

test("temporal values are the text of Neo4j's own toString", async () => {
  for (const { expression, type } of TEMPORAL) {
    const { rows, columns } = await read(`WITH ${expression} AS v RETURN v, toString(v) AS text`);
    assert.equal(rows[0]?.[0], rows[0]?.[1], expression);
    assert.equal(columns[0]?.type, type, expression);
  }
});

test('nodes, relationships and paths keep their ids, labels, types and directions, also inside of lists and maps', async () => {
  const { rows, columns } = await read(
    "MATCH p = (b)<-[r:KNOWS]-(a {name: 'Ada'}) RETURN a, r, p, [a, {r: r}] AS list, elementId(a), elementId(b), elementId(r)",
  );
  const [a, r, path, list, aId, bId, rId] = rows[0] ?? [];
  assert.deepEqual(a, { elementId: aId, labels: ['Person'], properties: { name: 'Ada', born: 1815 } });
  const relationship = {
    elementId: rId,
    type: 'KNOWS',
    startNodeElementId: aId,
    endNodeElementId: bId,
    properties: { since: 1833 },
  };
  assert.deepEqual(r, relationship);
  const other = { elementId: bId, labels: ['Person'], properties: { name: 'Charles' } };
  assert.deepEqual(path, { nodes: [other, a], relationships: [relationship] });
  assert.deepEqual(list, [a, { r: relationship }]);
  assert.deepEqual(
    columns.slice(0, 4).map(({ type }) => type),
    ['NODE', 'RELATIONSHIP', 'PATH', 'LIST<ANY>'],
  );
});

test('a column says the type of all its rows', async () => {
  const { columns, rows } = await read(
    "UNWIND [[1, 'a', [1], null], [2, 1.5, [], null]] AS r RETURN r[0] AS a, r[1] AS b, r[2] AS c, r[3] AS d",
  );
  assert.deepEqual(
    columns.map(({ type }) => type),
    ['INTEGER', 'ANY', 'LIST<INTEGER>', 'NULL'],
  );
  assert.deepEqual(rows[1], [2, 1.5, [], null]);
});

test('columns are named even when there is no row', async () => {
  const { columns, rows } = await read('MATCH (n:Person {name: "Nobody"}) RETURN n, n.name');
  assert.deepEqual(columns, [
    { name: 'n', type: 'NULL' },
    { name: 'n.name', type: 'NULL' },
  ]);
  assert.deepEqual(rows, []);
});

test('parameters arrive as integers and floats, exactly and at every depth', async () => {
  const params = { i: 1, big: 9_007_199_254_740_993n, f: 1.5, deep: { list: [2] } };
  const { rows } = await read(
    'UNWIND range(1, 3) AS x WITH x LIMIT $i RETURN valueType($i), valueType($f), $big, valueType($deep.list[0])',
    { params },
  );
  assert.deepEqual(rows, [['INTEGER NOT NULL', 'FLOAT NOT NULL', '9007199254740993', 'INTEGER NOT NULL']]);
});

const WRITES = [
  'CREATE (n:Evil)',
  'MERGE (n:Evil) RETURN n',
  'MATCH (n:Person) SET n.x = 1',
  'MATCH (n:Person) REMOVE n.name RETURN 1',
  'MATCH (n) DETACH DELETE n',
  'FOREACH (x IN [1] | CREATE (:Evil))',
  'CALL { CREATE (:Evil) }',
  'MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS',
  'CREATE INDEX evil FOR (n:Person) ON (n.name)',
  'CALL db.createLabel("Evil")',
  'CREATE USER evil SET PASSWORD "password1"',
];

test('writes are refused by the policy, and by Neo4j itself when the policy is not asked', async () => {
  const nodes = await countNodes();
  for (const cypher of WRITES) {
    await assert.rejects(read(cypher), { code: 'READ_ONLY' }, cypher);
    await assert.rejects(
      read(cypher, { isChecked: false }),
      { code: /READ_ONLY|PERMISSION_DENIED/ },
      `${cypher} unchecked`,
    );
  }
  assert.equal(await countNodes(), nodes);
  const { records } = await admin.executeQuery('SHOW INDEXES YIELD name WHERE name = "evil" RETURN name');
  assert.equal(records.length, 0);
});

const REFUSED: { cypher: string; code: string; why: string }[] = [
  { cypher: "LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l", code: 'READ_ONLY', why: 'reads files' },
  {
    cypher: "RETURN [x IN [1] | COLLECT { LOAD CSV FROM 'http://127.0.0.1:1/' AS l RETURN l }] AS a",
    code: 'READ_ONLY',
    why: 'has no operator in the plan',
  },
  {
    cypher: String.raw`RETURN [x IN [1] | COUNT { L\u004fAD CSV FROM 'file:///x' AS l RETURN l }] AS a`,
    code: 'READ_ONLY',
    why: 'Neo4j decodes it',
  },
  { cypher: 'CALL db.clearQueryCaches()', code: 'READ_ONLY', why: 'READ access mode lets it pass' },
  {
    cypher: 'RETURN [x IN [1] | COUNT { CALL dbms.listConfig() YIELD name RETURN name }] AS a',
    code: 'READ_ONLY',
    why: 'has no operator in the plan',
  },
  { cypher: 'SHOW USERS', code: 'READ_ONLY', why: 'administration' },
  { cypher: 'SHOW SETTINGS', code: 'READ_ONLY', why: 'about the server' },
  { cypher: 'TERMINATE TRANSACTIONS "neo4j-transaction-1"', code: 'READ_ONLY', why: "others' work" },
  { cypher: 'PROFILE CREATE (n:Evil)', code: 'INVALID_ARGUMENT', why: 'PROFILE runs the statement' },
  { cypher: 'CYPHER runtime=slotted PROFILE CREATE (n:Evil)', code: 'INVALID_ARGUMENT', why: 'behind an option' },
  { cypher: 'EXPLAIN PROFILE CREATE (n:Evil)', code: 'INVALID_ARGUMENT', why: 'both' },
  { cypher: 'MATCH (n) RETURN n; MATCH (m) DELETE m', code: 'SYNTAX_ERROR', why: 'two statements' },
  { cypher: 'CALL no.such()', code: 'NOT_FOUND', why: 'an unknown procedure' },
  { cypher: 'RETURN no.such()', code: 'NOT_FOUND', why: 'an unknown function' },
  { cypher: 'RETURN 1/0', code: 'QUERY_FAILED', why: 'fails as it runs' },
  { cypher: 'RETURN $a', code: 'INVALID_ARGUMENT', why: 'a parameter is missing' },
  { cypher: 'USE nope RETURN 1', code: 'NOT_FOUND', why: 'an unknown database' },
  { cypher: ':use neo4j', code: 'SYNTAX_ERROR', why: 'a command of the shell' },
];

test('what reaches outside of the graph, or is wrong, is refused with a fitting code', async () => {
  for (const { cypher, code, why } of REFUSED) await assert.rejects(read(cypher), { code }, `${cypher}: ${why}`);
});

const ACCEPTED = [
  "RETURN 'CREATE (n) DETACH DELETE n' AS s",
  'MATCH (n:`DELETE`) RETURN n.`set`',
  '// CREATE (n)\nRETURN 1',
  'SHOW INDEXES',
  'SHOW CONSTRAINTS YIELD name RETURN name',
  'SHOW PROCEDURES YIELD name WHERE name STARTS WITH "db" RETURN name',
  'SHOW FUNCTIONS',
  'CALL db.labels()',
  'MATCH (n) CALL db.relationshipTypes() YIELD relationshipType RETURN n, relationshipType',
  'CALL db.schema.visualization()',
  'CALL dbms.components() YIELD name RETURN name',
  'CYPHER runtime=slotted MATCH (n) RETURN n',
  'EXPLAIN MATCH (n) RETURN n',
  "RETURN date.truncate('year', date()), point.distance(point({x: 1, y: 1}), point({x: 2, y: 2}))",
  'MATCH (n) WHERE EXISTS { (n)-->() } RETURN COUNT { (n)--() }',
  'RETURN 1;',
];

test('statements that only read are run, whatever words they hold', async () => {
  for (const cypher of ACCEPTED) await assert.doesNotReject(read(cypher), cypher);
});

test('EXPLAIN gives the plan as rows and runs nothing', async () => {
  const { columns, rows } = await read('EXPLAIN MATCH (n:Person) RETURN n');
  assert.deepEqual(
    columns.map(({ name }) => name),
    ['depth', 'operator', 'details', 'estimatedRows'],
  );
  assert.deepEqual(rows[1]?.slice(0, 3), [1, 'NodeByLabelScan', 'n:Person']);
});

test('a syntax error tells line, column and the line itself, as the user wrote it', async () => {
  await assert.rejects(read('MATCH (n)\n  RETURN m'), {
    code: 'SYNTAX_ERROR',
    message: 'Variable `m` not defined',
    where: 'line 2, column 10: RETURN m',
  });
});

test('an aborted call ends its statement on the server', async () => {
  const gone = new AbortController();
  const failed = assert.rejects(read(ENDLESS, { signal: gone.signal }));
  await waitFor(async () => (await running(ENDLESS)) === 1, { what: 'the statement to run' });
  gone.abort();
  await waitFor(async () => (await running(ENDLESS)) === 0, { deadlineMs: 2_000, what: 'its end' });
  await failed;
});

test('a signal that is aborted already lets nothing start', async () => {
  await assert.rejects(read('RETURN 1', { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test("Neo4j's own clock ends a statement when ours does not", async (t) => {
  const impatient = createDatabase({ ...server, timeoutMs: 600 });
  t.after(() => impatient.close());
  await assert.rejects(
    impatient.read({ cypher: ENDLESS }, () => true, AbortSignal.timeout(20_000)),
    { code: 'TIMEOUT' },
  );
});

test('of an endless result no more than the wanted rows are taken, and the statement ends', async () => {
  const cypher = 'UNWIND range(1, 100000000000) AS endless RETURN endless';
  const started = performance.now();
  const { rowCount, truncated, rows } = await read(cypher, { maxRows: 100 });
  assert.deepEqual([rowCount, truncated, rows[99]?.[0]], [100, true, 100]);
  assert.ok(performance.now() - started < 5_000);
  assert.equal(await running(cypher), 0);
});

test('exactly as many rows as wanted are not called truncated', async () => {
  assert.equal((await read('UNWIND range(1, 5) AS x RETURN x', { maxRows: 5 })).truncated, false);
});

test('one value of many megabytes is refused before it fills the memory, and the next call works', async () => {
  const before = process.memoryUsage().rss;
  const cypher = 'RETURN range(1, 20000000) AS huge';
  await assert.rejects(read(cypher), { code: 'TOO_LARGE' });
  assert.ok(process.memoryUsage().rss - before < 150 * 1024 * 1024);
  await waitFor(async () => (await running(cypher)) === 0, { what: 'its end' });
  assert.equal((await read('RETURN 1')).rowCount, 1);
});

test('more calls at once than connections are all answered', async () => {
  const calls = Array.from({ length: 50 }, (_, index) => read('RETURN $i AS i', { params: { i: index } }));
  const answers = await Promise.all(calls);
  assert.deepEqual(
    answers.map(({ rows }) => rows[0]?.[0]),
    calls.map((_, index) => index),
  );
});

test('an address with routing works too', async (t) => {
  const routing = createDatabase({ ...server, uri: server.uri.replace('bolt:', 'neo4j:'), timeoutMs: 30_000 });
  t.after(() => routing.close());
  const rows: Cell[][] = [];
  await routing.read({ cypher: 'RETURN 1' }, (row) => rows.push(row) > 0, AbortSignal.timeout(20_000));
  assert.deepEqual(rows, [[1]]);
});

test('the log can say what the login may do', async () => {
  const role = await database.describeRole(AbortSignal.timeout(10_000));
  assert.match(`${role.server} ${role.version}`, /Neo4j.* community 5\./);
  assert.match(role.access, /may write.*READ access mode/);
});

test('a wrong password is told as such, without it', async (t) => {
  const wrong = createDatabase({ ...server, password: 'hunter2', timeoutMs: 30_000 });
  t.after(() => wrong.close());
  await assert.rejects(wrong.ping(), { code: 'UNAVAILABLE', message: 'Neo4j refused the login of this server.' });
});
