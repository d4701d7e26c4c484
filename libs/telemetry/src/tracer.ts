/**
 * Spans as the code of every process sees them. They are recorded by hand, where something happens; how they are kept
 * and sent is `otlp/`, which is loaded only when traces are exported.
 */
import type { TraceContext } from './trace-context.ts';

/** `server`: it serves a request; `client`: it makes one to another process; `internal`: neither. */
export type SpanKind = 'server' | 'client' | 'internal';

/** Attributes by name; undefined ones are left out. Long texts are cut to 4,096 characters. */
export type Attributes = Record<string, string | number | boolean | undefined>;

/** Attributes that many spans have in common: put into their final form once. */
export interface SharedAttributes {
  readonly attributes: Readonly<Attributes>;
  /** Belongs to the exporter. */
  encoded?: Buffer;
}

/** What a span begins with. */
export interface SpanOptions {
  name: string;
  kind: SpanKind;
  /** The span that this one belongs to, here or in another process; without one a trace begins. */
  parent?: TraceContext;
  /** Other spans that have to do with it. */
  links?: readonly TraceContext[];
  /** Besides `attributes`; the two must not have a name in common. */
  shared?: SharedAttributes;
  /** Taken over: the span owns the object. */
  attributes?: Attributes;
}

/** A span in progress. After `end` nothing has an effect. */
export interface Span {
  /** What children and the receivers of messages get as their parent. */
  readonly context: TraceContext;
  /** False: it is not sampled, and attributes need not be computed. */
  readonly isRecording: boolean;
  set(name: string, value: string | number | boolean): void;
  /** It has failed: `error.type`, of a closed set, and what happened in words that may leave the process. */
  fail(errorType: string, message?: string): void;
  end(): void;
}

/** Starts spans. */
export interface Tracer {
  start(options: SpanOptions): Span;
}
