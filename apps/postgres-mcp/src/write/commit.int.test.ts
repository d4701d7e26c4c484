/** How a write ends when something is in its way: locks, time, cancellation, a connection that is lost during COMMIT. */
import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { after, before, beforeEach, test, type TestContext } from 'node:test';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { ToolError, toErrorText } from '@database-mcp/errors';
import { connectClient, freePort, spawnProcess, waitFor } from '@database-mcp/testing';
import { Client } from 'pg';
import { call, failureOf, openExecute, openWriting, said } from './test-execute.ts';

let server: EmbeddedPostgres;
let admin: Client;

before(async () => {
  server = await startPostgres();
  admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
});

beforeEach(async () => {
  await admin.query('DROP TABLE IF EXISTS log; CREATE TABLE log (what text)');
});

after(async () => {
  await admin.end();
  await server.stop();
});

const countLog = async (): Promise<number> =>
  Number((await admin.query<{ n: string }>('SELECT count(*) AS n FROM log')).rows[0]?.n);

test('a locked table is told after the lock timeout, with the right code and nothing changed', async (t) => {
  const tool = openExecute(t, { url: server.adminUrl, timeoutMs: 2_000 });
  await admin.query('BEGIN; LOCK TABLE log IN ACCESS EXCLUSIVE MODE');
  try {
    assert.match(await failureOf(tool, { sql: 'DELETE FROM log' }), /BUSY.*55P03[^]*Another session holds a lock/);
  } finally {
    await admin.query('ROLLBACK');
  }
  assert.match(said(await call(tool, { sql: 'DELETE FROM log' })), /0 rows affected/);
});

test('a write that is cancelled or too slow ends on the database and changes nothing', async (t) => {
  const tool = openExecute(t, { url: server.adminUrl });
  const hasty = openExecute(t, { url: server.adminUrl, timeoutMs: 2_000 });
  const sql = 'INSERT INTO log SELECT $1 FROM pg_sleep(60)';
  const running = async (): Promise<number> =>
    (
      await admin.query(
        "SELECT FROM pg_stat_activity WHERE application_name = 'write-test' AND state = 'active' AND query LIKE '%pg_sleep(60)%'",
      )
    ).rowCount ?? 0;
  const controller = new AbortController();
  const cancelled = failureOf(tool, { sql, params: ['a'] }, controller.signal);
  await waitFor(async () => (await running()) === 1, { what: 'the start' });
  controller.abort(new Error('cancelled by the client'));
  assert.match(await cancelled, /canceling statement/);
  await waitFor(async () => (await running()) === 0, { what: 'the end', deadlineMs: 1_000 });
  assert.match(await failureOf(hasty, { sql, params: ['a'] }), /TIMEOUT/);
  assert.equal(await countLog(), 0);
  assert.match(said(await call(tool, { sql: 'DELETE FROM log' })), /0 rows affected/);
});

test('nothing of a rehearsal outlives it', async (t) => {
  const tools = openWriting(t, { url: server.adminUrl, poolSize: 1 });
  const [query, execute] = [tools.get('query') ?? assert.fail(), tools.get('execute') ?? assert.fail()];
  const sql = `SELECT current_setting('transaction_read_only'), current_setting('statement_timeout'),
    (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_locks WHERE relation = 'log'::regclass)`;
  const ask = async () =>
    (await query.run({ sql, params: [], limit: 1 }, { signal: new AbortController().signal })).rows;
  const fresh = await ask();
  await call(execute, { sql: 'DELETE FROM log' });
  assert.deepEqual(await ask(), fresh);
  await failureOf(execute, { sql: "INSERT INTO log VALUES ('a', 'b')" });
  assert.deepEqual(await ask(), fresh);
});

test('what a trigger sets for its session does not outlive the write', async (t) => {
  await admin.query(`
    CREATE OR REPLACE FUNCTION unset() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('search_path', 'evil', false); RETURN NEW; END $$;
    CREATE TRIGGER unset BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION unset()`);
  const tools = openWriting(t, { url: server.adminUrl, poolSize: 1 });
  const [query, execute] = [tools.get('query') ?? assert.fail(), tools.get('execute') ?? assert.fail()];
  const sql = "INSERT INTO public.log VALUES ('a')";
  const { confirm } = await call(execute, { sql });
  assert.match(said(await call(execute, { sql, confirm })), /committed/);
  const args = { sql: "SELECT current_setting('search_path')", params: [], limit: 1 };
  const { rows } = await query.run(args, { signal: new AbortController().signal });
  assert.deepEqual(rows, [['"$user", public']]);
});

/** Stands between the server and Postgres, and does as told when a COMMIT comes by. */
async function openProxy(t: TestContext, onCommit: 'lose it' | 'lose the answer' | 'never answer again') {
  const target = new URL(server.adminUrl);
  const upstreamPort = Number(target.port);
  let isDead = false;
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const upstream = connect(upstreamPort, target.hostname);
    let isSilent = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket.on('error', () => {}).on('close', () => void [client.destroy(), upstream.destroy()]));
    }
    if (isDead) return void client.destroy();
    upstream.on('data', (chunk) => void (isSilent || client.write(chunk)));
    client.on('data', (chunk) => {
      if (!chunk.includes('COMMIT\0')) return void upstream.write(chunk);
      isSilent = true;
      isDead = onCommit === 'never answer again';
      if (onCommit === 'lose it') return void client.destroy();
      upstream.write(chunk);
      if (onCommit === 'lose the answer') upstream.once('data', () => client.destroy());
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  });
  target.port = String((proxy.address() as AddressInfo).port);
  return target.href;
}

const DOUBTS = [
  {
    onCommit: 'lose it',
    says: /UNAVAILABLE.*lost before the write was committed\. Nothing was changed/,
    rows: 0,
    why: 'the database rolled it back',
  },
  {
    onCommit: 'lose the answer',
    says: /Done and committed\. 1 row/,
    rows: 1,
    why: 'the database knows that it was made',
  },
  {
    onCommit: 'never answer again',
    says: /OUTCOME_UNKNOWN.*not known whether the write took effect[^]*pg_xact_status/,
    rows: 1,
    why: 'the database cannot be asked',
  },
] as const;

for (const { onCommit, says, rows, why } of DOUBTS) {
  test(`a connection that is lost during COMMIT is told truthfully: ${onCommit} (${why})`, async (t) => {
    const tool = openExecute(t, { url: await openProxy(t, onCommit), poolSize: 1 });
    const sql = "INSERT INTO log VALUES ('a')";
    const { confirm } = await call(tool, { sql });
    const controller = new AbortController();
    const outcome = call(tool, { sql, confirm }, controller.signal).then(said, (error: unknown) =>
      error instanceof ToolError ? toErrorText(error) : String(error),
    );
    if (onCommit === 'never answer again') {
      await waitFor(async () => (await countLog()) === 1, { what: 'the commit' });
      controller.abort(new Error('the deadline'));
      const started = performance.now();
      await outcome;
      assert.ok(performance.now() - started < 1_000, 'the answer comes within the grace of a call');
    }
    assert.match(await outcome, says);
    assert.equal(await countLog(), rows);
  });
}

const EXECUTE = 'postgres_execute';

async function startProcess(t: TestContext, env: Record<string, string>): Promise<string> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = ['apps/postgres-mcp/src/main.ts'];
  await spawnProcess({
    args,
    env: { POSTGRES_URL: server.adminUrl, MCP_PORT: String(port), ...env },
    ready: { url: `${url}/ready` },
    t,
  });
  return `${url}/mcp`;
}

test('without POSTGRES_ACCESS=write there is no tool that writes', async (t) => {
  const client = await connectClient(await startProcess(t, {}), { t });
  const { tools } = await client.listTools();
  assert.equal(
    tools.some(({ annotations }) => annotations?.readOnlyHint !== true),
    false,
  );
});

for (const era of ['2026-07-28', 'legacy'] as const) {
  test(`with it a client of the ${era} era rehearses and confirms, also on another replica with the same key`, async (t) => {
    const env = { POSTGRES_ACCESS: 'write', POSTGRES_CONFIRM_KEY: 'k'.repeat(32) };
    const [one, other] = [await startProcess(t, env), await startProcess(t, env)];
    const client = await connectClient(one, { era, t });
    assert.match(client.getInstructions() ?? '', /execute rehearses a write, and makes it when it is confirmed/);
    const list = await client.listTools();
    assert.deepEqual(list.tools.find(({ name }) => name === EXECUTE)?.annotations, {
      readOnlyHint: false,
      destructiveHint: true,
      idempotentHint: false,
      openWorldHint: false,
    });
    const args = { sql: 'INSERT INTO log VALUES ($1)', params: ['a'] };
    const rehearsal = await client.callTool({ name: EXECUTE, arguments: args });
    const { confirm } = rehearsal.structuredContent as { confirm?: string };
    assert.equal(await countLog(), 0);
    const replica = await connectClient(other, { era, t });
    const made = await replica.callTool({ name: EXECUTE, arguments: { ...args, confirm } });
    assert.match(JSON.stringify(made.content), /Done and committed/);
    assert.equal(await countLog(), 1);
    const read = await client.callTool({ name: 'postgres_query', arguments: { sql: 'DELETE FROM log' } });
    assert.match(JSON.stringify(read.content), /READ_ONLY/);
  });
}
