/** The posture of the role, and the SQL that makes a proper one, against a real Postgres. */
import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { spawnProcess } from '@database-mcp/testing';
import { Client } from 'pg';
import { readRows } from './catalog.ts';
import { createDatabase, type Database } from './database.ts';
import { targetOf } from './test-target.ts';
import { createRoleSql, readRoleSqlArguments } from './role-sql.ts';
import { describeRole, introduce } from './role.ts';

const NEVER = new AbortController().signal;
let server: EmbeddedPostgres;
let admin: Client;

before(async () => {
  server = await startPostgres();
  admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
  await admin.query(`
    CREATE TABLE stock (id int GENERATED ALWAYS AS IDENTITY, name text); INSERT INTO stock (name) VALUES ('a');
    CREATE SCHEMA "Odd %s ""Schema"" it's"; CREATE TABLE "Odd %s ""Schema"" it's".t AS SELECT 1 AS a;
    CREATE ROLE keeper; CREATE SCHEMA kept AUTHORIZATION keeper; SET ROLE keeper; CREATE TABLE kept.t AS SELECT 1 AS a; RESET ROLE`);
});

after(async () => {
  await admin.end();
  await server.stop();
});

function open(t: TestContext, role?: string): Database {
  const url = new URL(server.adminUrl);
  if (role !== undefined) Object.assign(url, { username: encodeURIComponent(role), password: 'secret' });
  const database = createDatabase({
    target: targetOf(url.href),
    poolSize: 1,
    timeoutMs: 10_000,
    applicationName: 'int-test',
  });
  t.after(() => database.close());
  return database;
}

async function makeRole(name: string, rights = ''): Promise<void> {
  await admin.query(`CREATE ROLE "${name}" LOGIN PASSWORD 'secret' ${rights}`);
}

const FOUND: { name: string; rights?: string; sql?: string; says: RegExp; why: string }[] = [
  { name: 'plain', says: /^$/, why: 'a role without any right beyond its own' },
  { name: 'super', rights: 'SUPERUSER', says: /it is a superuser/, why: 'everything' },
  {
    name: 'behind',
    sql: 'GRANT super TO behind',
    says: /become a superuser by SET ROLE super/,
    why: 'one SET ROLE away',
  },
  {
    name: 'maker',
    rights: 'CREATEROLE CREATEDB REPLICATION BYPASSRLS',
    says: /it can create roles, create databases, replicate the whole server, bypass row/,
    why: 'attributes',
  },
  {
    name: 'files',
    sql: 'GRANT pg_read_server_files, pg_signal_backend TO files',
    says: /the rights of pg_read_server_files, pg_signal_backend/,
    why: 'predefined roles',
  },
  {
    name: 'caller',
    sql: 'GRANT EXECUTE ON FUNCTION pg_read_file(text), pg_reload_conf() TO caller',
    says: /may call pg_read_file, pg_reload_conf/,
    why: 'a right that was given away',
  },
  {
    name: 'owner',
    sql: 'CREATE TABLE owned (); ALTER TABLE owned OWNER TO owner',
    says: /it owns public\.owned; it may write to public\.owned/,
    why: 'owners may do all',
  },
  { name: 'writer', sql: 'GRANT INSERT ON stock TO writer', says: /may write to public\.stock$/, why: 'a table' },
  {
    name: 'columnist',
    sql: 'GRANT UPDATE (name) ON stock TO columnist',
    says: /may write to public\.stock$/,
    why: 'a column',
  },
  {
    name: 'counter',
    sql: 'GRANT USAGE ON SEQUENCE stock_id_seq TO counter',
    says: /change the sequences public\.stock_id_seq$/,
    why: 'a sequence',
  },
  {
    name: 'builder',
    sql: 'GRANT CREATE ON SCHEMA public TO builder; GRANT CREATE ON DATABASE postgres TO builder',
    says: /create tables and functions in public; it may create schemas/,
    why: 'a schema, the database',
  },
];

for (const { name, rights, sql, says, why } of FOUND) {
  test(`the posture of the role is found: ${name} (${why})`, async (t) => {
    await makeRole(name, rights);
    if (sql !== undefined) await admin.query(sql);
    const role = await describeRole(open(t, name), NEVER);
    assert.equal(role.role, name);
    assert.match(role.warnings.join('; '), says);
  });
}

test('with write access the right to write is no finding, the right to read files is', async (t) => {
  await makeRole('editor');
  await admin.query('GRANT pg_read_server_files TO editor; GRANT INSERT ON stock TO editor');
  const { warnings } = await describeRole(open(t, 'editor'), NEVER, 'write');
  assert.deepEqual(warnings, ['it has the rights of pg_read_server_files']);
});

test('a role that can do more is told in the log and to clients, with the way out', async (t) => {
  const lines: string[] = [];
  const logger = { info: () => {}, warn: (...parts: unknown[]) => lines.push(parts.map(String).join(' ')) };
  const text = await introduce(open(t), logger);
  assert.match(text, /^PostgreSQL \d+\.\d+, read-only: .* The role postgres can do more than that: it is a superuser/);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /--print-role-sql prints/);
});

const ODD = { role: `mcp "o'%s`, schemas: ['public', `Odd %s "Schema" it's`, 'kept'] };

for (const access of ['read', 'write'] as const) {
  test(`the printed SQL makes a role for ${access} access that passes the check, also when it is run again`, async (t) => {
    const role = `${ODD.role} ${access}`;
    const sql = createRoleSql({ ...ODD, role, access });
    await admin.query(sql);
    // What went wrong with the role since then is mended.
    await admin.query(`GRANT TRUNCATE ON stock TO "${role.replaceAll('"', '""')}"`);
    await admin.query(sql);
    await admin.query(`ALTER ROLE "${role.replaceAll('"', '""')}" PASSWORD 'secret'`);
    await admin.query(`SET ROLE keeper; CREATE TABLE kept.later_${access} AS SELECT 2 AS a; RESET ROLE`);
    const database = open(t, role);
    assert.deepEqual((await describeRole(database, NEVER, access)).warnings, []);
    const read = async (text: string) => (await readRows(database, text, [], NEVER, 1))[0]?.[0];
    assert.equal(await read(`SELECT a FROM "Odd %s ""Schema"" it's".t`), 1);
    assert.equal(await read(`SELECT a FROM kept.later_${access}`), 2);
    const client = new Client({ ...clientOptions(role), options: '-c default_transaction_read_only=off' });
    await client.connect();
    t.after(() => client.end());
    const insert = client.query(`INSERT INTO stock (name) VALUES ('${access}')`);
    if (access === 'write') await insert;
    else await assert.rejects(insert, { code: '42501' });
    await assert.rejects(client.query('CREATE TABLE public.pwn ()'), { code: '42501' });
    await assert.rejects(client.query('TRUNCATE stock'), { code: '42501' });
  });
}

function clientOptions(role: string) {
  const { hostname, port } = new URL(server.adminUrl);
  return { host: hostname, port: Number(port), user: role, password: 'secret', database: 'postgres' };
}

test('an administrator who is no superuser can run it, and a superuser is not made into a reader', async () => {
  await makeRole('steward', 'CREATEROLE');
  await admin.query(
    'CREATE SCHEMA stewarded AUTHORIZATION steward; GRANT ALL ON DATABASE postgres TO steward WITH GRANT OPTION',
  );
  const steward = new Client(clientOptions('steward'));
  await steward.connect();
  try {
    await steward.query('CREATE TABLE stewarded.t AS SELECT 1 AS a');
    await steward.query(createRoleSql({ role: 'stewards_reader', schemas: ['stewarded'], access: 'read' }));
  } finally {
    await steward.end();
  }
  const sql = createRoleSql({ role: 'postgres', schemas: ['public'], access: 'read' });
  await assert.rejects(admin.query(sql), /is a superuser; choose another name/);
  await admin.query('ROLLBACK');
});

test('--print-role-sql prints it without a database; wrong flags are all told', async () => {
  const main = 'apps/postgres-mcp/src/main.ts';
  const env = { POSTGRES_URL: 'postgres://u:hunter2@127.0.0.1:1/d' };
  const printed = await spawnProcess({ args: [main, '--print-role-sql', '--schema', 'sales', '--schema=crm'], env });
  assert.deepEqual(await printed.exited, { code: 0, signal: null });
  assert.equal(printed.stdout(), createRoleSql({ role: 'mcp_reader', schemas: ['sales', 'crm'], access: 'read' }));
  const wrong = await spawnProcess({ args: [main, '--print-role-sql', '--rol', '--access', 'all', 'x'], env });
  assert.equal((await wrong.exited).code, 1);
  assert.match(wrong.stderr(), /--rol:[^]*"x": this is not a flag[^]*--access all: it must be read or write/);
  assert.equal(wrong.stderr().includes('hunter2'), false);
});

test('names that would break out of the script are refused', () => {
  for (const name of ['a\nb', 'x$do$y', 'n'.repeat(64), 'pg_mine', '\ud800']) {
    assert.throws(() => readRoleSqlArguments(['--print-role-sql', '--role', name]), /problem/, JSON.stringify(name));
  }
  assert.deepEqual(readRoleSqlArguments(['--role', 'a"b', '--access=write', '--print-role-sql']), {
    role: 'a"b',
    schemas: ['public'],
    access: 'write',
  });
});
