import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openAuditLog, type AuditEntry, type AuditLog } from './audit-log.ts';
import { NO_FULL_DISK } from './test-observed-server.ts';

const ENTRY: AuditEntry = {
  caller: { client: { name: 'agent', version: '1.2' }, session: 's-1', address: '127.0.0.1' },
  name: 'postgres_query',
  statement: { summary: 'SELECT country', text: 'SELECT name FROM country WHERE cca3 = ?' },
  status: 'ok',
  rows: 3,
  durationMs: 1.5,
  traceId: '0af7651916cd43dd8448eb211c80319c',
};

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'audit-log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function openIn(t: TestContext, path: string): AuditLog {
  const log = openAuditLog(path, 'postgres');
  t.after(() => log.close());
  return log;
}

const linesOf = (path: string): Record<string, unknown>[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('a call is one JSON line that says who, what, whether it was allowed, and how much', (t) => {
  const path = join(folderOf(t), 'audit.jsonl');
  const log = openIn(t, path);
  assert.equal(log.record(ENTRY), undefined);
  const [line] = linesOf(path);
  const { time, ...rest } = line ?? {};
  assert.ok(Math.abs(Date.parse(String(time)) - Date.now()) < 10_000);
  assert.deepEqual(rest, {
    instance: 'postgres',
    client: { name: 'agent', version: '1.2' },
    session: 's-1',
    address: '127.0.0.1',
    tool: 'postgres_query',
    summary: 'SELECT country',
    fingerprint: rest['fingerprint'],
    verdict: 'allowed',
    rows: 3,
    durationMs: 1.5,
    trace_id: '0af7651916cd43dd8448eb211c80319c',
  });
  assert.match(String(rest['fingerprint']), /^[0-9a-f]{16}$/);
  assert.equal(statSync(path).mode & 0o777, 0o600, 'only the owner may read it');
});

test('the verdict tells a refused call from one that failed', (t) => {
  const path = join(folderOf(t), 'audit.jsonl');
  const log = openIn(t, path);
  for (const status of ['READ_ONLY', 'INVALID_ARGUMENT', 'PERMISSION_DENIED', 'TIMEOUT', 'QUERY_FAILED'] as const) {
    log.record({ caller: {}, name: 'x', status, durationMs: 1 });
  }
  assert.deepEqual(
    linesOf(path).map(({ verdict, code }) => `${String(verdict)} ${String(code)}`),
    [
      'refused READ_ONLY',
      'refused INVALID_ARGUMENT',
      'refused PERMISSION_DENIED',
      'failed TIMEOUT',
      'failed QUERY_FAILED',
    ],
  );
});

test('a file that is there already is continued, and what a client calls itself is cut', (t) => {
  const path = join(folderOf(t), 'audit.jsonl');
  const first = openAuditLog(path, 'postgres');
  first.record(ENTRY);
  first.close();
  const long = { name: 'n'.repeat(10_000), version: 'v\n'.repeat(10_000) };
  openIn(t, path).record({ ...ENTRY, caller: { client: long } });
  const lines = linesOf(path);
  assert.equal(lines.length, 2);
  assert.ok(JSON.stringify(lines[1]).length < 1_000);
});

test('after a rotation or a removal of the file the lines are in a new one', (t) => {
  const path = join(folderOf(t), 'audit.jsonl');
  const log = openIn(t, path);
  log.record(ENTRY);
  renameSync(path, `${path}.1`);
  log.record({ ...ENTRY, rows: 4 });
  rmSync(path);
  log.record({ ...ENTRY, rows: 5 });
  assert.deepEqual(
    [`${path}.1`, path].map((file) => linesOf(file).map(({ rows }) => rows)),
    [[3], [5]],
  );
});

const UNUSABLE = [
  { path: 'missing/audit.jsonl', why: 'its folder does not exist', reason: /ENOENT/ },
  { path: '.', why: 'a folder', reason: /it is not a plain file/ },
  { path: 'pipe', why: 'a pipe, whose opening would wait for a reader', reason: /it is not a plain file/ },
];

test('a path that cannot be used is said at the start, with the setting and what to do', (t) => {
  const folder = folderOf(t);
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  for (const { path, why, reason } of UNUSABLE) {
    assert.throws(
      () => openAuditLog(join(folder, path), 'postgres'),
      (error: Error) =>
        /^MCP_AUDIT_LOG is .*Create its folder/.test(error.message) && reason.test(error.message) && !!error.cause,
      why,
    );
  }
});

test(
  'when the disk is full the answer is withheld and calls are refused, until lines can be written again',
  { skip: NO_FULL_DISK },
  (t) => {
    const path = join(folderOf(t), 'audit.jsonl');
    symlinkSync('/dev/full', path);
    const log = openIn(t, path);
    assert.equal(log.refuse(), undefined, 'nothing is wrong yet');
    const withheld = log.record(ENTRY);
    assert.deepEqual([withheld?.code, /answer is withheld/.test(withheld?.message ?? '')], ['UNAVAILABLE', true]);
    const refused = log.refuse();
    assert.deepEqual([refused?.code, /was not run/.test(refused?.message ?? '')], ['UNAVAILABLE', true]);
    rmSync(path);
    assert.equal(log.refuse(), undefined);
    assert.equal(log.record(ENTRY), undefined);
    assert.deepEqual(
      linesOf(path).map(({ event, lost, tool }) => [event, lost, tool]),
      [
        ['resumed', 1, undefined],
        [undefined, undefined, 'postgres_query'],
      ],
    );
  },
);
