/** Puts together what surrounds each call of a server: its bounds, who calls, and whom it is told to. */
import type { Server, ServerContext } from '@modelcontextprotocol/server';
import { parseTraceparent, type Logger, type Telemetry } from '@database-mcp/telemetry';
import type { AuditLog, Caller } from './audit-log.ts';
import { peerOf } from './peer.ts';
import { createResultMeasure, type CallOptions } from './report-call.ts';
import type { RequestSpans } from './request-spans.ts';

/** What the SDK tells of a request. */
export type RequestContext = Pick<ServerContext, 'mcpReq' | 'http'>;

/** What is the same for all calls of a server. */
export interface CallScopeOptions {
  timeoutMs: number;
  logger: Logger;
  telemetry: Telemetry;
  audit?: AuditLog | undefined;
}

/** Creates the function that is called for each request. */
export function createCallScope({ timeoutMs, logger, telemetry, audit }: CallScopeOptions) {
  const measureResult = createResultMeasure(telemetry);
  return (
    { mcpReq, http }: RequestContext,
    server: Server,
    spans: RequestSpans | undefined,
  ): Omit<CallOptions, 'name'> => {
    const observed = spans?.find(mcpReq.id);
    const { _meta: meta } = mcpReq;
    return {
      signal: mcpReq.signal,
      timeoutMs,
      logger,
      caller: audit ? toCaller(server, http?.req) : {},
      trace:
        observed?.span?.context ??
        parseTraceparent(meta?.['traceparent']) ??
        parseTraceparent(http?.req?.headers.get('traceparent')),
      observed,
      span: observed?.span,
      audit,
      measureResult,
    };
  };
}

function toCaller(server: Server, request: Request | undefined): Caller {
  const client = server.getClientVersion();
  return {
    ...(client && { client: { name: client.name, version: client.version } }),
    session: request?.headers.get('mcp-session-id') ?? undefined,
    address: peerOf(request)?.address,
  };
}
