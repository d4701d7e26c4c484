import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toPrometheusName, toPrometheusText } from './prometheus.ts';
import { MetricRegistry } from './registry.ts';

const CALLS = { name: 'calls', unit: '{call}', description: 'Calls' };

test('the order of labels, and what is cut off of them, makes no other series', () => {
  const registry = new MetricRegistry();
  const counter = registry.counter(CALLS);
  counter.add(1, { a: '1', b: '2' });
  counter.add(1, { b: '2', a: '1', c: undefined });
  registry.counter(CALLS).add(1, { a: '1', b: '2' });
  counter.add(1, { a: `${'x'.repeat(128)}1` });
  counter.add(1, { a: `${'x'.repeat(128)}2` });
  const points = registry.collect()[0]?.points.map((point) => ('value' in point ? point.value : undefined));
  assert.deepEqual(points, [3, 2]);
});

test('label sets that somebody makes up are counted together from some number on', () => {
  const registry = new MetricRegistry();
  const counter = registry.counter(CALLS);
  for (let index = 0; index < 5_000; index++) counter.add(1, { tool: String(index) });
  const points = registry.collect()[0]?.points ?? [];
  assert.equal(points.length, 2_001);
  const rest = points.find(({ labels }) => labels[0]?.[0] === 'otel.metric.overflow');
  assert.ok(rest && 'value' in rest);
  assert.equal(rest.value, 3_000);
});

test('a value on the bound of a bucket belongs to it', () => {
  const registry = new MetricRegistry();
  const histogram = registry.histogram({ name: 'h', unit: 's', description: 'H', buckets: [1, 2] });
  for (const value of [0.5, 1, 1.5, 2, 3]) histogram.record(value);
  const [snapshot] = registry.collect();
  const [point] = snapshot?.points ?? [];
  assert.ok(point && 'count' in point);
  assert.deepEqual([point.bucketCounts, point.count, point.sum], [[2, 2, 1], 5, 8]);
});

test('gauges are asked when they are read, all observers of one together', () => {
  const registry = new MetricRegistry();
  let value = 1;
  registry.gauge(CALLS, () => [{ value, labels: { a: '1' } }]);
  registry.gauge(CALLS, () => [{ value: 5, labels: { a: '2' } }]);
  value = 2;
  assert.equal(
    toPrometheusText(registry.collect(), { 'service.name': 'x"\\\n' }),
    [
      '# HELP target_info What is measured here',
      '# TYPE target_info gauge',
      String.raw`target_info{service_name="x\"\\\n"} 1`,
      '# HELP calls Calls',
      '# TYPE calls gauge',
      'calls{a="1"} 2',
      'calls{a="2"} 5',
      '',
    ].join('\n'),
  );
});

test('names follow the rules from OpenTelemetry to Prometheus', () => {
  const rows = [
    ['mcp.server.operation.duration', 's', 'histogram', 'mcp_server_operation_duration_seconds'],
    ['mcp.result.size', 'By', 'histogram', 'mcp_result_size_bytes'],
    ['a.b-c', '{call}', 'counter', 'a_b_c_total'],
    ['nodejs.eventloop.utilization', '1', 'gauge', 'nodejs_eventloop_utilization_ratio'],
    ['1a', '', 'gauge', '_1a'],
  ] as const;
  for (const [name, unit, kind, expected] of rows) {
    assert.equal(toPrometheusName({ name, unit, description: '' }, kind), expected);
  }
});
