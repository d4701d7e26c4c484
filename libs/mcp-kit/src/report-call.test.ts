/** Log lines and audit lines of calls. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { NO_TELEMETRY } from '@database-mcp/telemetry';
import { CALLER, connect, NO_FULL_DISK, postLegacy, query, start } from './test-observed-server.ts';

test('the log line of a call has its trace, also when only the caller traces', async (t) => {
  const { url, lines, recorded } = await start(t);
  const client = await connect(t, url, 'legacy');
  await query(client, 'hunter2', { traceparent: CALLER });
  const span = recorded.spans.find(({ name }) => name.startsWith('tools/call'));
  const { durationMs, bytes, ...line } = lines.at(-1) ?? {};
  assert.ok(typeof durationMs === 'number' && typeof bytes === 'number' && bytes > 0);
  assert.deepEqual(line, {
    level: 'info',
    text: 'call',
    tool: 'test_query',
    status: 'ok',
    trace_id: CALLER.slice(3, 35),
    span_id: span?.spanId,
  });

  const off = await start(t, { telemetry: NO_TELEMETRY });
  await query(await connect(t, off.url, 'legacy'), 'x', { traceparent: CALLER });
  assert.deepEqual(
    [off.lines.at(-1)?.['trace_id'], off.lines.at(-1)?.['span_id']],
    [CALLER.slice(3, 35), CALLER.slice(36, 52)],
  );
});

test('the audit log has a line for each call: who, what, verdict, rows, trace; and no value', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const auditLog = join(folder, 'audit.jsonl');
  const { url, stop } = await start(t, { auditLog });
  const client = await connect(t, url, 'auto');
  await query(client, 'hunter2', { traceparent: CALLER });
  await query(client, 'bad hunter2');
  await client.callTool({ name: 'test_query', arguments: { sql: 4711 } });
  await query(client, 'indescribable');
  await stop();
  const text = readFileSync(auditLog, 'utf8');
  const lines = text.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>); // prettier-ignore
  const statement = { summary: 'SELECT country', fingerprint: lines[0]?.['fingerprint'] };
  const shared = {
    instance: 'test',
    client: { name: 'agent', version: '1.2' },
    address: '127.0.0.1',
    tool: 'test_query',
  };
  const told = lines.map(({ time: _time, durationMs: _duration, trace_id: _trace, ...line }) => line);
  assert.deepEqual(told, [
    { ...shared, ...statement, verdict: 'allowed', rows: 1 },
    { ...shared, ...statement, verdict: 'failed', code: 'NOT_FOUND' },
    { ...shared, verdict: 'refused', code: 'INVALID_ARGUMENT' },
    { ...shared, verdict: 'allowed', rows: 1 },
  ]);
  assert.equal(lines[0]?.['trace_id'], CALLER.slice(3, 35));
  assert.ok(!/hunter2|4711/.test(text));
});

test(
  'a call is refused, and its result withheld, while the audit log cannot be written',
  { skip: NO_FULL_DISK },
  async (t) => {
    const { url, lines } = await start(t, { auditLog: '/dev/full' });
    const client = await connect(t, url, 'auto');
    const first = await query(client, 'x');
    const second = await query(client, 'x');
    assert.match(JSON.stringify(first), /UNAVAILABLE.*withheld.*"isError":true/);
    assert.match(JSON.stringify(second), /UNAVAILABLE.*was not run.*"isError":true/);
    assert.deepEqual(
      lines.filter(({ text }) => text === 'call').map(({ status }) => status),
      ['UNAVAILABLE', 'UNAVAILABLE'],
    );
  },
);

test('a call that may write is in the audit log before it runs', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const auditLog = join(folder, 'audit.jsonl');
  const { url, writes, stop } = await start(t, { auditLog });
  await (await connect(t, url, 'auto')).callTool({ name: 'test_write' });
  await stop();
  const lines = readFileSync(auditLog, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>); // prettier-ignore
  assert.deepEqual(
    lines.map(({ event, verdict, summary }) => [event, verdict, summary]),
    [
      ['begin', undefined, 'DELETE country'],
      [undefined, 'allowed', 'DELETE country'],
    ],
  );
  assert.equal(writes.calls, 1);
});

test('a call that may write does not run when the audit log cannot be written', { skip: NO_FULL_DISK }, async (t) => {
  const full = await start(t, { auditLog: '/dev/full' });
  const client = await connect(t, full.url, 'auto');
  for (let call = 0; call < 2; call++) {
    assert.match(JSON.stringify(await client.callTool({ name: 'test_write' })), /UNAVAILABLE.*was not run/);
  }
  assert.equal(full.writes.calls, 0);
});

const SECRET = 'hunter2';

test('no log line of any level holds a value: not of arguments, statements, results or causes', async (t) => {
  const { url, lines } = await start(t);
  const client = await connect(t, url, 'auto');
  for (const sql of [SECRET, `bad ${SECRET}`, 'bug']) await query(client, sql);
  await client.callTool({ name: 'test_query', arguments: { [SECRET]: SECRET } });
  await postLegacy(url, { method: SECRET });
  await fetch(url, { method: 'POST', body: `{"${SECRET}`, headers: { 'content-type': 'application/json' } });
  const bug = lines.find(({ level }) => level === 'error');
  assert.ok(bug?.['err'] instanceof Error, 'the logger gets the error, and writes it without its message');
  const others = lines.filter((line) => line !== bug);
  assert.ok(others.length >= 4 && !JSON.stringify(others.map(({ err: _err, ...line }) => line)).includes(SECRET));
});
