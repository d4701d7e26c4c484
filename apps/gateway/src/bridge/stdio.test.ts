import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { until } from '../test-gateway.ts';
import { logLines } from './log-lines.ts';
import { collectLog, messagesOf, openUpstream, send } from './test-bridge.ts';

const SCRIPT = fileURLToPath(new URL('test-stdio/main.ts', import.meta.url));
const ENTRY = { command: process.execPath, args: [SCRIPT], env: { KEY: 'hunter2-secret' } };
const CALL = { method: 'tools/call', params: '{"name":"env"}' };

/** Time passes only as the test says, however long a process takes to start. */
function holdClock(t: TestContext): { advance(ms: number): void; release(): void } {
  let now = performance.now();
  const { mock } = t.mock.method(performance, 'now', () => now);
  return {
    advance: (ms) => {
      now += ms;
    },
    release: () => mock.restore(),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a command is started once, gets only its own variables, and is ended with the upstream', async (t) => {
  const upstream = await openUpstream(t, ENTRY);
  const answers = await Promise.all([send(upstream, CALL).answer, send(upstream, { ...CALL, id: '"b"' }).answer]);
  const facts = answers.map((answer) => JSON.parse(messagesOf(answer)[0]?.result.content[0]?.text ?? ''));
  assert.equal(facts[0].pid, facts[1].pid);
  assert.equal(facts[0].key, 'hunter2-secret');
  assert.ok(!facts[0].names.includes('HOME'), 'nothing of the environment of the gateway itself');
  assert.ok(isAlive(facts[0].pid));
  await upstream.close();
  assert.ok(!isAlive(facts[0].pid));
});

test('a process that ends takes only the calls in progress with it; the next call starts it again', async (t) => {
  const upstream = await openUpstream(t, ENTRY);
  const first = messagesOf(await send(upstream, CALL).answer)[0]?.result.content[0]?.text ?? '';
  const died = await send(upstream, { ...CALL, params: '{"name":"die"}' }).answer;
  assert.deepEqual(died.failure, { kind: 'cut-off' });
  const second = messagesOf(await send(upstream, CALL).answer)[0]?.result.content[0]?.text ?? '';
  assert.notEqual(JSON.parse(first).pid, JSON.parse(second).pid);
});

test('a process that ends again and again is not started again at once for ever', async (t) => {
  const { logger, lines } = await collectLog();
  const upstream = await openUpstream(t, ENTRY, logger);
  holdClock(t);
  const die = async (): Promise<string | undefined> =>
    (await send(upstream, { ...CALL, params: '{"name":"die"}' }).answer).failure?.kind;
  for (let start = 1; start <= 4; start++) assert.equal(await die(), 'cut-off');
  assert.equal(await die(), 'unreachable', 'it is not started at once');
  assert.equal(lines.filter((line) => line.includes('has ended')).length, 4);
});

test('a command that never answers is ended with the upstream, without waiting for its handshake', async (t) => {
  const upstream = await openUpstream(t, { command: process.execPath, args: ['-e', 'process.stdin.resume()'] });
  const call = send(upstream, CALL);
  await until('the process is there', () => process.getActiveResourcesInfo().includes('ProcessWrap'));
  const started = performance.now();
  await upstream.close();
  // The handshake has a minute; a busy machine takes its time to start a process and to end it.
  assert.ok(performance.now() - started < 30_000);
  assert.notEqual((await call.answer).failure, undefined);
});

test('progress of a command reaches the client under its own token', async (t) => {
  const upstream = await openUpstream(t, ENTRY);
  const { answer } = send(upstream, { ...CALL, params: '{"name":"progress"}', meta: { progressToken: 7 } });
  const [progress, result] = messagesOf(await answer);
  assert.equal(progress?.params.progressToken, 7);
  assert.equal(result?.result.resultType, 'complete');
});

test('a legacy client calls a command and gets the result as the server gave it', async (t) => {
  const upstream = await openUpstream(t, ENTRY);
  const [message] = messagesOf(await send(upstream, { ...CALL, era: 'legacy', version: '2025-06-18' }).answer);
  assert.equal(message?.result.resultType, undefined);
  assert.equal(message?.result.content[0]?.type, 'text');
});

test('standard error goes to the log line by line, without the secrets that the command was given', async (t) => {
  const { logger, lines } = await collectLog();
  const upstream = await openUpstream(t, ENTRY, logger);
  await send(upstream, CALL).answer;
  await until('the line is logged', () => lines.some((line) => line.includes('started with ***')));
  assert.ok(!lines.some((line) => line.includes('hunter2')));
});

test('a command that keeps ending early is started again after growing pauses, and its last words are logged', async (t) => {
  const { logger, lines } = await collectLog();
  const upstream = await openUpstream(t, { ...ENTRY, args: [SCRIPT, 'broken'] }, logger);
  const clock = holdClock(t);
  const call = async (): Promise<string | undefined> => {
    // The breaker has pauses of its own, which a health probe ends.
    upstream.markReachable();
    return (await send(upstream, CALL).answer).failure?.kind;
  };
  for (const pauseMs of [1_000, 2_000, 4_000]) {
    assert.equal(await call(), 'cut-off', 'it is started');
    clock.advance(pauseMs - 1);
    for (let more = 0; more < 4; more++) assert.equal(await call(), 'unreachable', `not within ${pauseMs} ms`);
    clock.advance(1);
  }
  clock.release();
  assert.equal(lines.filter((line) => line.includes('has ended')).length, 3);
  await until('its words are logged', () => lines.some((line) => line.includes('cannot start: no such database')));
});

test('a command that does not exist is told with what to check, and fails calls at once', async (t) => {
  const { logger, lines } = await collectLog();
  const upstream = await openUpstream(t, { command: 'no-such-program-here' }, logger);
  assert.deepEqual((await send(upstream, CALL).answer).failure, { kind: 'unreachable' });
  assert.ok(lines.some((line) => line.includes('ENOENT') && line.includes('check command')));
});

test('a program that floods its standard error fills no log', async () => {
  const stream = new PassThrough();
  const written: string[] = [];
  logLines(stream, [], (line) => written.push(line));
  stream.end(`${'x'.repeat(10_000)}\n${'line\n'.repeat(5_000)}`);
  await new Promise((resolve) => {
    stream.on('close', resolve);
  });
  assert.ok(written.length <= 100);
  assert.ok(written.every((line) => line.length <= 2_000));
});
