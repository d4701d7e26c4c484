/** docs/observability.md names everything that the processes tell, and nothing else. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { toPrometheusName } from './metrics/prometheus.ts';
import { ATTRIBUTE, LOG_FIELD, METRIC } from './names.ts';
import { TELEMETRY_SETTINGS } from './settings.ts';

const text = readFileSync(new URL('../../../docs/observability.md', import.meta.url), 'utf8');

/** The rows of the table under a heading, as their cells. */
function tableUnder(heading: string, firstColumn: string): string[][] {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const lines = section.split('\n');
  const start = lines.findIndex((line) => new RegExp(`^\\| ${firstColumn} +\\|`).test(line));
  assert.notEqual(start, -1, `there is a table of ${firstColumn} under ${heading}`);
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end === -1 ? undefined : end).map((row) => row.slice(1, -1).split('|').map((cell) => cell.trim())); // prettier-ignore
}

const namesIn = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');

test('the table of attributes has each constant once, and no other name', () => {
  const documented = tableUnder('Spans', 'attribute').flatMap(([name]) => namesIn(name));
  assert.deepEqual(documented.toSorted(), Object.values<string>(ATTRIBUTE).toSorted());
});

test('the table of metrics has each constant once, with its kind and its name in Prometheus', () => {
  const rows = tableUnder('Metrics', 'metric');
  const documented = rows.flatMap(([name]) => namesIn(name));
  assert.deepEqual(documented.toSorted(), Object.values(METRIC).map(({ name }) => name).toSorted()); // prettier-ignore
  for (const [name, prometheus, kind = '', labels] of rows) {
    const definition = Object.values(METRIC).find((metric) => metric.name === namesIn(name)[0]);
    assert.ok(definition && (kind === 'histogram' || kind === 'counter' || kind === 'gauge'));
    assert.equal('buckets' in definition, kind === 'histogram', definition.name);
    assert.deepEqual(namesIn(prometheus), [toPrometheusName(definition, kind)]);
    for (const label of namesIn(labels)) assert.ok(Object.values<string>(ATTRIBUTE).includes(label), label);
  }
});

test('the table of log fields has each constant once, and no other name', () => {
  const documented = tableUnder('Logs', 'field').flatMap(([name]) => namesIn(name));
  assert.deepEqual(documented.toSorted(), Object.values<string>(LOG_FIELD).toSorted());
});

test('every setting of telemetry is documented', () => {
  const documented = new Set(tableUnder('Settings', 'variable').flatMap(([name]) => namesIn(name)));
  for (const { env } of Object.values(TELEMETRY_SETTINGS)) assert.ok(documented.has(env), env);
});
