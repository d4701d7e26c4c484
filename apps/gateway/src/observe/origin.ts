/** What a request to an upstream belongs to: the message that a client sent, or a task of the gateway's own. */
import type { Span } from '@database-mcp/telemetry';
import type { Outcome } from './outcome.ts';

/** The origin of requests to upstreams. */
export interface Origin {
  /** Undefined when nothing is traced. */
  readonly span: Span | undefined;
  /** `baggage` that travels along. */
  readonly baggage: string | undefined;
  /** What the client asked for; one of the methods of MCP. */
  readonly method: string;
  readonly protocolVersion: string | undefined;
  /** As the client wrote it. */
  readonly requestId: string | undefined;
  /** What the method names: a tool, a prompt or the URI of a resource. */
  readonly target: Target | undefined;
  /** The upstream that was asked last, for the log. */
  upstream?: string;
  /** What an answer tells, only while its end is passed on. */
  outcome?: Outcome;
}

/** What a method names. */
export interface Target {
  kind: 'tool' | 'prompt' | 'uri';
  /** The name that clients know. */
  name: string;
  /** It is in a list, so it may be a label and part of a span's name. */
  isListed: boolean;
}
