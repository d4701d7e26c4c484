/**
 * The names of log fields, span attributes and metrics, one place so that the telemetry of all processes can be searched
 * alike. They follow the OpenTelemetry semantic conventions (MCP: semantic-conventions-genai, databases: 1.44), except
 * for `mcp.upstream.*` and `mcp.gateway.*`, which are our own: the conventions name no upstream of a gateway.
 */
import type { GaugeDefinition, CounterDefinition, HistogramDefinition } from './metrics/registry.ts';

/** Names of log fields. Values are never secrets, arguments or results. */
export const LOG_FIELD = {
  /** Published tool name. */
  TOOL: 'tool',
  /** Upstream name from the gateway's configuration. */
  UPSTREAM: 'upstream',
  /** `ok`, `tool_error` or an error code. */
  STATUS: 'status',
  /** Wall time of the call in milliseconds. */
  DURATION_MS: 'durationMs',
  /** Bytes of the result. */
  BYTES: 'bytes',
  /** Joins an INTERNAL error shown to a client with the log line that holds its cause. */
  REFERENCE: 'reference',
  /** Joins the line with its trace; the names that OpenTelemetry's own log integrations write. */
  TRACE_ID: 'trace_id',
  SPAN_ID: 'span_id',
} as const;

/** Names of span attributes and metric labels. */
export const ATTRIBUTE = {
  METHOD: 'mcp.method.name',
  PROTOCOL_VERSION: 'mcp.protocol.version',
  RESOURCE_URI: 'mcp.resource.uri',
  SESSION_ID: 'mcp.session.id',
  UPSTREAM: 'mcp.upstream.name',
  TOOL: 'gen_ai.tool.name',
  PROMPT: 'gen_ai.prompt.name',
  OPERATION: 'gen_ai.operation.name',
  /** Only when content is recorded (MCP_TRACE_CONTENT). */
  TOOL_ARGUMENTS: 'gen_ai.tool.call.arguments',
  TOOL_RESULT: 'gen_ai.tool.call.result',
  REQUEST_ID: 'jsonrpc.request.id',
  STATUS_CODE: 'rpc.response.status_code',
  ERROR_TYPE: 'error.type',
  TRANSPORT: 'network.transport',
  NETWORK_PROTOCOL: 'network.protocol.name',
  NETWORK_PROTOCOL_VERSION: 'network.protocol.version',
  CLIENT_ADDRESS: 'client.address',
  CLIENT_PORT: 'client.port',
  SERVER_ADDRESS: 'server.address',
  SERVER_PORT: 'server.port',
  DB_SYSTEM: 'db.system.name',
  DB_NAMESPACE: 'db.namespace',
  DB_OPERATION: 'db.operation.name',
  DB_COLLECTION: 'db.collection.name',
  DB_QUERY_SUMMARY: 'db.query.summary',
  DB_QUERY_TEXT: 'db.query.text',
  DB_STATUS_CODE: 'db.response.status_code',
  DB_RETURNED_ROWS: 'db.response.returned_rows',
  /** What a pool is called: `<host>:<port>/<database>`. */
  DB_POOL: 'db.client.connection.pool.name',
  /** `idle` or `used`. */
  DB_CONNECTION_STATE: 'db.client.connection.state',
} as const;

/** The value of `gen_ai.operation.name`; for `tools/call` alone. */
export const EXECUTE_TOOL = 'execute_tool';
/** The value of `error.type` when a tool result has `isError: true`. */
export const TOOL_ERROR = 'tool_error';
/** The value of `error.type` when the client went away or cancelled before there was an answer. */
export const CANCELLED = 'cancelled';
/** Takes the place of a tool name that is in no list, so that no client can make up labels. */
export const OTHER_TOOL = '_other';

/** Buckets of the MCP duration metrics, in seconds (semantic-conventions-genai, metrics). */
const OPERATION_SECONDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
/** Buckets of `db.client.operation.duration`, in seconds (semantic-conventions 1.44, database metrics). */
const DATABASE_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
const RESULT_BYTES = [256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304];

/** The metrics of all processes; each says which labels it has. */
export const METRIC = {
  /** Labels: `mcp.method.name`, `gen_ai.tool.name`, `gen_ai.operation.name`, `mcp.protocol.version`, `error.type`. */
  SERVER_DURATION: {
    name: 'mcp.server.operation.duration',
    unit: 's',
    description: 'Time to serve an MCP request',
    buckets: OPERATION_SECONDS,
  },
  /** The same labels, and `mcp.upstream.name`. */
  CLIENT_DURATION: {
    name: 'mcp.client.operation.duration',
    unit: 's',
    description: 'Time of an MCP request to an upstream',
    buckets: OPERATION_SECONDS,
  },
  /** Labels: `db.system.name`, `db.namespace`, `db.operation.name`, `server.address`, `server.port`, `db.response.status_code`, `error.type`. */
  DATABASE_DURATION: {
    name: 'db.client.operation.duration',
    unit: 's',
    description: 'Time of a database operation',
    buckets: DATABASE_SECONDS,
  },
  /** Labels: `db.client.connection.pool.name`, `db.client.connection.state`. */
  DATABASE_CONNECTIONS: {
    name: 'db.client.connection.count',
    unit: '{connection}',
    description: 'Connections of the pool',
  },
  /** Label: `db.client.connection.pool.name`. */
  DATABASE_MAX: {
    name: 'db.client.connection.max',
    unit: '{connection}',
    description: 'Most connections that the pool may have',
  },
  /** Label: `db.client.connection.pool.name`. */
  DATABASE_PENDING: {
    name: 'db.client.connection.pending_requests',
    unit: '{request}',
    description: 'Statements that wait for a connection',
  },
  /** Labels: `gen_ai.tool.name`. */
  RESULT_SIZE: {
    name: 'mcp.result.size',
    unit: 'By',
    description: 'Size of tool results',
    buckets: RESULT_BYTES,
  },
  /** Labels: `gen_ai.tool.name`. */
  RESULT_TRUNCATED: {
    name: 'mcp.result.truncated',
    unit: '{result}',
    description: 'Tool results that were cut to the limits',
  },
  /** Labels of these: `mcp.upstream.name`. */
  UPSTREAM_IN_FLIGHT: {
    name: 'mcp.upstream.calls.in_flight',
    unit: '{call}',
    description: 'Calls in progress at the upstream',
  },
  UPSTREAM_LIMIT: {
    name: 'mcp.upstream.calls.limit',
    unit: '{call}',
    description: 'Most calls that may be in progress at the upstream (maxConcurrency)',
  },
  UPSTREAM_QUEUED: {
    name: 'mcp.upstream.calls.queued',
    unit: '{call}',
    description: 'Calls that wait for their turn at the upstream',
  },
  UPSTREAM_AVAILABLE: {
    name: 'mcp.upstream.available',
    unit: '',
    description: '1 while calls pass to the upstream, 0 while its breaker is open',
  },
  CATALOGUE_AGE: {
    name: 'mcp.upstream.catalogue.age',
    unit: 's',
    description: 'Time since the lists of the upstream were fetched',
  },
  CATALOGUE_TOOLS: {
    name: 'mcp.upstream.catalogue.tools',
    unit: '{tool}',
    description: 'Tools of the upstream in the merged list',
  },
  /** Labels: `mcp.upstream.name`, `error.type`. */
  CATALOGUE_REFRESHES: {
    name: 'mcp.upstream.catalogue.refreshes',
    unit: '{refresh}',
    description: 'Times that the lists of the upstream were asked for',
  },
  /** Names of semantic-conventions, Node.js runtime. No labels. */
  EVENT_LOOP_DELAY_P50: { name: 'nodejs.eventloop.delay.p50', unit: 's', description: 'Event loop delay, median' },
  EVENT_LOOP_DELAY_P99: { name: 'nodejs.eventloop.delay.p99', unit: 's', description: 'Event loop delay, 99 %' },
  EVENT_LOOP_DELAY_MAX: { name: 'nodejs.eventloop.delay.max', unit: 's', description: 'Event loop delay, longest' },
  EVENT_LOOP_UTILIZATION: {
    name: 'nodejs.eventloop.utilization',
    unit: '1',
    description: 'Part of the time that the event loop was busy',
  },
  /** Label: `error.type`, without which the spans have arrived (semantic-conventions, OpenTelemetry SDK). */
  SPANS_EXPORTED: {
    name: 'otel.sdk.exporter.span.exported',
    unit: '{span}',
    description: 'Spans that were exported, or lost on the way (error.type)',
  },
  /** Label: `error.type`: `queue_full`. */
  SPANS_PROCESSED: {
    name: 'otel.sdk.processor.span.processed',
    unit: '{span}',
    description: 'Spans that left the queue, or found it full (error.type)',
  },
} satisfies Record<string, HistogramDefinition | CounterDefinition | GaugeDefinition>;
