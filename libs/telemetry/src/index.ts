export { createCallLog, type CallLine } from './call-line.ts';
export { isCallerMistake, toMethodLabel } from './conventions.ts';
export { createLogger, LOG_LEVELS, type Logger, type LoggerOptions, type LogLevel } from './logger.ts';
export type {
  Counter,
  CounterDefinition,
  GaugeDefinition,
  Histogram,
  HistogramDefinition,
  Labels,
  Metrics,
  Observation,
} from './metrics/registry.ts';
export { ATTRIBUTE, CANCELLED, EXECUTE_TOOL, LOG_FIELD, METRIC, OTHER_TOOL, TOOL_ERROR } from './names.ts';
export { TELEMETRY_SETTINGS, type TelemetrySettings } from './settings.ts';
export { NO_TELEMETRY, startTelemetry, type Telemetry, type TelemetryOptions } from './telemetry.ts';
export { formatTraceparent, parseBaggage, parseTraceparent, SAMPLED, type TraceContext } from './trace-context.ts';
export type { Attributes, SharedAttributes, Span, SpanKind, SpanOptions, Tracer } from './tracer.ts';
