/**
 * What a hostile statement may cost, seen from outside of the process: its resident memory, the connections that it
 * takes, and how soon the database is free of a call that was cancelled.
 */
import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { Client } from '@modelcontextprotocol/client';
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import {
  connectClient,
  freePort,
  isRunning,
  peakResidentBytes,
  repositoryRoot,
  residentBytes,
  spawnProcess,
  waitFor,
  type ClientEra,
} from '@database-mcp/testing';
import { Client as DatabaseClient } from 'pg';
import { startGateway } from './gateway-process.ts';

const MIB = 1024 * 1024;
const MAX_ADDED_MIB = 60;
const MAIN = 'apps/postgres-mcp/src/main.ts';

let database: EmbeddedPostgres;
let admin: DatabaseClient;

before(async () => {
  database = await startPostgres();
  admin = new DatabaseClient({ connectionString: database.adminUrl });
  await admin.connect();
  await admin.query(`
    CREATE TABLE wide AS SELECT n AS id, repeat('note ' || n, 20) AS note FROM generate_series(1, 300000) AS n;
    GRANT SELECT ON wide TO PUBLIC;
  `);
});
after(async () => {
  await admin.end();
  await database.stop();
});

interface Options {
  env?: Record<string, string>;
  nodeArgs?: readonly string[];
}

async function startServer(t: TestContext, { env = {}, nodeArgs = [] }: Options = {}) {
  const port = await freePort();
  const process = await spawnProcess({
    name: 'postgres-mcp',
    args: [...nodeArgs, MAIN],
    env: { POSTGRES_URL: database.url, MCP_PORT: String(port), ...env },
    ready: { url: `http://127.0.0.1:${port}/ready` },
    t,
  });
  return { process, url: `http://127.0.0.1:${port}/mcp` };
}

interface Answer {
  isError?: boolean;
  content: { text: string }[];
  structuredContent?: { columns: { name: string; type: string }[]; rows: unknown[][]; truncated: boolean };
}

async function query(client: Client, sql: string, limit?: number): Promise<Answer> {
  const call = { name: 'postgres_query', arguments: limit === undefined ? { sql } : { sql, limit } };
  return (await client.callTool(call)) as unknown as Answer;
}

const textOf = (answer: Answer): string => answer.content[0]?.text ?? '';

/** Ordinary calls until the code is compiled and the heap has the size that it keeps. */
async function warmUp(client: Client): Promise<void> {
  for (let round = 0; round < 100; round++) {
    await query(client, `SELECT id, note FROM wide WHERE id <= ${round} ORDER BY id`);
    await query(client, 'SELECT 1');
  }
}

const COSTLY: { why: string; sql: string; limit?: number; expected: RegExp }[] = [
  { why: 'a cell of 50 MB', sql: "SELECT repeat('x', 50000000) AS cell", expected: /50000000 bytes in all/ },
  { why: '300,000 rows', sql: 'SELECT * FROM wide', limit: 1_000, expected: /there are more/ },
  {
    why: 'an endless recursive CTE',
    sql: 'WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT * FROM r',
    limit: 1_000,
    expected: /there are more/,
  },
  {
    why: 'a cross join of millions, behind a LIMIT that bounds only a part of it',
    sql: 'SELECT * FROM (SELECT * FROM wide LIMIT 5) AS few CROSS JOIN generate_series(1, 2000000) AS n',
    limit: 1_000,
    expected: /there are more/,
  },
  {
    why: 'a row of forty cells of 2 MB',
    sql: `SELECT ${Array.from({ length: 40 }, (_, index) => `repeat(note, 12000) AS c${index}`).join()} FROM wide LIMIT 1`,
    expected: /bytes in all/,
  },
  {
    why: 'rows of 1 MB, of which only the first fits',
    sql: "SELECT repeat('x', 1000000) FROM generate_series(1, 1000)",
    limit: 1_000,
    expected: /there are more/,
  },
];

test(`what a statement asks for adds less than ${MAX_ADDED_MIB} MiB to the memory of the server`, async (t) => {
  const { process, url } = await startServer(t);
  const client = await connectClient(url, { t });
  await warmUp(client);
  const idle = residentBytes(process.pid);
  for (const { why, sql, limit, expected } of COSTLY) {
    await t.test(why, async (t) => {
      let answer: Answer | undefined;
      const peak = await peakResidentBytes(process.pid, async () => (answer = await query(client, sql, limit)));
      const added = (peak - idle) / MIB;
      t.diagnostic(`${added.toFixed(0)} MiB above the ${(idle / MIB).toFixed(0)} of an idle server`);
      assert.match(answer ? textOf(answer) : '', expected);
      assert.ok(added < MAX_ADDED_MIB, `${added.toFixed(0)} MiB`);
    });
  }
});

const GIANTS = [
  {
    why: 'written as a constant, it is refused before it runs',
    sql: "SELECT repeat('x', 1000000000)",
    says: /TOO_LARGE/,
  },
  {
    why: 'made of a column, it comes cut',
    sql: 'SELECT repeat(note, 8000000) FROM wide WHERE id = 1',
    says: /9\d{8} bytes in all/,
  },
];
for (const { why, sql, says } of GIANTS) {
  test(`a cell of 1 GB ends neither a process with a heap of 256 MiB nor the calls beside it: ${why}`, async (t) => {
    const { process, url } = await startServer(t, { nodeArgs: ['--max-old-space-size=256'] });
    const client = await connectClient(url, { t });
    const [large, small] = await Promise.all([query(client, sql), query(client, 'SELECT 1')]);
    assert.match(textOf(large), says);
    assert.deepEqual(small.structuredContent?.rows, [[1]]);
    assert.deepEqual((await query(client, 'SELECT 2')).structuredContent?.rows, [[2]]);
    assert.ok(isRunning(process.pid), process.stderr());
  });
}

/** Back ends of the server, and those of them that run a statement with the mark. */
async function countBackEnds(mark: string): Promise<{ all: number; running: number }> {
  const { rows } = await admin.query<{ all: number; running: number }>(
    `SELECT count(*)::int AS all, (count(*) FILTER (WHERE state = 'active' AND query LIKE $1))::int AS running
       FROM pg_stat_activity WHERE application_name = 'postgres-mcp'`,
    [`%${mark}%`],
  );
  return rows[0] ?? { all: 0, running: 0 };
}

const CLIENTS: { name: string; connect: (t: TestContext) => Promise<Client> }[] = [];
for (const era of ['2026-07-28', 'legacy'] as const) {
  CLIENTS.push(
    { name: `${era}, HTTP`, connect: async (t) => connectClient((await startServer(t)).url, { era, t }) },
    { name: `${era}, standard input and output`, connect: (t) => connectOverStdio(t, era) },
    {
      name: `${era}, through the gateway`,
      async connect(t) {
        const { url } = await startServer(t);
        const gateway = await startGateway(t, [{ name: 'postgres', url }]);
        return connectClient(gateway.url, { era, t });
      },
    },
  );
}
CLIENTS.push({
  name: 'HTTP+SSE of 2024-11-05',
  connect: async (t) => connectClient((await startServer(t)).url.replace(/mcp$/, 'sse'), { transport: 'sse', t }),
});

async function connectOverStdio(t: TestContext, era: ClientEra): Promise<Client> {
  const mode = era === '2026-07-28' ? { pin: era } : era;
  const client = new Client({ name: 'test-client', version: '1.0.0' }, { versionNegotiation: { mode } });
  t.after(() => client.close());
  const env = { ...getDefaultEnvironment(), POSTGRES_URL: database.url, MCP_TRANSPORT: 'stdio' };
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [MAIN], env, cwd: repositoryRoot, stderr: 'ignore' }),
  );
  return client;
}

const MAX_CANCEL_MS = 200;
/** The machine may be busy just then: what counts is that it can be that fast. */
const CANCEL_ATTEMPTS = 3;

for (const [index, { name, connect }] of CLIENTS.entries()) {
  test(`a cancelled call ends on the database within ${MAX_CANCEL_MS} ms, and the next call works: ${name}`, async (t) => {
    const client = await connect(t);
    const times: number[] = [];
    for (let attempt = 0; attempt < CANCEL_ATTEMPTS; attempt++) {
      const mark = `cancelled ${index}.${attempt}`;
      const cancel = new AbortController();
      const call = { name: 'postgres_query', arguments: { sql: `SELECT pg_sleep(60), '${mark}'` } };
      const failed = assert.rejects(client.callTool(call, { signal: cancel.signal }));
      await waitFor(async () => (await countBackEnds(mark)).running === 1, { what: 'the start' });
      const from = performance.now();
      cancel.abort();
      await waitFor(async () => (await countBackEnds(mark)).running === 0, { what: 'the end', pollMs: 5 });
      times.push(performance.now() - from);
      await failed;
      assert.deepEqual((await query(client, 'SELECT 1')).structuredContent?.rows, [[1]]);
    }
    t.diagnostic(`ended after ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`);
    assert.ok(Math.min(...times) < MAX_CANCEL_MS, times.join(', '));
  });

  test(`errors have a place, no rows keep their columns, and columns have types: ${name}`, async (t) => {
    const client = await connect(t);
    const wrong = await query(client, 'SELECT id,\n  nte FROM\n  wide WHERRE id = 1');
    assert.equal(wrong.isError, true);
    assert.match(textOf(wrong), /SYNTAX_ERROR.*line 3, column 15/s);
    const unknown = await query(client, 'SELECT id,\n  nte\nFROM wide');
    assert.match(textOf(unknown), /line 2, column 3/);
    const empty = await query(client, 'SELECT id, note, 1.5::numeric(4, 2) AS share FROM wide WHERE false');
    const columns = [
      { name: 'id', type: 'integer' },
      { name: 'note', type: 'text' },
      { name: 'share', type: 'numeric(4,2)' },
    ];
    assert.deepEqual(empty.structuredContent?.columns, columns);
    assert.deepEqual(empty.structuredContent?.rows, []);
    assert.deepEqual(JSON.parse(textOf(empty)), empty.structuredContent);
  });
}

const POOL_SIZE = 5;
const CALLS = 30;

test(`${CALLS} calls at once on a pool of ${POOL_SIZE} are all answered, each with its own answer`, async (t) => {
  const { url } = await startServer(t, { env: { POSTGRES_POOL_SIZE: String(POOL_SIZE) } });
  const client = await connectClient(url, { t });
  const counts: number[] = [];
  const watch = setInterval(() => void countBackEnds('crowd').then(({ all }) => counts.push(all)), 20);
  t.after(() => clearInterval(watch));
  const answers = await Promise.all(
    Array.from({ length: CALLS }, (_, n) => query(client, `SELECT ${n} AS crowd, pg_sleep(0.1)::text`)),
  );
  clearInterval(watch);
  assert.deepEqual(
    answers.map((answer) => answer.structuredContent?.rows[0]?.[0]),
    Array.from({ length: CALLS }, (_, n) => n),
  );
  assert.equal(Math.max(...counts), POOL_SIZE);
});

test('calls that wait too long for a connection are told so, and the others are answered', async (t) => {
  // A call waits for 3 s at most: the first five and the next five get their turn, with seconds to spare before the deadline.
  const env = { POSTGRES_POOL_SIZE: String(POOL_SIZE), MCP_TIMEOUT_MS: '6000' };
  const { url } = await startServer(t, { env });
  const client = await connectClient(url, { t });
  // What the catalog says of pg_sleep is known then; a call that has to ask for it waits for a connection twice.
  await query(client, 'SELECT pg_sleep(0)::text');
  const answers = await Promise.all(
    Array.from({ length: CALLS }, (_, n) => query(client, `SELECT ${n} AS crowd, pg_sleep(2)::text`)),
  );
  const refused = answers.filter((answer) => answer.isError);
  for (const answer of refused) assert.match(textOf(answer), /^BUSY: .*connection.*\nNext: /s);
  const served = answers.filter((answer) => !answer.isError);
  assert.ok(served.length >= POOL_SIZE && refused.length > 0, `${served.length} served, ${refused.length} refused`);
  assert.deepEqual((await query(client, 'SELECT 1')).structuredContent?.rows, [[1]]);
});
