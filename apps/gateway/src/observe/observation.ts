/** One message of a client under observation: its SERVER span, its metrics and its log line, all written at its end. */
import {
  ATTRIBUTE,
  EXECUTE_TOOL,
  OTHER_TOOL,
  type CallLine,
  type Histogram,
  type Span,
  type TraceContext,
} from '@database-mcp/telemetry';
import { LEGACY_VERSIONS, MODERN_VERSION } from '../protocol.ts';
import type { Origin, Outcome, Target } from '../upstream/upstream.ts';
import { serverErrorType } from './outcome.ts';
import { cutClientText } from './shared-attributes.ts';

/** Where observations are written to. */
export interface ObservationSinks {
  callLog: ((line: CallLine) => void) | undefined;
  duration: Histogram | undefined;
  resultSize: Histogram | undefined;
}

/** What is known of the message at its beginning. */
export interface ObservedMessage extends Omit<Origin, 'upstream' | 'outcome'> {
  /** The trace that its log line names. */
  trace: TraceContext | undefined;
  /** Whether it has a log line of its own at level info: calls have, lists do not. */
  isLogged: boolean;
}

/** The message, until its answer is out. */
export class Observation implements Origin {
  readonly span: Span | undefined;
  readonly baggage: string | undefined;
  readonly method: string;
  readonly protocolVersion: string | undefined;
  readonly requestId: string | undefined;
  readonly target: Target | undefined;
  upstream: string | undefined;
  outcome: Outcome | undefined;
  readonly #sinks: ObservationSinks;
  readonly #isLogged: boolean;
  readonly #trace: TraceContext | undefined;
  readonly #startedAt = performance.now();
  #isFinished = false;

  constructor(message: ObservedMessage, sinks: ObservationSinks) {
    this.span = message.span;
    this.baggage = message.baggage;
    this.method = message.method;
    this.protocolVersion = message.protocolVersion;
    this.requestId = message.requestId;
    this.target = message.target;
    this.#isLogged = message.isLogged;
    this.#trace = message.trace;
    this.#sinks = sinks;
  }

  /** Writes everything; only the first time counts. `bytes`: of the answer. */
  finish(outcome: Outcome, bytes: number): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    const ms = performance.now() - this.#startedAt;
    const errorType = serverErrorType(outcome);
    if (this.span) endSpan(this.span, outcome, errorType);
    const { duration, resultSize, callLog } = this.#sinks;
    if (duration) duration.record(ms / 1_000, toLabels(this, errorType));
    if (resultSize && this.target?.kind === 'tool') resultSize.record(bytes, { [ATTRIBUTE.TOOL]: toolLabel(this) });
    if (!this.#isLogged) return;
    callLog?.({
      tool: cutClientText(this.target?.name ?? this.method),
      upstream: this.upstream,
      status: statusOf(outcome),
      durationMs: Math.round(ms * 10) / 10,
      bytes,
      trace: this.#trace,
    });
  }
}

/** The status in the log: `ok`, `tool_error`, the code of a JSON-RPC error, or why there was no answer. */
function statusOf(outcome: Outcome): string {
  if (outcome.kind === 'rpc-error') return String(outcome.code);
  return serverErrorType(outcome) ?? 'ok';
}

/** Ends a span with what became of its request. */
export function endSpan(span: Span, outcome: Outcome, errorType: string | undefined): void {
  if (span.isRecording) {
    if (outcome.kind === 'rpc-error') span.set(ATTRIBUTE.STATUS_CODE, String(outcome.code));
    if (errorType !== undefined) span.fail(errorType, outcome.kind === 'rpc-error' ? outcome.message : undefined);
  }
  span.end();
}

/** Revisions that are served; others are not told in labels. */
const REVISIONS: ReadonlySet<unknown> = new Set([MODERN_VERSION, ...LEGACY_VERSIONS]);

/** Labels of the duration metrics; all of closed sets. */
export function toLabels(origin: Origin, errorType: string | undefined): Record<string, string | undefined> {
  const { method, target, protocolVersion } = origin;
  return {
    [ATTRIBUTE.METHOD]: method,
    [ATTRIBUTE.TOOL]: target?.kind === 'tool' ? toolLabel(origin) : undefined,
    [ATTRIBUTE.PROMPT]: target?.kind === 'prompt' && target.isListed ? target.name : undefined,
    [ATTRIBUTE.OPERATION]: target?.kind === 'tool' ? EXECUTE_TOOL : undefined,
    [ATTRIBUTE.PROTOCOL_VERSION]: REVISIONS.has(protocolVersion) ? protocolVersion : undefined,
    [ATTRIBUTE.ERROR_TYPE]: errorType,
  };
}

function toolLabel({ target }: Origin): string {
  return target?.isListed ? target.name : OTHER_TOOL;
}

/** The span's name: with the tool or prompt where that is one of a closed set. */
export function toSpanName(method: string, target: Target | undefined): string {
  return target?.isListed && target.kind !== 'uri' ? `${method} ${target.name}` : method;
}
