/** Stands between an upstream and a receiver while the server's era is not known: holds back an answer that refuses. */
import type { CallFailure, ReplyHead, ReplyReceiver } from '../upstream/upstream.ts';

/** How a server refused: with an answer that the client may still get, or with none. */
export type Refusal =
  | { kind: 'answer'; status: number; tell: (receiver: ReplyReceiver) => void }
  | { kind: 'failed'; failure: CallFailure };

/** What becomes of the request. */
export interface WatchEvents {
  /** The server serves requests of this form. */
  accepted(): void;
  /** True: the request is sent anew, and the refusal is not told. */
  refused(refusal: Refusal): boolean;
}

const HTTP_ERROR = 400;
const SERVER_ERROR = 500;
/** No permission, too busy: says nothing of the era. */
const OTHER_REASONS = new Set([401, 403, 408, 413, 429]);

/** A receiver that lets answers through and tells of refusals. */
export class RefusalWatch implements ReplyReceiver {
  readonly #receiver: ReplyReceiver;
  readonly #events: WatchEvents;
  #refusedHead: (ReplyHead & { kind: 'json' }) | undefined;
  readonly #chunks: Buffer[] = [];

  constructor(receiver: ReplyReceiver, events: WatchEvents) {
    this.#receiver = receiver;
    this.#events = events;
  }

  start(head: ReplyHead): void {
    if (head.kind === 'json' && isRefusal(head.status)) {
      this.#refusedHead = head;
      return;
    }
    if (head.kind === 'events' || head.status < HTTP_ERROR) this.#events.accepted();
    this.#receiver.start(head);
  }

  data(chunk: Buffer): boolean {
    if (!this.#refusedHead) return this.#receiver.data(chunk);
    this.#chunks.push(chunk);
    return true;
  }

  end(): void {
    const head = this.#refusedHead;
    if (!head) return this.#receiver.end();
    const tell = (receiver: ReplyReceiver): void => {
      receiver.start(head);
      for (const chunk of this.#chunks) receiver.data(chunk);
      receiver.end();
    };
    if (!this.#events.refused({ kind: 'answer', status: head.status, tell })) tell(this.#receiver);
  }

  failed(failure: CallFailure): void {
    const isRefused = failure.kind === 'protocol-fault' || (failure.kind === 'not-mcp' && isRefusal(failure.status));
    if (!isRefused || !this.#events.refused({ kind: 'failed', failure })) this.#receiver.failed(failure);
  }
}

function isRefusal(status: number): boolean {
  return status >= HTTP_ERROR && status < SERVER_ERROR && !OTHER_REASONS.has(status);
}
