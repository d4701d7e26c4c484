/**
 * A SERVER span and a measurement for every request that reaches a server, whatever carries it (HTTP, HTTP+SSE, stdio)
 * and whoever answers it (a handler of ours or the SDK): requests are seen as the transport delivers them, answers as
 * they are sent. Names and attributes are those of OpenTelemetry's conventions for MCP.
 */
import type { JSONRPCMessage, JSONRPCRequest, MessageExtraInfo, Transport } from '@modelcontextprotocol/server';
import type { ErrorCode } from '@database-mcp/errors';
import {
  ATTRIBUTE,
  CANCELLED,
  EXECUTE_TOOL,
  isCallerMistake,
  METRIC,
  OTHER_TOOL,
  parseTraceparent,
  TOOL_ERROR,
  toMethodLabel,
  type Attributes,
  type Histogram,
  type Span,
  type Telemetry,
  type TraceContext,
  type Tracer,
} from '@database-mcp/telemetry';
import { peerOf } from './peer.ts';

/** What is observed, and by what. */
export interface RequestSpanOptions {
  telemetry: Telemetry;
  transport: 'streamable-http' | 'stdio';
  /** Published names; a call of any other is counted under one label. */
  toolNames: ReadonlySet<string>;
  /** Whether arguments and results become attributes. */
  recordsContent: boolean;
}

/** A request in progress, for the handler that works on it. */
export interface ObservedRequest {
  /** Parent of what the handler starts. Undefined when no traces are exported. */
  readonly span: Span | undefined;
  /** To be called when the handler has ended; `isAnswered` is false when the request was cancelled. */
  settle(status: 'ok' | ErrorCode, isAnswered: boolean): void;
}

/** The requests of one connection. */
export interface RequestSpans {
  /** The request with this id, if it is in progress. */
  find(id: string | number): ObservedRequest | undefined;
}

/** An answer that never comes, to a request that the SDK drops, must not be waited for without end. */
const MAX_OPEN = 1_000;
const REVISIONS = new Set(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28']);
const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';

/** Creates what observes the connections of a server; undefined when nobody would see it. */
export function createRequestSpans(options: RequestSpanOptions): ((transport: Transport) => RequestSpans) | undefined {
  const { tracer, metrics } = options.telemetry;
  if (!tracer && !metrics) return undefined;
  const durations = metrics?.histogram(METRIC.SERVER_DURATION);
  return (transport) => {
    const connection = new ObservedConnection(options, tracer, durations);
    connection.watch(transport);
    return connection;
  };
}

interface OpenRequest extends ObservedRequest {
  readonly startedAt: number;
  readonly labels: Record<string, string | undefined>;
  isHandled: boolean;
  status: 'ok' | ErrorCode;
}

class ObservedConnection implements RequestSpans {
  readonly #options: RequestSpanOptions;
  readonly #tracer: Tracer | undefined;
  readonly #durations: Histogram | undefined;
  readonly #open = new Map<string | number, OpenRequest>();
  /** What `initialize` agreed on, for connections that live longer than one request. */
  #revision: string | undefined;

  constructor(options: RequestSpanOptions, tracer: Tracer | undefined, durations: Histogram | undefined) {
    this.#options = options;
    this.#tracer = tracer;
    this.#durations = durations;
  }

  /** The SDK calls what it finds in these places before it does its own work. */
  watch(transport: Transport): void {
    const { onclose } = transport;
    const send = transport.send.bind(transport);
    const observed: Pick<Transport, 'onmessage' | 'send' | 'onclose'> = {
      onmessage: (message, extra) => {
        if ('method' in message && 'id' in message) this.#begin(message, extra);
      },
      send: (message, options) => {
        if ('id' in message && !('method' in message)) this.#answer(message);
        return send(message, options);
      },
      onclose: () => {
        onclose?.();
        for (const [id, request] of this.#open) if (!request.isHandled) this.#end(id, request, CANCELLED);
      },
    };
    Object.assign(transport, observed);
  }

  find(id: string | number): ObservedRequest | undefined {
    const request = this.#open.get(id);
    if (request) request.isHandled = true;
    return request;
  }

  #begin(message: JSONRPCRequest, extra: MessageExtraInfo | undefined): void {
    const { id, method } = message;
    const { params } = message as { params?: Record<string, unknown> };
    const meta = params?.['_meta'] as Record<string, unknown> | undefined;
    const headers = extra?.request?.headers;
    const revision = toText(meta?.[VERSION_KEY]) ?? headers?.get('mcp-protocol-version') ?? this.#revision;
    const tool = method === 'tools/call' ? toText(params?.['name']) : undefined;
    // Names of spans and labels are of closed sets; what a client made up is in an attribute only.
    const methodLabel = toMethodLabel(method);
    const isPublished = tool !== undefined && this.#options.toolNames.has(tool);
    const span = this.#tracer?.start({
      name: isPublished ? `${methodLabel} ${tool}` : methodLabel,
      kind: 'server',
      ...chooseParent(meta, headers),
      attributes: this.#toAttributes(message, { revision, tool, params }, extra?.request),
    });
    const request: OpenRequest = {
      span,
      startedAt: performance.now(),
      labels: {
        [ATTRIBUTE.METHOD]: methodLabel,
        [ATTRIBUTE.TOOL]: tool === undefined || isPublished ? tool : OTHER_TOOL,
        [ATTRIBUTE.OPERATION]: tool === undefined ? undefined : EXECUTE_TOOL,
        [ATTRIBUTE.PROTOCOL_VERSION]: revision !== undefined && REVISIONS.has(revision) ? revision : undefined,
      },
      isHandled: false,
      status: 'ok',
      settle: (status, isAnswered) => {
        request.status = status;
        if (!isAnswered) this.#end(id, request, CANCELLED);
      },
    };
    const [oldest] = this.#open.size >= MAX_OPEN ? this.#open.keys() : [];
    if (oldest !== undefined) this.#open.delete(oldest);
    this.#open.set(id, request);
  }

  #toAttributes(
    { id, method }: JSONRPCRequest,
    {
      revision,
      tool,
      params,
    }: { revision?: string | undefined; tool?: string | undefined; params?: Record<string, unknown> | undefined },
    request: Request | undefined,
  ): Attributes {
    const peer = peerOf(request);
    return {
      [ATTRIBUTE.METHOD]: method,
      [ATTRIBUTE.REQUEST_ID]: String(id),
      [ATTRIBUTE.TOOL]: tool,
      [ATTRIBUTE.OPERATION]: tool === undefined ? undefined : EXECUTE_TOOL,
      [ATTRIBUTE.RESOURCE_URI]: method === 'resources/read' ? toText(params?.['uri']) : undefined,
      [ATTRIBUTE.PROTOCOL_VERSION]: revision,
      [ATTRIBUTE.SESSION_ID]: request?.headers.get('mcp-session-id') ?? undefined,
      ...(this.#options.transport === 'stdio' ? OVER_STDIO : OVER_HTTP),
      [ATTRIBUTE.CLIENT_ADDRESS]: peer?.address,
      [ATTRIBUTE.CLIENT_PORT]: peer?.port,
      [ATTRIBUTE.TOOL_ARGUMENTS]:
        this.#options.recordsContent && tool !== undefined ? toJson(params?.['arguments']) : undefined,
    };
  }

  #answer(message: JSONRPCMessage & { id?: string | number | null }): void {
    const id = message.id ?? undefined;
    const request = id === undefined ? undefined : this.#open.get(id);
    if (id === undefined || !request) return;
    if ('error' in message) {
      const { code, message: text } = message.error;
      request.span?.set(ATTRIBUTE.STATUS_CODE, String(code));
      return this.#end(id, request, isCallerMistake(code) ? undefined : String(code), text);
    }
    const { result } = message as { result: Record<string, unknown> };
    if (request.labels[ATTRIBUTE.METHOD] === 'initialize') this.#revision = toText(result['protocolVersion']);
    if (this.#options.recordsContent && request.span?.isRecording && request.labels[ATTRIBUTE.TOOL] !== undefined) {
      request.span.set(ATTRIBUTE.TOOL_RESULT, toJson(result['structuredContent'] ?? result['content']) ?? '');
    }
    // The text of the error may repeat values of the statement; its code does not.
    if (result['isError'] === true) this.#end(id, request, TOOL_ERROR, request.status);
    else this.#end(id, request, undefined);
  }

  #end(id: string | number, request: OpenRequest, errorType: string | undefined, message?: string): void {
    this.#open.delete(id);
    if (errorType !== undefined) request.span?.fail(errorType, message);
    request.span?.end();
    this.#durations?.record((performance.now() - request.startedAt) / 1_000, {
      ...request.labels,
      [ATTRIBUTE.ERROR_TYPE]: errorType,
    });
  }
}

const OVER_STDIO = { [ATTRIBUTE.TRANSPORT]: 'pipe' };
const OVER_HTTP = {
  [ATTRIBUTE.TRANSPORT]: 'tcp',
  [ATTRIBUTE.NETWORK_PROTOCOL]: 'http',
  [ATTRIBUTE.NETWORK_PROTOCOL_VERSION]: '1.1',
};

/** The message's own context is the parent, and that of the HTTP request around it is linked; alone it is the parent. */
function chooseParent(
  meta: Record<string, unknown> | undefined,
  headers: Headers | undefined,
): { parent?: TraceContext; links?: TraceContext[] } {
  const own = parseTraceparent(meta?.['traceparent'], meta?.['tracestate']);
  const ambient = headers && parseTraceparent(headers.get('traceparent'), headers.get('tracestate'));
  if (!own) return ambient ? { parent: ambient } : {};
  const isSame = ambient?.traceId === own.traceId && ambient.spanId === own.spanId;
  return { parent: own, links: ambient && !isSame ? [ambient] : [] };
}

function toText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function toJson(value: unknown): string | undefined {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item));
}
