/** TLS with a real server: what each sslmode does, and what is said when it cannot be. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { freePort, waitFor } from '@database-mcp/testing';
import { Client } from 'pg';
import { hasCode, openDatabase, read } from '../test-database.ts';

let server: EmbeddedPostgres;
let admin: Client;
/** Certificates and other files of these tests. */
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postgres-mcp-test-'));
  server = await startPostgres();
  admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
  await switchTls(true);
});

after(async () => {
  await admin.end();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

/** An authority, a certificate of it for the name localhost, and another authority. */
function createCertificates(): void {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  for (const name of ['ca', 'other']) {
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`); // prettier-ignore
  }
  openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=localhost', '-keyout', 'server.key', '-out', 'server.csr'); // prettier-ignore
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost');
  openssl('x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names', '-out', 'server.pem'); // prettier-ignore
}

const setting = async (name: string): Promise<string> =>
  String((await admin.query<{ value: string }>('SELECT current_setting($1) AS value', [name])).rows[0]?.value);

async function switchTls(isOn: boolean): Promise<void> {
  const data = await setting('data_directory');
  if (isOn) {
    createCertificates();
    const { uid, gid } = statSync(data);
    for (const name of ['server.key', 'server.pem']) {
      const path = join(data, name);
      await writeFile(path, await readFile(join(folder, name)), { mode: 0o600 });
      await chown(path, uid, gid);
    }
    await admin.query("ALTER SYSTEM SET ssl_key_file = 'server.key'");
    await admin.query("ALTER SYSTEM SET ssl_cert_file = 'server.pem'");
  }
  await admin.query(`ALTER SYSTEM SET ssl = ${isOn ? 'on' : 'off'}`);
  await reload(async () => (await setting('ssl')) === (isOn ? 'on' : 'off'));
}

/** The postmaster takes the new settings a moment later. */
async function reload(isDone: () => Promise<boolean>): Promise<void> {
  await admin.query('SELECT pg_reload_conf()');
  await waitFor(isDone, { what: 'the reload' });
}

/** The URL of the server with another host and parameters. */
function urlWith(query: string, host = '127.0.0.1'): string {
  return `${server.adminUrl.replace('127.0.0.1', host)}?${query.replaceAll('$', `${folder}/`)}`;
}

const IS_ENCRYPTED = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';

const ENCRYPTED: { query: string; host?: string; is: boolean; why: string }[] = [
  { query: 'sslmode=disable', is: false, why: 'never' },
  { query: 'sslmode=allow', is: false, why: 'the server does not insist' },
  { query: 'sslmode=prefer', is: true, why: 'the server can' },
  { query: 'sslmode=require', is: true, why: 'whoever the server is' },
  { query: 'sslmode=require&sslrootcert=$ca.pem', is: true, why: 'checks the authority' },
  { query: 'sslmode=verify-ca&sslrootcert=$ca.pem', is: true, why: 'the host name does not count' },
  { query: 'sslmode=verify-full&sslrootcert=$ca.pem', host: 'localhost', is: true, why: 'the host name fits' },
];

for (const { query, host, is, why } of ENCRYPTED) {
  test(`[63] ${query} ${is ? 'encrypts' : 'does not encrypt'} (${why})`, async (t) =>
    assert.deepEqual((await read(openDatabase(t, urlWith(query, host)), IS_ENCRYPTED)).rows, [[is]]));
}

const UNTRUSTED: { query: string; says: RegExp; why: string }[] = [
  { query: 'sslmode=verify-full&sslrootcert=$ca.pem', says: /certificate is for another host name/, why: 'an address that is not in the certificate' }, // prettier-ignore
  { query: 'sslmode=verify-ca&sslrootcert=$other.pem', says: /not signed by an authority that is trusted/, why: 'another authority' }, // prettier-ignore
  { query: 'sslmode=require&sslrootcert=$other.pem', says: /not signed by an authority/, why: 'another authority' },
  { query: 'sslmode=verify-full', says: /not signed by an authority/, why: 'no public authority' },
];

for (const { query, says, why } of UNTRUSTED) {
  test(`[63] ${query} refuses the server (${why})`, (t) =>
    assert.rejects(read(openDatabase(t, urlWith(query)), 'SELECT 1'), hasCode('UNAVAILABLE', says)));
}

test('an encrypted statement is cancelled on the server, too', async (t) => {
  const database = openDatabase(t, urlWith('sslmode=require'));
  const controller = new AbortController();
  const failed = assert.rejects(read(database, 'SELECT pg_sleep(60), $$tls$$', { signal: controller.signal }));
  const running = async (): Promise<number> =>
    Number((await admin.query<{ n: string }>("SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(60), $$tls$$'")).rows[0]?.n); // prettier-ignore
  await waitFor(async () => (await running()) === 1, { what: 'the start' });
  controller.abort();
  await failed;
  await waitFor(async () => (await running()) === 0, { what: 'the end', deadlineMs: 1_000 });
});

test('[63] a server without TLS is taken by prefer and refused by require', async (t) => {
  await switchTls(false);
  t.after(() => switchTls(true));
  assert.deepEqual((await read(openDatabase(t, urlWith('sslmode=prefer')), IS_ENCRYPTED)).rows, [[false]]);
  await assert.rejects(
    read(openDatabase(t, urlWith('sslmode=require')), 'SELECT 1'),
    hasCode('UNAVAILABLE', /offers no TLS, which sslmode asks for/),
  );
});

/** Replaces the rules of pg_hba.conf for one role until the end of the test. */
async function ruleFor(t: TestContext, role: string, rule: string): Promise<string> {
  const file = await setting('hba_file');
  const rules = await readFile(file, 'utf8');
  const apply = async (text: string, count: number): Promise<void> => {
    await writeFile(file, text);
    const counted = async (): Promise<boolean> =>
      Number((await admin.query<{ n: string }>("SELECT count(*) AS n FROM pg_hba_file_rules WHERE user_name = ARRAY[$1]", [role])).rows[0]?.n) === count; // prettier-ignore
    await reload(counted);
  };
  await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'hunter2'`);
  await apply(`${rule.replaceAll('ROLE', role)}\n${rules}`, rule.split('\n').length);
  t.after(async () => {
    await apply(rules, 0);
    await admin.query(`DROP ROLE ${role}`);
  });
  return `postgresql://${role}:hunter2@127.0.0.1:${server.port}/postgres`;
}

test('[63] a server that insists on TLS gets it by prefer and allow, and without TLS it is said why it refuses', async (t) => {
  const url = await ruleFor(t, 'safe', 'hostssl all ROLE all scram-sha-256\nhost all ROLE all reject');
  const sees = (mode: string) => waitFor(async () => (await read(openDatabase(t, `${url}?sslmode=${mode}`), 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows, { what: mode }); // prettier-ignore
  assert.deepEqual(await sees('prefer'), [[true]]);
  assert.deepEqual(await sees('allow'), [[true]]);
  await assert.rejects(
    read(openDatabase(t, `${url}?sslmode=disable`), 'SELECT 1'),
    hasCode('UNAVAILABLE', /accepts no such connection: user, database, address and sslmode together \(pg_hba.conf\)/),
  );
});

test('[63] a server that takes this user only without TLS is reached by prefer', async (t) => {
  const url = await ruleFor(t, 'plain', 'hostnossl all ROLE all scram-sha-256\nhost all ROLE all reject');
  const rows = await waitFor(async () => (await read(openDatabase(t, `${url}?sslmode=prefer`), IS_ENCRYPTED)).rows, {
    what: 'the connection',
  });
  assert.deepEqual(rows, [[false]]);
});

test('[63] a wrong password is told at once, and not tried at the next host', async (t) => {
  const url = `postgresql://postgres:hunter2@127.0.0.1:${server.port},127.0.0.1:${await freePort()}/postgres`;
  await assert.rejects(
    read(openDatabase(t, url), 'SELECT 1'),
    hasCode('UNAVAILABLE', /refuses the user or the password/),
  );
});
