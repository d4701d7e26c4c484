/**
 * A CLIENT span and a measurement for every operation on a database, made where the driver is called. Names and
 * attributes are those of OpenTelemetry's conventions for databases. Costs nothing when nobody would see it.
 */
import { ToolError } from '@database-mcp/errors';
import { ATTRIBUTE, METRIC, type Span, type Telemetry, type Tracer } from '@database-mcp/telemetry';
import { callSpanOf } from './call-span.ts';
import type { StatementDescription } from './statement-description.ts';

/** The database that operations are made on. */
export interface DatabaseTarget {
  /** `db.system.name`. */
  system: 'postgresql' | 'neo4j' | (string & {});
  /** `db.namespace`: the database's name. */
  namespace?: string | undefined;
  address: string;
  port: number;
  /** The port that is not told, because it is the usual one. */
  defaultPort: number;
  /** The database's own code of a failure (SQLSTATE, HTTP status), if the error has one. */
  statusOf(error: unknown): string | undefined;
}

/** One operation, before it is made. */
export interface DatabaseOperation {
  /** Of the call that makes it, whose span becomes the parent. */
  signal: AbortSignal;
  /** `db.operation.name`, of a closed set, where the interface of the database names its operations. */
  operation?: string;
  /** `db.collection.name`, where an operation has one by its form. */
  collection?: string | undefined;
  /** Called only for a span that is recorded. */
  describe(): StatementDescription | Promise<StatementDescription>;
}

/** What an operation tells of itself when it has ended. */
export interface OperationReport {
  /** Rows, points or the like that came back. */
  rows?: number;
}

/** Connections of a pool at this moment. */
export interface PoolState {
  used: number;
  idle: number;
  pending: number;
  max: number;
}

/** Observes the operations on one database. */
export interface DatabaseTelemetry {
  /** Makes the operation. */
  observe<T>(operation: DatabaseOperation, work: (report: OperationReport) => Promise<T>): Promise<T>;
  /** Tells the use of the pool whenever somebody reads it. */
  observePool(read: () => PoolState): void;
}

const OFF: DatabaseTelemetry = { observe: (_operation, work) => work({}), observePool() {} };

/** Creates the observer of one database. */
export function createDatabaseTelemetry(target: DatabaseTarget, { tracer, metrics }: Telemetry): DatabaseTelemetry {
  if (!tracer && !metrics) return OFF;
  const durations = metrics?.histogram(METRIC.DATABASE_DURATION);
  const shared = toShared(target);
  return {
    async observe(operation, work) {
      const report: OperationReport = {};
      const parent = tracer && callSpanOf(operation.signal);
      const span =
        tracer && parent?.isRecording ? await startSpan(tracer, parent, operation, target, shared) : undefined;
      if (!span && !durations) return work(report);
      const startedAt = performance.now();
      let failure: Failed | undefined;
      try {
        return await work(report);
      } catch (error) {
        failure = toFailed(error, target);
        throw error;
      } finally {
        if (span) endSpan(span, report, failure);
        durations?.record((performance.now() - startedAt) / 1_000, {
          ...shared,
          [ATTRIBUTE.DB_OPERATION]: operation.operation,
          [ATTRIBUTE.DB_STATUS_CODE]: failure?.status,
          [ATTRIBUTE.ERROR_TYPE]: failure?.type,
        });
      }
    },
    observePool(read) {
      const pool = { [ATTRIBUTE.DB_POOL]: `${target.address}:${target.port}/${target.namespace ?? ''}` };
      metrics?.gauge(METRIC.DATABASE_CONNECTIONS, () => {
        const { used, idle } = read();
        return [
          { value: used, labels: { ...pool, [ATTRIBUTE.DB_CONNECTION_STATE]: 'used' } },
          { value: idle, labels: { ...pool, [ATTRIBUTE.DB_CONNECTION_STATE]: 'idle' } },
        ];
      });
      metrics?.gauge(METRIC.DATABASE_PENDING, () => [{ value: read().pending, labels: pool }]);
      metrics?.gauge(METRIC.DATABASE_MAX, () => [{ value: read().max, labels: pool }]);
    },
  };
}

/** What all spans and measurements of one database have. */
function toShared({
  system,
  namespace,
  address,
  port,
  defaultPort,
}: DatabaseTarget): Record<string, string | undefined> {
  return {
    [ATTRIBUTE.DB_SYSTEM]: system,
    [ATTRIBUTE.DB_NAMESPACE]: namespace,
    [ATTRIBUTE.SERVER_ADDRESS]: address,
    [ATTRIBUTE.SERVER_PORT]: port === defaultPort ? undefined : String(port),
  };
}

async function startSpan(
  tracer: Tracer,
  parent: Span,
  { operation, collection, describe }: DatabaseOperation,
  { system, port, defaultPort }: DatabaseTarget,
  shared: Record<string, string | undefined>,
): Promise<Span> {
  let statement: StatementDescription = {};
  try {
    statement = await describe();
  } catch {
    // A statement that cannot be described is still worth a span.
  }
  return tracer.start({
    name: statement.summary ?? operation ?? system,
    kind: 'client',
    parent: parent.context,
    attributes: {
      ...shared,
      [ATTRIBUTE.SERVER_PORT]: port === defaultPort ? undefined : port,
      [ATTRIBUTE.DB_OPERATION]: operation,
      [ATTRIBUTE.DB_COLLECTION]: collection,
      [ATTRIBUTE.DB_QUERY_SUMMARY]: statement.summary,
      [ATTRIBUTE.DB_QUERY_TEXT]: statement.text,
    },
  });
}

function endSpan(span: Span, { rows }: OperationReport, failure: Failed | undefined): void {
  if (rows !== undefined) span.set(ATTRIBUTE.DB_RETURNED_ROWS, rows);
  if (failure?.status !== undefined) span.set(ATTRIBUTE.DB_STATUS_CODE, failure.status);
  // Without a message: that of a database repeats values of the statement.
  if (failure) span.fail(failure.type);
  span.end();
}

interface Failed {
  /** `error.type`. */
  type: string;
  /** `db.response.status_code`. */
  status: string | undefined;
}

function toFailed(error: unknown, { statusOf }: DatabaseTarget): Failed {
  const status = statusOf(error);
  const name = error instanceof ToolError ? error.code : error instanceof Error ? error.name : 'Error';
  return { type: status ?? name, status };
}
