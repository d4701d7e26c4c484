/**
 * Starts and ends the telemetry of a process. What nobody reads is never made: without an exporter there is no tracer,
 * without a reader there are no metrics, and the code for either is not even loaded.
 */
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics/registry.ts';
import type { TelemetrySettings } from './settings.ts';
import type { Attributes, Tracer } from './tracer.ts';

/** Options of {@link startTelemetry}. */
export interface TelemetryOptions {
  /** `service.name`, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES name another one. */
  service: string;
  version: string;
  /** Where the metrics port listens. */
  host: string;
  settings: TelemetrySettings;
  logger: Logger;
}

/** The telemetry of a process. */
export interface Telemetry {
  /** Undefined when no traces are exported. */
  readonly tracer: Tracer | undefined;
  /** Undefined when nobody reads metrics. */
  readonly metrics: Metrics | undefined;
  /** Where Prometheus reads, if it can. */
  readonly metricsUrl: string | undefined;
  /** Sends what is left, for at most some seconds, and ends. */
  close(): Promise<void>;
}

/** Telemetry that is switched off. */
export const NO_TELEMETRY: Telemetry = {
  tracer: undefined,
  metrics: undefined,
  metricsUrl: undefined,
  close: () => Promise.resolve(),
};

const DEFAULT_ENDPOINT = 'http://localhost:4318';
const TRACES_PATH = 'v1/traces';
const METRICS_PATH = 'v1/metrics';

/** What the settings ask for. */
export interface TelemetryPlan {
  tracesUrl: string | undefined;
  metricsUrl: string | undefined;
  metricsPort: number | undefined;
  resource: Attributes;
}

/** Starts what the settings ask for. Rejects when the metrics port is taken. */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const plan = planTelemetry(options);
  const { tracesUrl, metricsUrl, metricsPort } = plan;
  if (tracesUrl === undefined && metricsUrl === undefined && metricsPort === undefined) return NO_TELEMETRY;
  const { assembleTelemetry } = await import('./assemble-telemetry.ts');
  return assembleTelemetry(options, plan);
}

/** Decides from the settings what is exported, and as what. */
export function planTelemetry({ service, version, settings }: TelemetryOptions): TelemetryPlan {
  const resource: Attributes = {
    'service.name': service,
    'service.version': version,
    ...settings.otelResourceAttributes,
    // The convention asks whoever is not the OpenTelemetry SDK for a name of its own.
    'telemetry.sdk.name': 'database-mcp',
    'telemetry.sdk.language': 'nodejs',
    'telemetry.sdk.version': version,
  };
  if (settings.otelServiceName !== undefined) resource['service.name'] = settings.otelServiceName;
  if (settings.otelDisabled) {
    return { tracesUrl: undefined, metricsUrl: undefined, metricsPort: undefined, resource };
  }
  return {
    tracesUrl: chooseUrl(settings, settings.tracesExporter, settings.otlpTracesEndpoint, TRACES_PATH),
    metricsUrl: chooseUrl(settings, settings.metricsExporter, settings.otlpMetricsEndpoint, METRICS_PATH),
    metricsPort: settings.metricsPort,
    resource,
  };
}

/** An endpoint of one signal is used as it is; the common one is a base for both (OTLP exporter specification). */
function chooseUrl(
  { otlpEndpoint }: TelemetrySettings,
  exporter: 'otlp' | 'none' | undefined,
  own: string | undefined,
  path: string,
): string | undefined {
  if (exporter === 'none') return undefined;
  if (own !== undefined) return own;
  const base = otlpEndpoint ?? (exporter === 'otlp' ? DEFAULT_ENDPOINT : undefined);
  if (base === undefined) return undefined;
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${path}`;
  return url.href;
}
