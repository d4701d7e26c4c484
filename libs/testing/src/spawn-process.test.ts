import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { freePort } from './free-port.ts';
import { isRunning, processTree, residentBytes } from './process-table.ts';
import { spawnProcess } from './spawn-process.ts';
import { waitFor } from './wait-for.ts';

const SERVE = `
  const server = require('node:http').createServer((request, response) => response.end('ok'));
  server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening on ' + server.address().port));
  process.on('SIGTERM', () => server.close(() => process.exit(7)));
`;

test('a process is ready when its URL answers, and stop() tells how it ended', async (t) => {
  const port = await freePort();
  const server = await spawnProcess({
    args: ['-e', SERVE],
    env: { PORT: String(port) },
    ready: { url: `http://127.0.0.1:${port}/ready` },
    t,
  });
  assert.ok(isRunning(server.pid));
  assert.deepEqual(await server.stop(), { code: 7, signal: null });
  assert.ok(!isRunning(server.pid));
  assert.match(server.stdout(), /listening on/);
});

test('a process is ready when a line matches, and the match is given', async (t) => {
  const server = await spawnProcess({
    args: ['-e', SERVE],
    env: { PORT: '0' },
    ready: { line: /^listening on (\d+)$/ },
    t,
  });
  const port = Number(server.readyLine?.[1]);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}`)).text(), 'ok');
});

test('a process that ends before it is ready is reported with its exit code and its output', async () => {
  const start = spawnProcess({
    name: 'a broken server',
    args: ['-e', 'console.error("no configuration"); process.exit(3)'],
    ready: { line: /never/ },
  });
  await assert.rejects(start, /a broken server did not become ready: it ended with code 3.*no configuration/s);
});

test('a process that never becomes ready is ended when the deadline passes', async () => {
  const start = spawnProcess({
    args: ['-e', 'console.log("pid " + process.pid); setInterval(() => {}, 1000)'],
    ready: { line: /never/ },
    readyDeadlineMs: 1_000,
  });
  const error = await start.then(
    () => assert.fail('it became ready'),
    (reason: unknown) => String(reason),
  );
  const pid = Number(/pid (\d+)/.exec(error)?.[1]);
  assert.ok(pid > 0, error);
  assert.ok(!isRunning(pid));
});

test('a command that does not exist is reported by name', async () => {
  await assert.rejects(spawnProcess({ command: 'no-such-command', args: [] }), /no-such-command/);
});

test('a process that ignores SIGTERM is killed after the limit, together with its children', async (t) => {
  const script = `
    process.on('SIGTERM', () => {});
    const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    child.on('spawn', () => console.log('child ' + child.pid));
    setInterval(() => {}, 1000);
  `;
  const stubborn = await spawnProcess({ args: ['-e', script], ready: { line: /child (\d+)/ }, t });
  const childPid = Number(stubborn.readyLine?.[1]);
  assert.deepEqual(
    processTree(stubborn.pid).map((entry) => entry.pid),
    [stubborn.pid, childPid],
  );
  assert.deepEqual(await stubborn.stop({ killAfterMs: 100 }), { code: null, signal: 'SIGKILL' });
  await waitFor(() => !isRunning(childPid), { what: 'the child to be gone' });
});

test('nothing that was spawned survives the test process, whether it ends by itself, by a signal or by its own handler of one', async (t) => {
  const script = `
    import { spawnProcess } from ${JSON.stringify(new URL('./spawn-process.ts', import.meta.url).href)};
    const child = await spawnProcess({ args: ['-e', 'setInterval(() => {}, 1000)'] });
    if (process.env.END === 'handler') process.once('SIGTERM', () => process.exit(5));
    console.log('child ' + child.pid);
    if (process.env.END === 'exit') process.exit(0);
  `;
  const ends = { exit: 0, SIGTERM: null, handler: 5 };
  for (const [end, code] of Object.entries(ends)) {
    const parent = await spawnProcess({
      args: ['--input-type=module', '-e', script],
      env: { END: end },
      ready: { line: /child (\d+)/ },
      t,
    }).catch((error: unknown) => ({ failure: String(error) }));
    // A parent that exits at once may be gone before its line is seen; its output then holds the line.
    const line = 'failure' in parent ? /child (\d+)/.exec(parent.failure) : parent.readyLine;
    const childPid = Number(line?.[1]);
    assert.ok(childPid > 0);
    if (!('failure' in parent)) assert.equal((await parent.stop()).code, code);
    await waitFor(() => !isRunning(childPid), { what: `the child to be gone after ${end}` });
  }
});

test('waitFor gives the value of the condition, or says what it waited for and why the last attempt failed', async () => {
  let attempts = 0;
  assert.equal(await waitFor(() => ++attempts >= 3 && attempts, { what: 'three attempts', pollMs: 1 }), 3);
  const inVain = waitFor(() => Promise.reject(new Error('connection refused')), { what: 'the moon', deadlineMs: 30 });
  await assert.rejects(inVain, /Waited 30 ms for the moon, in vain. The last attempt failed: connection refused/);
});

test('freePort gives different ports that can be listened on', async (t) => {
  const ports = await Promise.all(Array.from({ length: 10 }, () => freePort()));
  assert.equal(new Set(ports).size, 10);
  const server = createServer();
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(ports[0], '127.0.0.1', resolve));
});

test('residentBytes tells the memory of a process, and 0 for one that does not exist', () => {
  const own = residentBytes(process.pid);
  assert.ok(Math.abs(own - process.memoryUsage.rss()) < 50 * 1024 * 1024, String(own));
  assert.equal(residentBytes(2 ** 30), 0);
});
