/** The bytes of OTLP requests, held to what the protobuf classes of `opentelemetry-proto` 1.45.2 (Python) write for the same values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrefix } from './encode-request.ts';
import { encodeMetrics } from './encode-metrics.ts';
import { ProtobufWriter } from './protobuf-writer.ts';
import { createRecordingTracer } from './recording-tracer.ts';
import { MetricRegistry } from '../metrics/registry.ts';

const TRACE_REQUEST =
  'CqMEChcKFQoMc2VydmljZS5uYW1lEgUKA3N2YxKHBAoRCgxkYXRhYmFzZS1tY3ASATES8QMKEAr3ZRkWzUPdhEjrIRyAMZwSCBERERERERERGgN2PTEiCLeta3FpIDMxKg10b29scy9jYWxsIMOpMAI5KOYa/I6W7BhBkKUb/I6W7BhKEgoGc2hhcmVkEggKBm9mIGFsbEoQCgR0ZXh0EggKBsOpIOa8okrUAQoEbG9uZxLLAQrIAXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5ShcKCG5lZ2F0aXZlEgsY+///////////AUoQCgNiaWcSCRj/////////D0oVCghmcmFjdGlvbhIJIQAAAAAAAPg/SgkKA3llcxICEAFKGgoKZXJyb3IudHlwZRIMCgp0b29sX2Vycm9yaiYKEEv5LzV3s02mo86SnQ4ORzYSCADwZ6oLqQK3GgNoPTE1AQAAAHoNEglpdCBmYWlsZWQYAoUBAQAAAA==';
const METRIC_REQUEST =
  'CpcCChcKFQoMc2VydmljZS5uYW1lEgUKA3N2YxL7AQoRCgxkYXRhYmFzZS1tY3ASATESSgoHYS5jb3VudBIHQSBjb3VudBoGe2NhbGx9Oi4KKBHAafr7jpbsGBnAFIIAj5bsGCEAAAAAAAAIQDoLCgR0b29sEgMKAXgQAhgBEm0KCmIuZHVyYXRpb24SBkEgdGltZRoBc0pUClARwGn6+46W7BgZwBSCAI+W7BghAgAAAAAAAAApAAAAAAAgWUAyGAEAAAAAAAAAAAAAAAAAAAABAAAAAAAAADoQAAAAAAAA8D8AAAAAAAAkQBACEisKB2MubGV2ZWwSB0EgbGV2ZWwaATEqFAoSGcAUggCPluwYIQAAAAAAANA/';

const prefix = createPrefix({
  resource: { 'service.name': 'svc' },
  scope: { name: 'database-mcp', version: '1' },
});
const START_NS = 1_795_975_892_273_129_000n;
const END_NS = 1_795_975_892_273_178_000n;
const SPAN_ID = '1111111111111111';

test('a span has the bytes that the official classes write', () => {
  const writer = new ProtobufWriter(16);
  const tracer = createRecordingTracer(() => true, { open: () => writer, close: () => {} });
  const span = tracer.start({
    name: 'tools/call é',
    kind: 'server',
    parent: { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', flags: 1, state: 'v=1' },
    links: [{ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', flags: 1, state: 'h=1' }],
    shared: { attributes: { shared: 'of all' } },
    attributes: { text: 'é 漢', long: 'y'.repeat(200), negative: -5, big: 9_007_199_254_740_991, fraction: 1.5 },
  });
  span.set('yes', true);
  span.fail('tool_error', 'it failed');
  span.end();
  span.end();
  const bytes = writer.bytes.subarray(0, writer.length);
  // What differs from run to run is put in the place of what this run has.
  replace(bytes, Buffer.from(span.context.spanId, 'hex'), Buffer.from(SPAN_ID, 'hex'));
  const times = bytes.indexOf(Buffer.from('tools/call é')) + Buffer.byteLength('tools/call é') + 2;
  assert.equal(bytes[times], 0x39, 'the tag of the start');
  bytes.writeBigUInt64LE(START_NS, times + 1);
  bytes.writeBigUInt64LE(END_NS, times + 10);
  assert.equal(Buffer.concat([prefix(bytes.length), bytes]).toString('base64'), TRACE_REQUEST);
});

function replace(bytes: Buffer, before: Buffer, after: Buffer): void {
  after.copy(bytes, bytes.indexOf(before));
}

test('metrics have the bytes that the official classes write', () => {
  const registry = new MetricRegistry();
  registry.counter({ name: 'a.count', unit: '{call}', description: 'A count' }).add(3, { tool: 'x' });
  const histogram = registry.histogram({ name: 'b.duration', unit: 's', description: 'A time', buckets: [1, 10] });
  histogram.record(0.5);
  histogram.record(100);
  registry.gauge({ name: 'c.level', unit: '1', description: 'A level' }, () => [{ value: 0.25 }]);
  const period = { startMs: 1_795_975_892_271, endMs: 1_795_975_892_347 };
  const bytes = encodeMetrics(registry.collect(), period);
  assert.equal(Buffer.concat([prefix(bytes.length), bytes]).toString('base64'), METRIC_REQUEST);
});

test('texts of every length keep their length', () => {
  for (const length of [0, 1, 47, 48, 49, 127, 128, 16_383, 16_384, 70_000]) {
    const writer = new ProtobufWriter(1);
    writer.stringField(1, 'z'.repeat(length));
    writer.varintField(2, 7);
    const bytes = writer.bytes.subarray(0, writer.length);
    assert.equal(bytes.at(-1), 7);
    assert.equal(bytes.length, 1 + (length < 128 ? 1 : length < 16_384 ? 2 : 3) + length + 2, String(length));
  }
});
