/** For tests: telemetry that is kept in memory, and a server that tells it of its requests. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { ToolError } from '@database-mcp/errors';
import {
  createLogger,
  type Attributes,
  type Labels,
  type Logger,
  type Metrics,
  type SpanOptions,
  type Telemetry,
} from '@database-mcp/telemetry';
import { z } from 'zod';
import {
  createDatabaseTelemetry,
  createRowCollector,
  defineTool,
  READ_ONLY_ANNOTATIONS,
  serveMcp,
  type DatabaseTelemetry,
  type Tool,
} from './index.ts';

/** Why tests of a disk that is full are skipped, if they are. */
export const NO_FULL_DISK = existsSync('/dev/full')
  ? false
  : '/dev/full, a disk that is always full, is a device of Linux';

/** A span as it was recorded. */
export interface RecordedSpan extends SpanOptions {
  spanId: string;
  attributes: Attributes;
  failure?: [type: string, message: string | undefined];
  hasEnded: boolean;
}

/** What telemetry got. */
export interface Recorded {
  spans: RecordedSpan[];
  measurements: { name: string; value: number; labels: Labels }[];
  gauges: Map<string, () => Iterable<{ value: number; labels?: Labels }>>;
  telemetry: Telemetry;
}

/** Telemetry that is kept in memory; ids are counted. */
export function record(isRecording = true): Recorded {
  const spans: RecordedSpan[] = [];
  const measurements: Recorded['measurements'] = [];
  const gauges: Recorded['gauges'] = new Map();
  const measure =
    (name: string) =>
    (value: number, labels: Labels = {}) =>
      void measurements.push({ name, value, labels });
  const metrics: Metrics = {
    histogram: ({ name }) => ({ record: measure(name) }),
    counter: ({ name }) => ({ add: measure(name) }),
    gauge: ({ name }, observe) => void gauges.set(name, observe),
  };
  const tracer: Telemetry['tracer'] = {
    start(options) {
      const spanId = String(spans.length + 1).padStart(16, '0');
      const span: RecordedSpan = { ...options, attributes: { ...options.attributes }, spanId, hasEnded: false };
      spans.push(span);
      return {
        context: { traceId: options.parent?.traceId ?? 'f'.repeat(32), spanId, flags: 1 },
        isRecording,
        set: (name, value) => void (span.attributes[name] = value),
        fail: (type, message) => void (span.failure = [type, message]),
        end: () => void (span.hasEnded = true),
      };
    },
  };
  return { spans, measurements, gauges, telemetry: { tracer, metrics, metricsUrl: undefined, close: async () => {} } };
}

const LIMITS = { maxRows: 1, maxBytes: 1_000, maxCellBytes: 100 };

function createTools(database: DatabaseTelemetry, onDescribe: () => void, onWrite: () => void): Tool[] {
  const annotations = READ_ONLY_ANNOTATIONS;
  return [
    defineTool({
      name: 'write',
      description: 'Writes.',
      input: z.strictObject({}),
      annotations: { ...annotations, readOnlyHint: false, destructiveHint: true },
      describe: () => ({ summary: 'DELETE country', text: 'DELETE FROM country' }),
      run() {
        onWrite();
        return Promise.resolve({ columns: [], rows: [], rowCount: 0, truncated: false });
      },
    }),
    defineTool({
      name: 'query',
      description: 'Returns its statement, or fails.',
      input: z.strictObject({ sql: z.string() }),
      annotations,
      describe({ sql }) {
        if (sql === 'indescribable') throw new Error('a bug of the description');
        return { summary: 'SELECT country', text: 'SELECT ?' };
      },
      run: ({ sql }, { signal }) =>
        database.observe(
          {
            signal,
            describe() {
              onDescribe();
              return { summary: 'SELECT country', text: 'SELECT ?' };
            },
          },
          async (report) => {
            if (sql === 'wait') {
              await once(signal, 'abort');
              throw signal.reason;
            }
            if (sql === 'bug') throw new Error(`bug with ${sql}`);
            if (sql.startsWith('bad')) {
              const cause = Object.assign(new Error(sql), { code: '42P01' });
              throw new ToolError({ code: 'NOT_FOUND', message: `no ${sql}` }, { cause });
            }
            const collector = createRowCollector(LIMITS);
            while (collector.push([sql]));
            report.rows = 1;
            return collector.finish([{ name: 'sql', type: 'text' }]);
          },
        ),
    }),
  ];
}

/** A server in this process, and what it told. */
export interface Started {
  url: string;
  input: PassThrough;
  output: PassThrough;
  recorded: Recorded;
  lines: Record<string, unknown>[];
  describe: { calls: number };
  writes: { calls: number };
  stop(): Promise<void>;
}

/** Starts a server with the tools `test_query` and `test_write`, on a database that is none. */
export async function start(
  t: TestContext,
  options: {
    recorded?: Recorded;
    transport?: 'stdio';
    traceContent?: boolean;
    auditLog?: string;
    telemetry?: Telemetry;
  } = {},
): Promise<Started> {
  const { recorded = record() } = options;
  const { telemetry = recorded.telemetry } = options;
  const input = new PassThrough();
  const output = new PassThrough();
  const lines: Record<string, unknown>[] = [];
  const logger = await createLogger({ service: 'test', level: 'silent', pretty: false });
  const spy = (level: string) => (fields: object, text: string) => void lines.push({ ...fields, level, text });
  for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level] = spy(level) as Logger['info'];
  const database = createDatabaseTelemetry(
    {
      system: 'postgresql',
      namespace: 'app',
      address: 'db.example',
      port: 6432,
      defaultPort: 5432,
      statusOf: (error) => ((error as Error).cause as { code?: string } | undefined)?.code,
    },
    telemetry,
  );
  database.observePool(() => ({ used: 2, idle: 1, pending: 4, max: 5 }));
  const describe = { calls: 0 };
  const writes = { calls: 0 };
  const serving = await serveMcp({
    name: 'test-mcp',
    version: '1.0.0',
    instructions: 'For tests.',
    instance: 'test',
    tools: createTools(
      database,
      () => describe.calls++,
      () => writes.calls++,
    ),
    timeoutMs: 5_000,
    logger,
    transport: options.transport ?? 'streamable-http',
    host: '127.0.0.1',
    port: 0,
    allowedHosts: [],
    allowedOrigins: [],
    ready: () => Promise.resolve({ ready: true }),
    stdio: { input, output },
    telemetry,
    traceContent: options.traceContent ?? false,
    auditLog: options.auditLog,
  });
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= serving.close());
  t.after(stop);
  return { url: serving.url ?? '', input, output, recorded, lines, describe, writes, stop };
}

/** Connects a client of an era. */
export async function connect(t: TestContext, url: string, mode: 'auto' | 'legacy'): Promise<Client> {
  const client = new Client({ name: 'agent', version: '1.2' }, { versionNegotiation: { mode } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  t.after(() => client.close());
  return client;
}

/** Calls the tool. */
export const query = (client: Client, sql: string, meta?: Record<string, unknown>) =>
  client.callTool({ name: 'test_query', arguments: { sql }, ...(meta ? { _meta: meta } : {}) });

/** The trace of a caller. */
export const CALLER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
/** The trace of the HTTP request around a message. */
export const AROUND = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** Posts a message in the way of an older revision. */
export async function postLegacy(url: string, message: object, traceparent?: string): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-06-18',
      ...(traceparent ? { traceparent } : {}),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 7, ...message }),
  });
  return response.text();
}
