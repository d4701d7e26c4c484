/** Batches: only revision 2025-03-26 has them. Each message is served by itself; the answers come together in one array. */
import { findValue, listElements } from '../json-spans.ts';
import { collectReply } from '../upstream/collect-reply.ts';
import type { CallHandle, ReplyReceiver } from '../upstream/upstream.ts';
import type { Classifier } from './classify.ts';
import { isObject } from '../protocol.ts';
import { cancelledId, type ClientCalls } from './legacy-cancellation.ts';
import { serveMessage } from './serve-message.ts';
import type { Outlet, Peer, StreamedReply } from './message.ts';
import type { GatewayCore } from './gateway-core.ts';

/** The answers are gathered in memory, so all of them together are bounded. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
const HTTP_OK = 200;

/** A parsed batch and its source text. */
export interface Batch {
  bytes: Buffer;
  verdict: { messages: readonly unknown[] };
  headers: Readonly<Record<string, string>>;
  peer?: Peer;
}

/**
 * Serves all messages side by side and answers them as an array, or with 202 if none has an answer. `client` holds the
 * calls that its notifications can cancel and what its answers belong to; a cancelled call has no answer, and the others are not held up by it.
 */
export async function serveBatch(
  { core, classifier }: { core: GatewayCore; classifier: Classifier },
  batch: Batch,
  outlet: Outlet,
  closed: AbortSignal,
  client?: ClientCalls,
): Promise<void> {
  const { messages } = batch.verdict;
  const spans = listElements(batch.bytes, findValue(batch.bytes)?.start ?? 0);
  const calls = new Set<CallHandle>();
  closed.addEventListener('abort', () => calls.forEach((call) => call.cancel()), { once: true });
  const answers = await Promise.all(
    messages.map((body, index) => {
      const span = spans[index];
      const bytes = span ? batch.bytes.subarray(span.start, span.end) : Buffer.alloc(0);
      const limit = Math.floor(MAX_ANSWER_BYTES / messages.length);
      const element = { bytes, body, headers: batch.headers, peer: batch.peer, limit };
      return answerOf({ core, classifier, calls, client }, element);
    }),
  );
  const given = answers.filter((answer) => answer !== undefined);
  if (given.length === 0) return outlet.accept();
  outlet.send(HTTP_OK, Buffer.concat([Buffer.from('['), ...joined(given), Buffer.from(']')]));
}

interface BatchElement {
  bytes: Buffer;
  body: unknown;
  headers: Readonly<Record<string, string>>;
  /** The largest answer, in bytes. */
  limit: number;
  peer: Peer | undefined;
}

interface Serving {
  core: GatewayCore;
  classifier: Classifier;
  /** Of the whole batch. */
  calls: Set<CallHandle>;
  client: ClientCalls | undefined;
}

async function answerOf(serving: Serving, element: BatchElement): Promise<Buffer | undefined> {
  const { core, classifier, calls, client } = serving;
  const verdict = classifier.classify({}, element.body);
  if (verdict.kind === 'batch') return undefined;
  const cancelled = cancelledId(verdict);
  if (cancelled !== undefined) client?.cancel(cancelled);
  if (verdict.kind === 'no-reply' && isObject(element.body)) client?.answer(element.body, element.bytes);
  let answer: Promise<Buffer | undefined> | undefined;
  await serveMessage(
    core,
    { ...element, verdict },
    {
      send: (_status, json) => {
        answer = Promise.resolve(Buffer.from(json));
      },
      accept: () => {},
      stream: (toAnswer) => {
        const { reply, collected } = gather(element.limit, calls);
        const given = collected.then((outcome) => {
          if (outcome.kind === 'message') return outcome.message;
          return Buffer.from(toAnswer(outcome.kind === 'failed' ? outcome.failure : { kind: 'cut-off' }));
        });
        answer = client ? untilCancelled(client, element, given, reply) : given;
        return reply;
      },
    },
  );
  return answer;
}

/** The answer, or nothing as soon as the client cancels the call. */
function untilCancelled(
  client: ClientCalls,
  { body }: BatchElement,
  given: Promise<Buffer>,
  reply: GatheredReply,
): Promise<Buffer | undefined> {
  const cancelled = Promise.withResolvers<undefined>();
  const forget = client.add(JSON.stringify(isObject(body) ? body['id'] : null), () => {
    reply.cancel();
    cancelled.resolve(undefined);
  });
  return Promise.race([given, cancelled.promise]).finally(forget);
}

/** A streamed reply that is not sent, but kept. */
interface GatheredReply extends StreamedReply {
  cancel(): void;
}

/** A streamed reply whose whole answer is wanted. */
function gather(
  limit: number,
  calls: Set<CallHandle>,
): { reply: GatheredReply; collected: ReturnType<typeof collectReply> } {
  let receiver: ReplyReceiver | undefined;
  let call: CallHandle | undefined;
  let isCancelled = false;
  const collected = collectReply((created) => {
    receiver = created;
    return { cancel: () => call?.cancel(), resume: () => call?.resume() };
  }, limit);
  if (!receiver) throw new Error('the reply has no receiver');
  const { start, data, end, failed } = receiver;
  const attach = (handle: CallHandle): void => {
    call = handle;
    calls.add(handle);
    if (isCancelled) handle.cancel();
  };
  const cancel = (): void => {
    isCancelled = true;
    call?.cancel();
  };
  return { reply: { start, data, end, failed, attach, cancel }, collected };
}

function joined(answers: readonly Buffer[]): Buffer[] {
  return answers.flatMap((answer, index) => (index === 0 ? [answer] : [Buffer.from(','), answer]));
}
