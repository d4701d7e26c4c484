/** Where our settings are made: once for a session of our own, in each transaction where a pooler may change sessions. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { after, before, test, type TestContext } from 'node:test';
import { startPostgres, type EmbeddedPostgres } from '@database-mcp/embedded';
import { Client } from 'pg';
import { openDatabase, read } from '../test-database.ts';

let server: EmbeddedPostgres;

before(async () => {
  server = await startPostgres();
  const admin = new Client({ connectionString: server.adminUrl });
  await admin.connect();
  await admin.query(`
    ALTER ROLE mcp_reader SET datestyle = 'German';
    ALTER ROLE mcp_reader SET bytea_output = 'escape';
    ALTER ROLE mcp_reader SET statement_timeout = 500;
  `);
  await admin.end();
});
after(() => server.stop());

const KEY_MESSAGE = 0x4b;

/** Passes bytes on and keeps what the client sends; as a pooler it tells another number of the back end. */
async function startProxy(t: TestContext, isPooler: boolean): Promise<{ url: string; sent: () => string }> {
  const { port } = new URL(server.url);
  let sent = '';
  const proxy = createServer((client) => {
    const upstream = connect(Number(port), '127.0.0.1');
    for (const socket of [client, upstream]) socket.on('error', () => {});
    client.on('close', () => upstream.destroy());
    client.on('data', (chunk: Buffer) => {
      sent += chunk.toString('latin1');
      upstream.write(chunk);
    });
    upstream.on('close', () => client.destroy());
    upstream.on('data', (chunk: Buffer) => {
      if (isPooler) changeBackEndPid(chunk);
      client.write(chunk);
    });
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => void proxy.close());
  const url = new URL(server.url);
  url.port = String((proxy.address() as AddressInfo).port);
  return { url: url.href, sent: () => sent };
}

/** The message is kind, length 12, number, key; the start of a session comes in one piece on loopback. */
function changeBackEndPid(chunk: Buffer): void {
  for (let at = 0; at + 5 <= chunk.length; at += 1 + chunk.readUInt32BE(at + 1)) {
    if (chunk[at] === KEY_MESSAGE) chunk.writeUInt32BE(chunk.readUInt32BE(at + 5) + 1, at + 5);
  }
}

const EXACT = "SELECT date '2026-01-31', '\\x00ff'::bytea, current_setting('statement_timeout')";
const CALLS = 5;
const PLACES = [
  { isPooler: false, settings: 1, why: 'a session of our own: once' },
  { isPooler: true, settings: 1 + CALLS, why: 'behind a pooler: asked once, then in each transaction' },
];
for (const { isPooler, settings, why } of PLACES) {
  test(`whatever is set for the role, answers have our form, and settings are made where they hold: ${why}`, async (t) => {
    const proxy = await startProxy(t, isPooler);
    const database = openDatabase(t, proxy.url, { poolSize: 1 });
    for (let call = 0; call < CALLS; call++) {
      assert.deepEqual((await read(database, EXACT)).rows, [['2026-01-31', '\\x00ff', '9500ms']]);
    }
    assert.equal(proxy.sent().match(/'?datestyle'/g)?.length, settings);
  });
}
