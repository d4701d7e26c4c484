import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createLogger } from '@database-mcp/telemetry';
import { startGateway } from './app.ts';
import { loadGatewayConfig } from './config.ts';
import { createReloader, type Reloader } from './reload.ts';
import {
  callTool,
  listNames,
  modernBody,
  modernHeaders,
  readResult,
  startGatewayProcess,
  until,
} from './test-gateway.ts';
import { answerCall, startTestUpstream, toolText, type TestUpstream } from './test-upstream.ts';
import { watchFile } from './watch-file.ts';

function tempFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-reload-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

interface Entry {
  name: string;
  upstream: TestUpstream;
  [member: string]: unknown;
}

function toText(entries: readonly Entry[], rest: object = {}): string {
  const upstreams = entries.map(({ upstream, ...entry }) => ({ url: upstream.url, ...entry }));
  return JSON.stringify({ port: 0, ...rest, upstreams });
}

interface Running {
  url: string;
  reloader: Reloader;
  log: string[];
  write(text: string): void;
}

/** A gateway in this process whose reloads the test asks for. */
async function start(t: TestContext, text: string): Promise<Running> {
  const path = join(tempFolder(t), 'gateway.yaml');
  const write = (next: string): void => writeFileSync(path, next);
  write(text);
  const load = (): ReturnType<typeof loadGatewayConfig> => loadGatewayConfig({ env: {}, argv: ['--config', path] });
  const logger = await createLogger({ service: 'test', level: 'silent', pretty: false });
  const log: string[] = [];
  for (const level of ['info', 'warn', 'error'] as const) {
    logger[level] = (...parts: unknown[]) => void log.push(`${level}: ${parts.map(String).join(' ')}`);
  }
  const config = load();
  const gateway = await startGateway(config, logger);
  t.after(gateway.close);
  log.length = 0;
  const reloader = createReloader({ config, load, setUpstreams: gateway.setUpstreams, logger });
  return { url: gateway.url, reloader, log, write };
}

function startPair(t: TestContext): Promise<[TestUpstream, TestUpstream]> {
  return Promise.all([
    startTestUpstream(t, { tools: [toolText('a_query')] }),
    startTestUpstream(t, { tools: [toolText('b_query')] }),
  ]);
}

test('an upstream that is added is served at once, one that is removed is unknown, the rest is not asked again', async (t) => {
  const [a, b] = await startPair(t);
  const gateway = await start(t, toText([{ name: 'a', upstream: a }]));
  const asked = a.requests.length;
  gateway.write(
    toText([
      { name: 'a', upstream: a },
      { name: 'b', upstream: b },
    ]),
  );
  await gateway.reloader.reload();
  assert.deepEqual((await listNames(gateway)).slice(2), ['a_query', 'b_query']);
  assert.equal(readResult(await callTool(gateway, 'b_query')).text, 'called b_query');
  assert.equal(a.requests.length, asked);
  gateway.write(toText([{ name: 'b', upstream: b }]));
  await gateway.reloader.reload();
  assert.deepEqual((await listNames(gateway)).slice(2), ['b_query']);
  assert.equal(JSON.parse((await callTool(gateway, 'a_query')).text).error.code, -32602);
});

test('calls in progress at an upstream that is removed or changed finish, and its connections end after them', async (t) => {
  const release: (() => void)[] = [];
  const [a, b] = await startPair(t);
  for (const upstream of [a, b]) {
    upstream.options.onCall = (request, response) => release.push(() => answerCall(request, response));
  }
  const gateway = await start(
    t,
    toText([
      { name: 'a', upstream: a, maxConcurrency: 1 },
      { name: 'b', upstream: b },
    ]),
  );
  const calls = [callTool(gateway, 'a_query'), callTool(gateway, 'a_query'), callTool(gateway, 'b_query')];
  await until('two are there and one waits in the queue', () => release.length === 2);
  gateway.write(toText([{ name: 'b', upstream: b, timeoutMs: 5_000 }]));
  await gateway.reloader.reload();
  release.splice(0).forEach((answer) => answer());
  await until('the one that waited arrives too', () => release.length === 1);
  release.splice(0).forEach((answer) => answer());
  const texts = (await Promise.all(calls)).map((answer) => readResult(answer).text);
  assert.deepEqual(texts, ['called a_query', 'called a_query', 'called b_query']);
  await until('no connection to the removed one is left', async () => (await a.connections()) === 0);
});

test('an upstream that is taken out while it hangs ends its calls at their deadline', async (t) => {
  const [a, b] = await startPair(t);
  a.options.onCall = () => {};
  const gateway = await start(
    t,
    toText([
      { name: 'a', upstream: a, timeoutMs: 300 },
      { name: 'b', upstream: b },
    ]),
  );
  const call = callTool(gateway, 'a_query');
  await until('the call is there', () => a.calls.length === 1);
  gateway.write(toText([{ name: 'b', upstream: b }]));
  await gateway.reloader.reload();
  assert.match(readResult(await call).text, /^TIMEOUT: The database server "a"/);
  await until('no connection to it is left', async () => (await a.connections()) === 0);
});

test('a prefix and a url can change', async (t) => {
  const [a, b] = await startPair(t);
  const gateway = await start(t, toText([{ name: 'a', upstream: a }]));
  gateway.write(toText([{ name: 'a', upstream: b, prefix: 'x_' }]));
  await gateway.reloader.reload();
  assert.deepEqual((await listNames(gateway)).slice(2), ['x_b_query']);
  assert.equal(readResult(await callTool(gateway, 'x_b_query')).text, 'called b_query');
});

test('a change that does not concern the server keeps its last tools although it is down at that moment', async (t) => {
  const [a] = await startPair(t);
  const gateway = await start(t, toText([{ name: 'a', upstream: a }]));
  await a.stop();
  gateway.write(toText([{ name: 'a', upstream: a, timeoutMs: 1_000 }]));
  await gateway.reloader.reload();
  assert.deepEqual((await listNames(gateway)).slice(2), ['a_query']);
});

const WRONG = [
  { why: 'no YAML', text: () => 'upstreams: [', expected: /line 1/ },
  { why: 'an empty file, as in the middle of a write', text: () => '', expected: /one problem/ },
  {
    why: 'several mistakes, one of them near a secret',
    text: (a: TestUpstream) => toText([{ name: 'A!', upstream: a, headers: { authorization: 'hunter2' }, x: 1 }]),
    expected: /upstreams\[0\]\.name[^]*x/,
  },
  { why: 'a variable that is not set', text: () => 'host: ${NOT_SET}', expected: /NOT_SET is not set/ },
  {
    why: 'colliding names',
    text: (a: TestUpstream) =>
      toText([
        { name: 'a', upstream: a },
        { name: 'b', upstream: a, prefix: '' },
      ]),
    expected: /"a" and upstream "b" would both publish a_query/,
  },
];

test('a configuration that cannot be used changes nothing, and each problem is told once', async (t) => {
  for (const { why, text, expected } of WRONG) {
    await t.test(why, async (t) => {
      const [a] = await startPair(t);
      const good = toText([{ name: 'a', upstream: a }]);
      const gateway = await start(t, good);
      gateway.write(text(a));
      await gateway.reloader.reload();
      await gateway.reloader.reload();
      const errors = gateway.log.filter((line) => line.startsWith('error'));
      assert.equal(errors.length, 1, errors.join('\n'));
      assert.match(errors[0] ?? '', expected);
      assert.match(errors[0] ?? '', /keeps the one it has/);
      assert.ok(!gateway.log.join('\n').includes('hunter2'));
      assert.deepEqual((await listNames(gateway)).slice(2), ['a_query']);
      assert.equal(readResult(await callTool(gateway, 'a_query')).text, 'called a_query');
      gateway.write(good);
      await gateway.reloader.reload();
      gateway.write(text(a));
      await gateway.reloader.reload();
      assert.equal(gateway.log.filter((line) => line.startsWith('error')).length, 2, 'a new mistake is told again');
    });
  }
});

test('settings that need a restart are named, and the upstreams change all the same', async (t) => {
  const [a, b] = await startPair(t);
  const gateway = await start(t, toText([{ name: 'a', upstream: a }]));
  gateway.write(toText([{ name: 'b', upstream: b }], { host: '127.0.0.2', maxBodyBytes: 2048, metricsPort: 9000 }));
  await gateway.reloader.reload();
  await gateway.reloader.reload();
  const warnings = gateway.log.filter((line) => line.startsWith('warn'));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /need a restart of the gateway: host, maxBodyBytes, metricsPort$/);
  assert.deepEqual((await listNames(gateway)).slice(2), ['b_query']);
});

test('whoever listens is told that the list is another one', async (t) => {
  const [a, b] = await startPair(t);
  const gateway = await start(t, toText([{ name: 'a', upstream: a }]));
  const ended = new AbortController();
  t.after(() => ended.abort());
  const response = await fetch(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...modernHeaders('subscriptions/listen'),
    },
    body: modernBody('subscriptions/listen', { notifications: { toolsListChanged: true } }),
    signal: ended.signal,
  });
  let seen = '';
  void response.body
    ?.pipeThrough(new TextDecoderStream())
    .pipeTo(new WritableStream({ write: (text) => void (seen += text) }))
    .catch(() => {});
  await until('the acknowledgement', () => seen.includes('acknowledged'));
  gateway.write(
    toText([
      { name: 'a', upstream: a },
      { name: 'b', upstream: b },
    ]),
  );
  await gateway.reloader.reload();
  await until('the notification', () => seen.includes('notifications/tools/list_changed'));
});

test('calls go on without an error while the configuration is changed again and again', async (t) => {
  const [a, b] = await startPair(t);
  const only = toText([{ name: 'a', upstream: a }]);
  const gateway = await start(t, only);
  const over = new AbortController();
  const caller = async (): Promise<number> => {
    let count = 0;
    for (; !over.signal.aborted; count++)
      assert.equal(readResult(await callTool(gateway, 'a_query')).text, 'called a_query');
    return count;
  };
  const callers = Array.from({ length: 8 }, caller);
  for (let round = 0; round < 30; round++) {
    const entry = { name: 'a', upstream: a, maxQueue: 256 + round };
    gateway.write(toText(round % 2 === 0 ? [entry] : [entry, { name: 'b', upstream: b }]));
    await gateway.reloader.reload();
  }
  over.abort();
  for (const count of await Promise.all(callers)) assert.ok(count > 10);
  await until('old connections are gone', async () => (await a.connections()) <= 8 + 2);
});

interface Change {
  why: string;
  prepare(folder: string): string;
  change(folder: string): void;
}

const CHANGES: Change[] = [
  {
    why: 'written in place',
    prepare: (folder) => {
      writeFileSync(join(folder, 'gateway.yaml'), '1');
      return join(folder, 'gateway.yaml');
    },
    change: (folder) => writeFileSync(join(folder, 'gateway.yaml'), '2'),
  },
  {
    why: 'replaced by a rename, as editors do',
    prepare: (folder) => {
      writeFileSync(join(folder, 'gateway.yaml'), '1');
      return join(folder, 'gateway.yaml');
    },
    change: (folder) => {
      writeFileSync(join(folder, '.gateway.yaml.swp'), '2');
      renameSync(join(folder, '.gateway.yaml.swp'), join(folder, 'gateway.yaml'));
    },
  },
  {
    why: 'a config map of Kubernetes: ..data is another link',
    prepare: (folder) => {
      mkdirSync(join(folder, '..1'));
      writeFileSync(join(folder, '..1/gateway.yaml'), '1');
      symlinkSync('..1', join(folder, '..data'));
      symlinkSync('..data/gateway.yaml', join(folder, 'gateway.yaml'));
      return join(folder, 'gateway.yaml');
    },
    change: (folder) => {
      mkdirSync(join(folder, '..2'));
      writeFileSync(join(folder, '..2/gateway.yaml'), '2');
      symlinkSync('..2', join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
      rmSync(join(folder, '..1'), { recursive: true });
    },
  },
  {
    why: 'a link to a file elsewhere, which is written',
    prepare: (folder) => {
      mkdirSync(join(folder, 'etc'));
      mkdirSync(join(folder, 'real'));
      writeFileSync(join(folder, 'real/file.yaml'), '1');
      symlinkSync('../real/file.yaml', join(folder, 'etc/gateway.yaml'));
      return join(folder, 'etc/gateway.yaml');
    },
    change: (folder) => writeFileSync(join(folder, 'real/file.yaml'), '2'),
  },
];

test('a change of the file is noticed, whatever way it is made, each time', async (t) => {
  for (const { why, prepare, change } of CHANGES) {
    await t.test(why, async (t) => {
      const folder = tempFolder(t);
      let count = 0;
      const path = prepare(folder);
      const watching = watchFile(path, { onChange: () => count++, onProblem: (reason) => assert.fail(reason) });
      t.after(watching.close);
      change(folder);
      await until('the change', () => count > 0);
      const before = count;
      writeFileSync(path, '3');
      await until('the next change, at the new place', () => count > before);
    });
  }
});

test('a burst of writes is told once it is over', async (t) => {
  const path = join(tempFolder(t), 'gateway.yaml');
  writeFileSync(path, '');
  let count = 0;
  const watching = watchFile(path, { onChange: () => count++ });
  t.after(watching.close);
  for (let index = 0; index < 200; index++) writeFileSync(path, String(index));
  await until('it is told', () => count > 0);
  assert.equal(count, 1);
});

test('a folder that cannot be watched is looked at regularly, and that is said', async (t) => {
  const path = join(tempFolder(t), 'missing', 'gateway.yaml');
  const problems: string[] = [];
  let count = 0;
  const watching = watchFile(path, {
    onChange: () => count++,
    onProblem: (reason) => problems.push(reason),
    pollMs: 20,
  });
  t.after(watching.close);
  await until('it is looked at', () => count > 1);
  assert.deepEqual(problems, ['ENOENT']);
});

test('the process takes over a changed file by itself and at SIGHUP', async (t) => {
  const [a, b] = await startPair(t);
  const path = join(tempFolder(t), 'gateway.yaml');
  writeFileSync(path, toText([{ name: 'a', upstream: a }]));
  const { gateway, url } = await startGatewayProcess(t, path);
  writeFileSync(
    path,
    toText([
      { name: 'a', upstream: a },
      { name: 'b', upstream: b },
    ]),
  );
  await until('the tools are there', async () => (await listNames({ url })).includes('b_query'));
  gateway.kill('SIGHUP');
  await until('it is said that nothing is different', () => gateway.stderr().includes('nothing is different'));
});
