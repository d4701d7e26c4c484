/** OTLP requests as plain values (opentelemetry-proto: common, resource, trace, metrics). */
import {
  bytesOf,
  forEachField,
  messagesOf,
  numberOf,
  readFields,
  textOf,
  toDouble,
  type Fields,
} from './protobuf-reader.ts';

/** Attributes by name. */
export type ReceivedAttributes = Record<string, string | number | boolean>;

/** A span as it arrived. */
export interface ReceivedSpan {
  service: string;
  resource: ReceivedAttributes;
  traceId: string;
  spanId: string;
  /** Empty where the trace begins. */
  parentSpanId: string;
  traceState: string;
  name: string;
  kind: 'internal' | 'server' | 'client' | 'other';
  startNs: bigint;
  endNs: bigint;
  attributes: ReceivedAttributes;
  links: { traceId: string; spanId: string }[];
  /** `code` 2 is an error. */
  status: { code: number; message: string };
  flags: number;
}

/** A metric as it arrived. */
export interface ReceivedMetric {
  name: string;
  unit: string;
  kind: 'gauge' | 'counter' | 'histogram';
  points: { attributes: ReceivedAttributes; value?: number; count?: number; sum?: number; buckets?: number[] }[];
}

const KINDS: Readonly<Record<number, ReceivedSpan['kind']>> = { 1: 'internal', 2: 'server', 3: 'client' };

/** The spans of an `ExportTraceServiceRequest`. */
export function decodeTraces(body: Buffer): ReceivedSpan[] {
  return messagesOf(readFields(body), 1).flatMap((resourceSpans) => {
    const resource = attributesOf(readFields(bytesOf(resourceSpans, 1)), 1);
    return messagesOf(resourceSpans, 2).flatMap((scope) => messagesOf(scope, 2).map((span) => toSpan(span, resource)));
  });
}

/** How many spans an `ExportTraceServiceRequest` has; far cheaper than to decode them. */
export function countSpans(body: Buffer): number {
  let count = 0;
  for (const resourceSpans of messagesOf(readFields(body), 1)) {
    for (const scope of resourceSpans.get(2) ?? []) {
      if (!Buffer.isBuffer(scope)) continue;
      forEachField(scope, (field) => {
        if (field === 2) count++;
      });
    }
  }
  return count;
}

function toSpan(span: Fields, resource: ReceivedAttributes): ReceivedSpan {
  const status = readFields(bytesOf(span, 15));
  return {
    service: String(resource['service.name']),
    resource,
    traceId: bytesOf(span, 1).toString('hex'),
    spanId: bytesOf(span, 2).toString('hex'),
    traceState: textOf(span, 3),
    parentSpanId: bytesOf(span, 4).toString('hex'),
    name: textOf(span, 5),
    kind: KINDS[Number(numberOf(span, 6))] ?? 'other',
    startNs: numberOf(span, 7),
    endNs: numberOf(span, 8),
    attributes: attributesOf(span, 9),
    links: messagesOf(span, 13).map((link) => ({
      traceId: bytesOf(link, 1).toString('hex'),
      spanId: bytesOf(link, 2).toString('hex'),
    })),
    status: { code: Number(numberOf(status, 3)), message: textOf(status, 2) },
    flags: Number(numberOf(span, 16)),
  };
}

/** The metrics of an `ExportMetricsServiceRequest`. */
export function decodeMetrics(body: Buffer): ReceivedMetric[] {
  return messagesOf(readFields(body), 1).flatMap((resource) =>
    messagesOf(resource, 2).flatMap((scope) => messagesOf(scope, 2).map(toMetric)),
  );
}

function toMetric(metric: Fields): ReceivedMetric {
  const kind = metric.has(9) ? 'histogram' : metric.has(7) ? 'counter' : 'gauge';
  const data = readFields(bytesOf(metric, { gauge: 5, counter: 7, histogram: 9 }[kind]));
  const points = messagesOf(data, 1).map((point) =>
    kind === 'histogram'
      ? {
          attributes: attributesOf(point, 9),
          count: Number(numberOf(point, 4)),
          sum: toDouble(numberOf(point, 5)),
          buckets: wordsOf(bytesOf(point, 6)).map(Number),
        }
      : { attributes: attributesOf(point, 7), value: toDouble(numberOf(point, 4)) },
  );
  return { name: textOf(metric, 1), unit: textOf(metric, 3), kind, points };
}

function wordsOf(packed: Buffer): bigint[] {
  return Array.from({ length: packed.length / 8 }, (_, index) => packed.readBigUInt64LE(index * 8));
}

function attributesOf(message: Fields, field: number): ReceivedAttributes {
  return Object.fromEntries(
    messagesOf(message, field).map((pair) => [textOf(pair, 1), valueOf(readFields(bytesOf(pair, 2)))]),
  );
}

function valueOf(any: Fields): string | number | boolean {
  if (any.has(2)) return numberOf(any, 2) === 1n;
  if (any.has(3)) return Number(BigInt.asIntN(64, numberOf(any, 3)));
  if (any.has(4)) return toDouble(numberOf(any, 4));
  return textOf(any, 1);
}
