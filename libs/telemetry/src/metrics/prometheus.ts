/**
 * Metrics as Prometheus text (exposition format 0.0.4), named by OpenTelemetry's compatibility rules: dots become
 * underscores, the unit becomes a suffix, counters end in `_total`.
 */
import type { MetricDefinition, MetricPoint, MetricSnapshot } from './registry.ts';

/** The content type of the text. */
export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const UNIT_SUFFIX: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes', '1': '_ratio' };
const TYPE = { counter: 'counter', gauge: 'gauge', histogram: 'histogram' } as const;

/** The whole text; `resource` becomes `target_info`. */
export function toPrometheusText(
  snapshots: readonly MetricSnapshot[],
  resource: Readonly<Record<string, unknown>>,
): string {
  const labels = Object.entries(resource).map(([name, value]): [string, string] => [name, String(value)]);
  const info: MetricSnapshot = {
    kind: 'gauge',
    definition: { name: 'target_info', unit: '', description: 'What is measured here' },
    points: [{ labels, value: 1 }],
  };
  return [info, ...snapshots]
    .filter(({ points }) => points.length > 0)
    .map(toText)
    .join('');
}

/** The name of the metric in Prometheus. */
export function toPrometheusName({ name, unit }: MetricDefinition, kind: MetricSnapshot['kind']): string {
  // `1` is no unit of a counter, and what stands in braces is no unit at all.
  const suffix = kind === 'counter' && unit === '1' ? '' : (UNIT_SUFFIX[unit] ?? '');
  const full = `${toIdentifier(name)}${suffix}${kind === 'counter' ? '_total' : ''}`;
  // The ends of a histogram's series are not allowed in other names (promtool check metrics).
  return kind === 'gauge' && /_(?:count|sum|bucket)$/.test(full) ? `${full}_current` : full;
}

function toText(snapshot: MetricSnapshot): string {
  const { kind, definition, points } = snapshot;
  const name = toPrometheusName(definition, kind);
  const head = `# HELP ${name} ${escapeHelp(definition.description)}\n# TYPE ${name} ${TYPE[kind]}\n`;
  return head + points.map((point) => toLines(name, point, definition.buckets ?? [])).join('');
}

function toLines(name: string, point: MetricPoint, buckets: readonly number[]): string {
  if (!('count' in point)) return `${name}${toLabels(point.labels)} ${toNumber(point.value)}\n`;
  let total = 0;
  const lines = [...buckets, Infinity].map((bound, index) => {
    total += point.bucketCounts[index] ?? 0;
    return `${name}_bucket${toLabels([...point.labels, ['le', toNumber(bound)]])} ${total}\n`;
  });
  const labels = toLabels(point.labels);
  return `${lines.join('')}${name}_sum${labels} ${toNumber(point.sum)}\n${name}_count${labels} ${point.count}\n`;
}

function toLabels(labels: readonly (readonly [string, string])[]): string {
  if (labels.length === 0) return '';
  return `{${labels.map(([name, value]) => `${toIdentifier(name)}="${escapeValue(value)}"`).join(',')}}`;
}

function toIdentifier(name: string): string {
  const text = name.replace(/[^A-Za-z0-9_]/g, '_');
  return /^[0-9]/.test(text) ? `_${text}` : text;
}

function toNumber(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

function escapeValue(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => (character === '\n' ? String.raw`\n` : `\\${character}`));
}

function escapeHelp(text: string): string {
  return text.replace(/[\\\n]/g, (character) => (character === '\n' ? String.raw`\n` : `\\${character}`));
}
