import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startQdrant } from '../qdrant/start.ts';
import { loadSampleDataApart } from './load-apart.ts';

test('the data are loaded by a process of its own, and its progress and its problem are passed on', async (t) => {
  const qdrant = await startQdrant();
  t.after(() => qdrant.stop());
  const lines: string[] = [];
  await loadSampleDataApart({ qdrantUrl: qdrant.url, onProgress: (line) => lines.push(line) });
  await loadSampleDataApart({ qdrantUrl: qdrant.url, onProgress: (line) => lines.push(line) });
  assert.match(
    lines.join('\n'),
    /^Sample data in Qdrant: loaded 250 countries.*\nSample data in Qdrant: already there$/,
  );
  await assert.rejects(
    loadSampleDataApart({ qdrantUrl: 'http://127.0.0.1:1' }),
    /could not be loaded into Qdrant at 127\.0\.0\.1:1/,
  );
});
