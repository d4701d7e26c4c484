/**
 * A resource that is not there has another error code in the revisions with `initialize` (-32002) than in 2026-07-28
 * (-32602, S36), and servers of both eras mix them up. Answers longer than an error pass without being looked at.
 */
import { JSON_RPC_ERROR } from '@database-mcp/errors';
import { findValue, splice } from '../json-spans.ts';
import { LEGACY_NOT_FOUND, type CallFailure, type CallHandle, type ReplyHead } from '../upstream/upstream.ts';
import type { StreamedReply } from './message.ts';

/** An error that names a URI is far shorter. */
const MAX_ERROR_BYTES = 16 * 1024;
const OLD_CODE = String(LEGACY_NOT_FOUND);

/** Puts the code of 2026-07-28 into errors before `reply`. */
export function createNotFoundReply(reply: StreamedReply): StreamedReply {
  return new NotFoundReply(reply);
}

class NotFoundReply implements StreamedReply {
  readonly #reply: StreamedReply;
  /** Set as long as the whole may be an error. */
  #head: (ReplyHead & { kind: 'json' }) | undefined;
  #held: Buffer[] = [];
  #size = 0;

  constructor(reply: StreamedReply) {
    this.#reply = reply;
  }

  attach(call: CallHandle): void {
    this.#reply.attach(call);
  }

  start(head: ReplyHead): void {
    if (head.kind === 'json' && (head.length ?? 0) <= MAX_ERROR_BYTES) this.#head = head;
    else this.#reply.start(head);
  }

  data(chunk: Buffer): boolean {
    if (!this.#head) return this.#reply.data(chunk);
    this.#held.push(chunk);
    this.#size += chunk.length;
    return this.#size <= MAX_ERROR_BYTES || this.#passHeld(this.#head, this.#held);
  }

  end(): void {
    if (this.#head) {
      const answer = withModernCode(Buffer.concat(this.#held));
      this.#passHeld({ ...this.#head, length: answer.length }, [answer]);
    }
    this.#reply.end();
  }

  failed(failure: CallFailure): void {
    this.#reply.failed(failure);
  }

  #passHeld(head: ReplyHead, chunks: readonly Buffer[]): boolean {
    this.#head = undefined;
    this.#held = [];
    this.#reply.start(head);
    let isTaken = true;
    for (const chunk of chunks) isTaken = this.#reply.data(chunk) && isTaken;
    return isTaken;
  }
}

function withModernCode(answer: Buffer): Buffer {
  if (!answer.includes(OLD_CODE)) return answer;
  const span = findValue(answer, 'error', 'code');
  const isOld = span !== undefined && answer.toString('latin1', span.start, span.end) === OLD_CODE;
  return isOld ? splice(answer, span, String(JSON_RPC_ERROR.INVALID_PARAMS)) : answer;
}
