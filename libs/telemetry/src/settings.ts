/**
 * The settings of telemetry, for the settings table of every process: OpenTelemetry's own variables, with its defaults.
 * One thing differs: without an endpoint nothing is exported, unless an exporter is asked for by name.
 */
import { z } from 'zod';

/** The names that `OTEL_TRACES_SAMPLER` may have. */
const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

/** One of the samplers. */
export type SamplerName = (typeof SAMPLERS)[number];

const HTTP_URL = 'it must be an http:// or https:// URL, for example http://127.0.0.1:4318';

const httpUrl = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), HTTP_URL)
  .optional();

const whole = (minimum: number, maximum: number) => {
  const message = `it must be a whole number from ${minimum} to ${maximum}`;
  return z.coerce.number(message).int(message).min(minimum, message).max(maximum, message);
};

/** `key=value,key=value`, percent-encoded (the format of W3C baggage). */
const pairs = z
  .string()
  .default('')
  .transform((text, context) => {
    const found: Record<string, string> = {};
    for (const item of text.split(',').filter((part) => part.trim() !== '')) {
      const at = item.indexOf('=');
      const name = item.slice(0, at).trim();
      const value = decode(item.slice(at + 1).trim());
      if (at <= 0 || name === '' || value === undefined) {
        context.addIssue({ code: 'custom', message: 'it must be name=value pairs with commas between them' });
        return z.NEVER;
      }
      found[name] = value;
    }
    return found;
  });

const headers = pairs.refine(
  (found) =>
    Object.entries(found).every(
      ([name, value]) => /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name) && /^[\t\x20-\x7e]*$/.test(value),
    ),
  'it has a name or a value that no HTTP header can hold',
);

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const exporter = z
  .enum(['otlp', 'none'], 'it must be otlp or none (Prometheus reads from MCP_METRICS_PORT)')
  .optional();

const isRatio = (text: string): boolean => text.trim() !== '' && Number(text) >= 0 && Number(text) <= 1;
const MS_MAX = 600_000;

/** The table; each process adds it to its own. */
export const TELEMETRY_SETTINGS = {
  metricsPort: { env: 'MCP_METRICS_PORT', schema: whole(0, 65_535).optional() },
  otelDisabled: {
    env: 'OTEL_SDK_DISABLED',
    schema: z
      .string()
      .default('false')
      .refine((text) => /^(true|false)$/i.test(text), 'it must be true or false')
      .transform((text) => text.toLowerCase() === 'true'),
  },
  otelServiceName: { env: 'OTEL_SERVICE_NAME', schema: z.string().optional() },
  otelResourceAttributes: { env: 'OTEL_RESOURCE_ATTRIBUTES', schema: pairs },
  otlpEndpoint: { env: 'OTEL_EXPORTER_OTLP_ENDPOINT', schema: httpUrl },
  otlpTracesEndpoint: { env: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', schema: httpUrl },
  otlpMetricsEndpoint: { env: 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT', schema: httpUrl },
  otlpHeaders: { env: 'OTEL_EXPORTER_OTLP_HEADERS', schema: headers, secret: true },
  otlpProtocol: {
    env: 'OTEL_EXPORTER_OTLP_PROTOCOL',
    schema: z.literal('http/protobuf', 'only http/protobuf is spoken (port 4318 of a collector)').optional(),
  },
  otlpTimeoutMs: { env: 'OTEL_EXPORTER_OTLP_TIMEOUT', schema: whole(1, MS_MAX).default(10_000) },
  otlpCompression: {
    env: 'OTEL_EXPORTER_OTLP_COMPRESSION',
    schema: z.enum(['none', 'gzip'], 'it must be none or gzip').default('none'),
  },
  tracesExporter: { env: 'OTEL_TRACES_EXPORTER', schema: exporter },
  metricsExporter: { env: 'OTEL_METRICS_EXPORTER', schema: exporter },
  metricIntervalMs: { env: 'OTEL_METRIC_EXPORT_INTERVAL', schema: whole(100, 86_400_000).default(60_000) },
  tracesSampler: {
    env: 'OTEL_TRACES_SAMPLER',
    schema: z.enum(SAMPLERS, `it must be one of ${SAMPLERS.join(', ')}`).default('parentbased_always_on'),
  },
  tracesSamplerRatio: {
    env: 'OTEL_TRACES_SAMPLER_ARG',
    schema: z.string().default('1').refine(isRatio, 'it must be a number from 0 to 1').transform(Number),
  },
  spanDelayMs: { env: 'OTEL_BSP_SCHEDULE_DELAY', schema: whole(1, MS_MAX).default(5_000) },
  spanQueueSize: { env: 'OTEL_BSP_MAX_QUEUE_SIZE', schema: whole(1, 1_000_000).default(2_048) },
  spanBatchSize: { env: 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', schema: whole(1, 100_000).default(512) },
};

/** The values of {@link TELEMETRY_SETTINGS}. */
export type TelemetrySettings = {
  [Key in keyof typeof TELEMETRY_SETTINGS]: z.output<(typeof TELEMETRY_SETTINGS)[Key]['schema']>;
};
