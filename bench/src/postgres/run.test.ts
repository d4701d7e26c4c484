import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { installRival } from './rival.ts';
import { runPostgresBench } from './run.ts';

test('the driver and the server are measured on the same database with right answers only', async () => {
  const { lines } = await runPostgresBench({
    plan: { rounds: 1, measureMs: 20, heatUpMs: 20 },
    folder: tmpdir(),
    withRival: false,
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  const text = lines.join('\n');
  assert.match(text, /^ +bare pg +postgres-mcp$/m);
  assert.match(text, /^calls\/s, 100 rows, 8 in flight +[\d,]+ +[\d,]+$/m);
  assert.ok(!/NaN/.test(text), text);
});

test('a rival that cannot be downloaded is missing, with the reason', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'database-mcp-bench-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const rival = await installRival(folder, 'postgresql://u:secret@h/d', 1, {
    npm_config_registry: 'http://127.0.0.1:9',
    npm_config_fetch_retries: '0',
    npm_config_cache: folder,
  });
  assert.equal(rival.kind, 'missing');
  assert.match(rival.kind === 'missing' ? rival.reason : '', /127\.0\.0\.1:9|ECONNREFUSED/);
});
