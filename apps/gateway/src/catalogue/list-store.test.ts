import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { callTool, listNames, modernBody, modernHeaders, post, readResult, startTestGateway, until } from '../test-gateway.ts'; // prettier-ignore
import { promptText, serveKinds } from '../test-kinds.ts';
import { startTestUpstream, toolText, type TestUpstream } from '../test-upstream.ts';

const ODD_TOOL = '{ "name":"q", "inputSchema":{"type":"object","x":9007199254740993}, "t":"\\u00e9é" }';

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'gateway-lists-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs a gateway, which writes the lists before it ends, and then ends the upstream. */
async function runOnce(t: TestContext, directory: string, headers = {}): Promise<TestUpstream> {
  const upstream = await startTestUpstream(t, {
    onRequest: serveKinds({ tools: [ODD_TOOL], prompts: [promptText('p')] }),
  });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url, headers }], {
    cacheDirectory: directory,
  });
  await gateway.close();
  await upstream.stop();
  return upstream;
}

test('a gateway that starts while a server is down lists what that server had, and calls of it fail by name', async (t) => {
  const directory = join(await temporaryDirectory(t), 'is', 'made');
  const parent = join(directory, '..', '..');
  const upstream = await startTestUpstream(t, {
    onRequest: serveKinds({ tools: [ODD_TOOL], prompts: [promptText('p')] }),
  });
  const entries = [{ name: 'pg', url: upstream.url }];
  const first = await startTestGateway(t, entries, { cacheDirectory: directory });
  const list = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
  const before = await post(first, list);
  await until('the lists are kept', async () =>
    (await readdir(parent, { recursive: true })).includes('is/made/pg.json'),
  );
  await first.close();
  await upstream.stop();
  const second = await startTestGateway(t, entries, { cacheDirectory: directory });
  assert.equal((await post(second, list)).text, before.text);
  const prompts = await post(second, modernBody('prompts/list'), modernHeaders('prompts/list'));
  assert.equal(JSON.parse(prompts.text).result.prompts[0].name, 'pg_p');
  const failed = readResult(await callTool(second, 'pg_q'));
  assert.equal(failed.isError, true);
  assert.match(failed.text, /"pg" cannot be reached/);
  const server = await startTestUpstream(t, { tools: [toolText('q'), toolText('new')], port: upstream.port });
  await until('the new list is there', async () => (await listNames(second)).includes('pg_new'));
  assert.equal(server.port, upstream.port);
});

test('kept files hold no credential and no address, are for their owner alone, and leave no drafts', async (t) => {
  const directory = await temporaryDirectory(t);
  const { port } = await runOnce(t, directory, { authorization: 'Bearer secret-token' });
  assert.deepEqual(await readdir(directory), ['pg.json']);
  const text = await readFile(join(directory, 'pg.json'), 'utf8');
  assert.ok(!text.includes('secret-token') && !text.includes(String(port)) && !text.includes('127.0.0.1'));
  assert.equal((await stat(join(directory, 'pg.json'))).mode & 0o777, 0o600);
});

const DAMAGES = [
  { why: 'it is no JSON', damage: (text: string) => text.slice(0, -10) },
  { why: 'it holds something else', damage: () => '[]' },
  { why: 'it is of another format', damage: (text: string) => text.replace('"format":1', '"format":0') },
  { why: 'a tool in it is none', damage: (text: string) => text.replace('\\"name\\"', '\\"nome\\"') },
  { why: 'its items are no text', damage: (text: string) => text.replace('"tools":[', '"tools":[null,') },
  { why: 'it is empty', damage: () => '' },
];

test('a kept file that is damaged counts as absent', async (t) => {
  const directory = await temporaryDirectory(t);
  const { url } = await runOnce(t, directory);
  const path = join(directory, 'pg.json');
  const whole = await readFile(path, 'utf8');
  for (const { why, damage } of DAMAGES) {
    await writeFile(path, damage(whole));
    const gateway = await startTestGateway(t, [{ name: 'pg', url }], { cacheDirectory: directory });
    assert.deepEqual(await listNames(gateway), ['health_check', 'list_services'], why);
    await gateway.close();
  }
});

test('a name that is given to another server does not get the lists of the former one', async (t) => {
  const directory = await temporaryDirectory(t);
  await runOnce(t, directory);
  const gateway = await startTestGateway(t, [{ name: 'pg', url: 'http://127.0.0.1:9/mcp' }], {
    cacheDirectory: directory,
  });
  assert.deepEqual(await listNames(gateway), ['health_check', 'list_services']);
});

test('a folder that cannot be used does not keep the gateway from serving', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'file');
  await writeFile(file, '');
  await chmod(file, 0o400);
  const upstream = await startTestUpstream(t, { tools: [toolText('q')] });
  const gateway = await startTestGateway(t, [{ name: 'pg', url: upstream.url }], { cacheDirectory: file });
  assert.deepEqual((await listNames(gateway)).slice(2), ['pg_q']);
});
