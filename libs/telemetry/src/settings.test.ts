import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TELEMETRY_SETTINGS, type TelemetrySettings } from './settings.ts';
import { planTelemetry } from './telemetry.ts';

/** Reads settings as the table of a process does. */
function read(env: Record<string, string>): TelemetrySettings {
  const values = Object.entries(TELEMETRY_SETTINGS).map(([key, { env: name, schema }]) => [
    key,
    schema.parse(env[name]),
  ]);
  return Object.fromEntries(values) as TelemetrySettings;
}

function plan(env: Record<string, string>) {
  const logger = undefined as never;
  return planTelemetry({ service: 'svc', version: '1', host: '127.0.0.1', settings: read(env), logger });
}

const BASE = 'http://collector:4318';
const TABLE: { env: Record<string, string>; traces?: string; metrics?: string; why: string }[] = [
  { env: {}, why: 'without an endpoint nothing is exported' },
  {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: `${BASE}/base/` },
    traces: `${BASE}/base/v1/traces`,
    metrics: `${BASE}/base/v1/metrics`,
    why: 'the common endpoint is a base',
  },
  {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: BASE, OTEL_METRICS_EXPORTER: 'none' },
    traces: `${BASE}/v1/traces`,
    why: 'one signal alone',
  },
  {
    env: { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${BASE}/x` },
    traces: `${BASE}/x`,
    why: 'an endpoint of one signal is used as it is',
  },
  {
    env: { OTEL_TRACES_EXPORTER: 'otlp' },
    traces: 'http://localhost:4318/v1/traces',
    why: 'an exporter asked for by name',
  },
  { env: { OTEL_EXPORTER_OTLP_ENDPOINT: BASE, OTEL_SDK_DISABLED: 'TRUE' }, why: 'all switched off' },
];
for (const { env, traces, metrics, why } of TABLE) {
  test(`where telemetry goes: ${why}`, () => {
    const planned = plan(env);
    assert.deepEqual([planned.tracesUrl, planned.metricsUrl], [traces, metrics]);
  });
}

test('the resource says whose telemetry it is, in the order of the specification', () => {
  const attributes = 'service.name=other,k8s.pod.name=a%2Cb, service.namespace = db ';
  const { resource } = plan({ OTEL_RESOURCE_ATTRIBUTES: attributes });
  assert.equal(resource['service.name'], 'other');
  assert.equal(resource['k8s.pod.name'], 'a,b');
  assert.equal(resource['service.namespace'], 'db');
  const named = plan({ OTEL_RESOURCE_ATTRIBUTES: attributes, OTEL_SERVICE_NAME: 'mine' });
  assert.equal(named.resource['service.name'], 'mine');
});

test('headers are decoded, and refused if no request can hold them', () => {
  assert.deepEqual(read({ OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Basic%20a%3D%3D,x=1' }).otlpHeaders, {
    Authorization: 'Basic a==',
    x: '1',
  });
  for (const wrong of ['a', '=b', 'a b=c', 'a=%0D%0A', 'a=%zz']) {
    assert.throws(() => read({ OTEL_EXPORTER_OTLP_HEADERS: wrong }), wrong);
  }
});
