/** Starts spans that are recorded, and writes each as OTLP when it ends (opentelemetry-proto, trace.proto). */
import { ATTRIBUTE } from '../names.ts';
import { RANDOM, SAMPLED, type TraceContext } from '../trace-context.ts';
import type { Attributes, Span, SpanKind, SpanOptions, Tracer } from '../tracer.ts';
import { toWallMs } from './clock.ts';
import { writeAttributes } from './encode-attributes.ts';
import { encode } from './encode-request.ts';
import type { ProtobufWriter } from './protobuf-writer.ts';
import { randomSpanId, randomTraceId } from './random-ids.ts';
import type { Sampler } from './sampler.ts';

/** Takes spans that have ended. */
export interface SpanSink {
  /** Gives a writer that takes one span as field `spans` of `ScopeSpans`, or undefined when there is no room. */
  open(): ProtobufWriter | undefined;
  /** The span is written. */
  close(): void;
}

const KIND: Record<SpanKind, number> = { internal: 1, server: 2, client: 3 };
const STATUS_ERROR = 2;
/** The message of a JSON-RPC error is somebody else's text. */
const MAX_STATUS_CHARS = 1_024;
/** Links are few; this bounds what one message can cause. */
const MAX_LINKS = 8;
const LENGTH_DELIMITED = 2;
const SPANS_FIELD = 2;
const FIELD = {
  TRACE_ID: 1,
  SPAN_ID: 2,
  TRACE_STATE: 3,
  PARENT_SPAN_ID: 4,
  NAME: 5,
  KIND: 6,
  START: 7,
  END: 8,
  ATTRIBUTES: 9,
  LINKS: 13,
  STATUS: 15,
  FLAGS: 16,
} as const;
const LINK_FLAGS = 6;
const STATUS = { MESSAGE: 2, CODE: 3 } as const;

/** Creates the tracer. */
export function createRecordingTracer(sampler: Sampler, sink: SpanSink): Tracer {
  return {
    start: (options) => {
      const context = createContext(options.parent, sampler);
      return (context.flags & SAMPLED) === 0 ? new UnsampledSpan(context) : new RecordingSpan(context, options, sink);
    },
  };
}

function createContext(parent: TraceContext | undefined, sampler: Sampler): TraceContext {
  const traceId = parent?.traceId ?? randomTraceId();
  const spanId = randomSpanId();
  const random = parent ? parent.flags & RANDOM : RANDOM;
  const flags = random | (sampler(parent, traceId) ? SAMPLED : 0);
  return parent?.state === undefined ? { traceId, spanId, flags } : { traceId, spanId, flags, state: parent.state };
}

class UnsampledSpan implements Span {
  readonly context: TraceContext;
  readonly isRecording = false;

  constructor(context: TraceContext) {
    this.context = context;
  }

  set(): void {}
  fail(): void {}
  end(): void {}
}

class RecordingSpan implements Span {
  readonly context: TraceContext;
  readonly isRecording = true;
  readonly #options: SpanOptions;
  readonly #attributes: Attributes;
  readonly #sink: SpanSink;
  readonly #startedAt = performance.now();
  #hasFailed = false;
  #message: string | undefined;
  #isEnded = false;

  constructor(context: TraceContext, options: SpanOptions, sink: SpanSink) {
    this.context = context;
    this.#options = options;
    this.#attributes = options.attributes ?? {};
    this.#sink = sink;
  }

  set(name: string, value: string | number | boolean): void {
    this.#attributes[name] = value;
  }

  fail(errorType: string, message?: string): void {
    this.#hasFailed = true;
    this.#message = message;
    this.#attributes[ATTRIBUTE.ERROR_TYPE] = errorType;
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const writer = this.#sink.open();
    if (!writer) return;
    writer.tag(SPANS_FIELD, LENGTH_DELIMITED);
    const start = writer.begin();
    this.#write(writer, performance.now());
    writer.end(start);
    this.#sink.close();
  }

  #write(writer: ProtobufWriter, endedAt: number): void {
    const { traceId, spanId, state, flags } = this.context;
    const { parent, name, kind, links, shared } = this.#options;
    const startMs = toWallMs(this.#startedAt);
    writer.hexField(FIELD.TRACE_ID, traceId);
    writer.hexField(FIELD.SPAN_ID, spanId);
    if (state !== undefined) writer.stringField(FIELD.TRACE_STATE, state);
    if (parent) writer.hexField(FIELD.PARENT_SPAN_ID, parent.spanId);
    writer.stringField(FIELD.NAME, name);
    writer.varintField(FIELD.KIND, KIND[kind]);
    writer.timeField(FIELD.START, startMs);
    writer.timeField(FIELD.END, startMs + (endedAt - this.#startedAt));
    if (shared)
      writer.raw((shared.encoded ??= encode((target) => writeAttributes(target, FIELD.ATTRIBUTES, shared.attributes))));
    writeAttributes(writer, FIELD.ATTRIBUTES, this.#attributes);
    for (const link of links?.slice(0, MAX_LINKS) ?? []) writeLink(writer, link);
    if (this.#hasFailed) this.#writeStatus(writer);
    writer.fixed32Field(FIELD.FLAGS, flags);
  }

  #writeStatus(writer: ProtobufWriter): void {
    writer.tag(FIELD.STATUS, LENGTH_DELIMITED);
    const status = writer.begin();
    if (this.#message !== undefined) writer.stringField(STATUS.MESSAGE, this.#message.slice(0, MAX_STATUS_CHARS));
    writer.varintField(STATUS.CODE, STATUS_ERROR);
    writer.end(status);
  }
}

function writeLink(writer: ProtobufWriter, { traceId, spanId, state, flags }: TraceContext): void {
  writer.tag(FIELD.LINKS, LENGTH_DELIMITED);
  const link = writer.begin();
  writer.hexField(FIELD.TRACE_ID, traceId);
  writer.hexField(FIELD.SPAN_ID, spanId);
  if (state !== undefined) writer.stringField(FIELD.TRACE_STATE, state);
  writer.fixed32Field(LINK_FLAGS, flags);
  writer.end(link);
}
