/** Makes every statement a span and a measurement, and tells the use of the pool. */
import { createDatabaseTelemetry, type OperationReport } from '@database-mcp/mcp-kit';
import type { Telemetry } from '@database-mcp/telemetry';
import type { Target } from './connection/target.ts';
import type { Database } from './database.ts';
import type { RowSink, Statement } from './statement.ts';
import { describeStatement } from './describe-statement.ts';
import { stateOf } from './sql-errors.ts';

const DEFAULT_PORT = 5432;

/** The database under observation; the database itself when nobody would see it. Of several hosts the first one is told. */
export function observeDatabase(
  database: Database,
  { hosts, database: namespace }: Target,
  telemetry: Telemetry,
): Database {
  if (!telemetry.tracer && !telemetry.metrics) return database;
  const { host: address = '', port = DEFAULT_PORT } = hosts[0] ?? {};
  const observer = createDatabaseTelemetry(
    { system: 'postgresql', namespace, address, port, defaultPort: DEFAULT_PORT, statusOf: stateOf },
    telemetry,
  );
  observer.observePool(database.poolState);
  return {
    ...database,
    read: (statement, sink, signal) =>
      observer.observe({ signal, describe: () => describe(statement) }, (report) =>
        database.read(statement, countRows(sink, report), signal),
      ),
    write: (plan, signal) =>
      observer.observe({ signal, describe: () => describe(plan.statement) }, () => database.write(plan, signal)),
  };
}

function describe({ sql, prefix = '' }: Statement) {
  return describeStatement(prefix + sql);
}

function countRows(sink: RowSink, report: OperationReport): RowSink {
  report.rows = 0;
  return {
    ...sink,
    push(row) {
      report.rows = (report.rows ?? 0) + 1;
      return sink.push(row);
    },
  };
}
