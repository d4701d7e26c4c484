export {
  createDatabaseTelemetry,
  type DatabaseOperation,
  type DatabaseTarget,
  type DatabaseTelemetry,
  type OperationReport,
  type PoolState,
} from './database-telemetry.ts';
export { defineResourceTemplate, type CompletionRequest, type ResourceTemplate } from './define-resource.ts';
export { defineTool, READ_ONLY_ANNOTATIONS, type Tool, type ToolAnnotations, type ToolContext } from './define-tool.ts';
export {
  createRowCollector,
  LongText,
  type ResultLimits,
  type RowCollector,
  type SourceCell,
} from './row-collector.ts';
export {
  checkReadiness,
  failStart,
  runServer,
  type OpenedDatabase,
  type ServerProcess,
  type ServerProgram,
} from './run-server.ts';
export { serveMcp, type ServeOptions, type ServingMcp } from './serve-mcp.ts';
export { serverSettings } from './server-settings.ts';
export {
  PLACEHOLDER,
  toStatementText,
  toSummary,
  type ShownToken,
  type StatementDescription,
} from './statement-description.ts';
export { type Cell, type Column, type TableResult } from './table-result.ts';
