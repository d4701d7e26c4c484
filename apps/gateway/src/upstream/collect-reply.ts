/** Gathers a whole answer, for lists, probes and batches; calls of clients are streamed instead. */
import { readEvents } from './event-stream.ts';
import type { CallFailure, CallHandle, ReplyReceiver } from './upstream.ts';

/** A whole answer: the JSON-RPC response, or why there is none. */
export type CollectedReply =
  { kind: 'message'; message: Buffer } | { kind: 'too-large' } | { kind: 'failed'; failure: CallFailure };

/** Starts a call with a receiver that keeps at most `limit` bytes, and waits for its end. */
export function collectReply(start: (receiver: ReplyReceiver) => CallHandle, limit: number): Promise<CollectedReply> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let isEventStream = false;
    const handle = start({
      start: (head) => {
        isEventStream = head.kind === 'events';
      },
      data: (chunk) => {
        size += chunk.length;
        if (size > limit) {
          handle.cancel();
          resolve({ kind: 'too-large' });
        } else chunks.push(chunk);
        return true;
      },
      end: () => {
        const bytes = Buffer.concat(chunks);
        const message = isEventStream ? readEvents(bytes).findLast((event) => event.isResponse)?.data : bytes;
        resolve(message ? { kind: 'message', message } : { kind: 'failed', failure: { kind: 'cut-off' } });
      },
      failed: (failure) => resolve({ kind: 'failed', failure }),
    });
  });
}
