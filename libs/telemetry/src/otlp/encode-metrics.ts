/** Metrics as OTLP messages (opentelemetry-proto, metrics.proto); all values are totals since the start. */
import type { MetricPoint, MetricSnapshot } from '../metrics/registry.ts';
import { writeAttributes } from './encode-attributes.ts';
import { encode } from './encode-request.ts';
import type { ProtobufWriter } from './protobuf-writer.ts';

const LENGTH_DELIMITED = 2;
const FIXED_64 = 1;
const METRICS_FIELD = 2;
const METRIC_FIELD = { NAME: 1, DESCRIPTION: 2, UNIT: 3, GAUGE: 5, SUM: 7, HISTOGRAM: 9 } as const;
const DATA_POINTS = 1;
const TEMPORALITY = 2;
const CUMULATIVE = 2;
const IS_MONOTONIC = 3;
const NUMBER_POINT = { START: 2, TIME: 3, DOUBLE: 4, ATTRIBUTES: 7 } as const;
const HISTOGRAM_POINT = { START: 2, TIME: 3, COUNT: 4, SUM: 5, BUCKET_COUNTS: 6, BOUNDS: 7, ATTRIBUTES: 9 } as const;

/** When the values began and when they were read, in milliseconds since 1970. */
export interface Period {
  startMs: number;
  endMs: number;
}

/** The snapshots as fields `metrics` of `ScopeMetrics`. */
export function encodeMetrics(snapshots: readonly MetricSnapshot[], period: Period): Buffer {
  return encode((writer) => {
    for (const snapshot of snapshots) {
      if (snapshot.points.length === 0) continue;
      nested(writer, METRICS_FIELD, () => writeMetric(writer, snapshot, period));
    }
  });
}

function writeMetric(writer: ProtobufWriter, snapshot: MetricSnapshot, period: Period): void {
  const { kind, definition, points } = snapshot;
  writer.stringField(METRIC_FIELD.NAME, definition.name);
  writer.stringField(METRIC_FIELD.DESCRIPTION, definition.description);
  writer.stringField(METRIC_FIELD.UNIT, definition.unit);
  const field = { gauge: METRIC_FIELD.GAUGE, counter: METRIC_FIELD.SUM, histogram: METRIC_FIELD.HISTOGRAM }[kind];
  nested(writer, field, () => {
    for (const point of points) {
      nested(writer, DATA_POINTS, () => writePoint(writer, point, definition.buckets ?? [], kind, period));
    }
    if (kind !== 'gauge') writer.varintField(TEMPORALITY, CUMULATIVE);
    if (kind === 'counter') writer.varintField(IS_MONOTONIC, 1);
  });
}

function writePoint(
  writer: ProtobufWriter,
  point: MetricPoint,
  bounds: readonly number[],
  kind: MetricSnapshot['kind'],
  { startMs, endMs }: Period,
): void {
  const labels = Object.fromEntries(point.labels);
  if (kind !== 'gauge') writer.timeField(NUMBER_POINT.START, startMs);
  writer.timeField(NUMBER_POINT.TIME, endMs);
  if (!('count' in point)) {
    writer.doubleField(NUMBER_POINT.DOUBLE, point.value);
    return writeAttributes(writer, NUMBER_POINT.ATTRIBUTES, labels);
  }
  writer.tag(HISTOGRAM_POINT.COUNT, FIXED_64);
  writer.fixed64(point.count);
  writer.doubleField(HISTOGRAM_POINT.SUM, point.sum);
  nested(writer, HISTOGRAM_POINT.BUCKET_COUNTS, () => point.bucketCounts.forEach((count) => writer.fixed64(count)));
  nested(writer, HISTOGRAM_POINT.BOUNDS, () => bounds.forEach((bound) => writer.double(bound)));
  writeAttributes(writer, HISTOGRAM_POINT.ATTRIBUTES, labels);
}

function nested(writer: ProtobufWriter, field: number, write: () => void): void {
  writer.tag(field, LENGTH_DELIMITED);
  const at = writer.begin();
  write();
  writer.end(at);
}
