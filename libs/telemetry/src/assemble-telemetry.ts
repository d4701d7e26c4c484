/** Puts together the exporters and readers that a plan names; loaded only when there are any. */
import { MetricRegistry } from './metrics/registry.ts';
import { startMetricsServer, type MetricsServer } from './metrics/metrics-server.ts';
import { toPrometheusText } from './metrics/prometheus.ts';
import { observeRuntime } from './metrics/runtime-metrics.ts';
import { createPrefix } from './otlp/encode-request.ts';
import { createLossReport } from './otlp/loss-report.ts';
import { MetricPusher } from './otlp/metric-pusher.ts';
import { createOtlpSender, type OtlpTarget } from './otlp/otlp-sender.ts';
import { createRecordingTracer } from './otlp/recording-tracer.ts';
import { createSampler } from './otlp/sampler.ts';
import { SpanQueue } from './otlp/span-queue.ts';
import type { Telemetry, TelemetryOptions, TelemetryPlan } from './telemetry.ts';

/** The name under which spans and metrics are recorded. */
const SCOPE = 'database-mcp';
/** Orchestrators give 30 s between SIGTERM and SIGKILL, most of which is for requests in progress. */
const END_MS = 3_000;

/** Starts everything. Rejects when the metrics port is taken. */
export async function assembleTelemetry(options: TelemetryOptions, plan: TelemetryPlan): Promise<Telemetry> {
  const { settings, logger } = options;
  const hasReader = plan.metricsUrl !== undefined || plan.metricsPort !== undefined;
  const registry = hasReader ? new MetricRegistry() : undefined;
  const server = registry && (await listen(registry, options, plan));
  const stopRuntime = registry && observeRuntime(registry);
  const encodePrefix = createPrefix({ resource: plan.resource, scope: { name: SCOPE, version: options.version } });
  const target = (url: string): OtlpTarget => ({
    url,
    headers: settings.otlpHeaders,
    timeoutMs: settings.otlpTimeoutMs,
    compression: settings.otlpCompression,
  });
  const queue =
    plan.tracesUrl === undefined
      ? undefined
      : new SpanQueue({
          sender: createOtlpSender(target(plan.tracesUrl)),
          encodePrefix,
          delayMs: settings.spanDelayMs,
          maxQueued: settings.spanQueueSize,
          maxBatch: settings.spanBatchSize,
          report: createLossReport(logger, registry),
        });
  const pusher =
    registry && plan.metricsUrl !== undefined
      ? new MetricPusher({
          registry,
          sender: createOtlpSender(target(plan.metricsUrl)),
          encodePrefix,
          intervalMs: settings.metricIntervalMs,
          logger,
        })
      : undefined;
  const sampler = createSampler(settings.tracesSampler, settings.tracesSamplerRatio);
  return {
    tracer: queue && createRecordingTracer(sampler, queue),
    metrics: registry,
    metricsUrl: server?.url,
    close: async () => {
      await Promise.all([queue?.end(END_MS), pusher?.end(END_MS)]);
      stopRuntime?.();
      await server?.close();
    },
  };
}

function listen(
  registry: MetricRegistry,
  { host }: TelemetryOptions,
  { metricsPort, resource }: TelemetryPlan,
): Promise<MetricsServer> | undefined {
  if (metricsPort === undefined) return undefined;
  return startMetricsServer(host, metricsPort, () => toPrometheusText(registry.collect(), resource));
}
