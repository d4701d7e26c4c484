/** `npm start` in less happy circumstances. The happy ones are in system.test.ts. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isRunning, listProcesses, processTree, spawnProcess, waitFor } from '@database-mcp/testing';
import { callTool, textOf } from './raw-mcp.ts';
import { startLocalSystem } from './system/local-system.ts';

test('a taken port is said at once, with the way out', async (t) => {
  const squatter = createServer().listen(0, '127.0.0.1');
  t.after(() => squatter.close());
  await waitFor(() => squatter.listening, { what: 'the port to be taken' });
  const { port } = squatter.address() as { port: number };
  const start = await spawnProcess({ t, args: ['deploy/local/src/main.ts', '--ephemeral', '--port', String(port)] });
  const exit = await start.exited;
  assert.equal(exit.code, 1);
  assert.match(
    start.stderr(),
    new RegExp(`^Port ${port} is taken by another process\\. .*npm start -- --port ${port + 100}`, 'm'),
  );
});

test('without Java the rest starts, and it says what is missing and how to mend it', async (t) => {
  const bin = await mkdtemp(join(tmpdir(), 'database-mcp-no-java-'));
  t.after(() => rm(bin, { recursive: true, force: true }));
  // Everything that the PATH of a plain machine holds, and no java.
  for (const tool of await readdir('/usr/bin')) {
    if (!tool.startsWith('java')) await symlink(`/usr/bin/${tool}`, join(bin, tool));
  }
  const temporary = await mkdtemp(join(tmpdir(), 'database-mcp-temporary-'));
  t.after(() => rm(temporary, { recursive: true, force: true }));
  // As open as /tmp itself: as root, Postgres runs as another user.
  await chmod(temporary, 0o755);
  const system = await startLocalSystem([], { PATH: bin, JAVA_HOME: undefined, TMPDIR: temporary });
  t.after(() => system.process.stop());
  assert.match(system.process.stdout(), /neo4j is not running: .*Java 17/s);
  const answer = await callTool(system.gatewayUrl, 'postgres_query', { sql: 'SELECT count(*) FROM country' });
  assert.match(textOf(answer), /\[\[250\]\]/);
  const services = await callTool(system.gatewayUrl, 'list_services', {});
  assert.doesNotMatch(textOf(services), /neo4j/);

  await t.test('a server that dies is started again', async () => {
    const server = listProcesses().find(
      ({ pid, command }) =>
        command.includes('apps/qdrant-mcp/') && processTree(system.process.pid).some((each) => each.pid === pid),
    );
    assert.ok(server);
    process.kill(server.pid, 'SIGKILL');
    await waitFor(() => !isRunning(server.pid), { what: 'the server to die' });
    await waitFor(
      async () => !(await callTool(system.gatewayUrl, 'qdrant_list_collections', {})).message.result?.isError,
      {
        what: 'the server to be back',
        deadlineMs: 15_000,
      },
    );
  });

  await t.test('when npm start is killed, no process and no file of it stays', async () => {
    const marker = String(system.port);
    const members = listProcesses().filter((each) =>
      processTree(system.process.pid).some(({ pid }) => pid === each.pid),
    );
    assert.ok(members.length > 5, `${members.length} processes, port ${marker}`);
    system.process.kill('SIGKILL');
    await waitFor(() => members.every(({ pid }) => !isRunning(pid)), {
      what: 'all processes to end',
      deadlineMs: 20_000,
    });
    await waitFor(async () => (await readdir(temporary)).length === 0, { what: `${temporary} to be empty` });
  });
});
