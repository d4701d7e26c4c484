/**
 * Changes the messages of an upstream's answer on its way to the client; only for the few that cannot pass as they are.
 * JSON is gathered up to a limit, event streams are passed on event by event.
 */
import { toPublishedUri } from '../catalogue/published-uris.ts';
import { rewriteMessage } from '../catalogue/rewrite-uris.ts';
import type { CallFailure, CallHandle, ReplyHead } from '../upstream/upstream.ts';
import type { StreamedReply } from './message.ts';

/** One message that must be held whole; results of this size are far beyond what a model reads. */
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
const LF = 0x0a;
const CR = 0x0d;

/** Gives the message that takes the place of another; the same one if nothing is to change. */
export type ChangeMessage = (message: Buffer) => Buffer;

/** Puts the translation of an upstream's URIs before `reply`. */
export function createRewritingReply(reply: StreamedReply, upstream: string): StreamedReply {
  const translate = (uri: string): string => toPublishedUri(upstream, uri);
  return createChangingReply(reply, (message) => rewriteMessage(message, translate));
}

/** Puts a change of every message before `reply`. */
export function createChangingReply(reply: StreamedReply, change: ChangeMessage): StreamedReply {
  return new ChangingReply(reply, change);
}

class ChangingReply implements StreamedReply {
  readonly #reply: StreamedReply;
  readonly #change: ChangeMessage;
  #call: CallHandle | undefined;
  #head: ReplyHead | undefined;
  /** The message, or the event, that is not whole yet. */
  #held: Buffer[] = [];
  #size = 0;
  #isFailed = false;

  constructor(reply: StreamedReply, change: ChangeMessage) {
    this.#reply = reply;
    this.#change = change;
  }

  attach(call: CallHandle): void {
    this.#call = call;
    this.#reply.attach(call);
  }

  start(head: ReplyHead): void {
    this.#head = head;
    if (head.kind === 'events') this.#reply.start(head);
  }

  data(chunk: Buffer): boolean {
    if (this.#isFailed) return true;
    this.#size += chunk.length;
    if (this.#size > MAX_MESSAGE_BYTES) {
      this.#call?.cancel();
      this.failed({ kind: 'too-large', limit: MAX_MESSAGE_BYTES });
      return true;
    }
    this.#held.push(chunk);
    return this.#head?.kind === 'events' && chunk.includes(LF) ? this.#passEvents() : true;
  }

  end(): void {
    if (this.#isFailed) return;
    const rest = Buffer.concat(this.#held);
    if (this.#head?.kind === 'events') {
      if (rest.length > 0) this.#reply.data(rest);
      return this.#reply.end();
    }
    const text = this.#change(rest);
    this.#reply.start({ kind: 'json', status: this.#head?.status ?? 200, length: text.length });
    this.#reply.data(text);
    this.#reply.end();
  }

  failed(failure: CallFailure): void {
    if (this.#isFailed) return;
    this.#isFailed = true;
    this.#held = [];
    this.#reply.failed(failure);
  }

  /** Passes on what is whole. */
  #passEvents(): boolean {
    const bytes = Buffer.concat(this.#held);
    const end = endOfLastEvent(bytes);
    if (end === 0) {
      this.#held = [bytes];
      return true;
    }
    const rest = Buffer.from(bytes.subarray(end));
    this.#held = [rest];
    this.#size = rest.length;
    return this.#reply.data(this.#changeEvents(bytes.subarray(0, end)));
  }

  #changeEvents(bytes: Buffer): Buffer {
    const out: Buffer[] = [];
    let data: Buffer[] = [];
    for (const line of listLines(bytes)) {
      const content = withoutEnd(line);
      if (content.toString('latin1', 0, 5) === 'data:') {
        data.push(content.subarray(content[5] === 0x20 ? 6 : 5));
        continue;
      }
      if (content.length === 0 && data.length > 0) {
        out.push(this.#toDataLines(data));
        data = [];
      }
      out.push(line);
    }
    return Buffer.concat(out);
  }

  #toDataLines(data: readonly Buffer[]): Buffer {
    const joined = Buffer.concat(data.flatMap((line, index) => (index === 0 ? [line] : [Buffer.of(LF), line])));
    const lines = this.#change(joined).toString('utf8').split('\n');
    return Buffer.from(lines.map((line) => `data: ${line}\n`).join(''));
  }
}

/** Lines with their ends. */
function listLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, start)) {
    lines.push(bytes.subarray(start, at + 1));
    start = at + 1;
  }
  return lines;
}

function withoutEnd(line: Buffer): Buffer {
  return line.subarray(0, line.length - (line.at(-2) === CR ? 2 : 1));
}

/** Just after the last blank line, or 0. */
function endOfLastEvent(bytes: Buffer): number {
  for (let at = bytes.lastIndexOf(LF); at > 0; at = bytes.lastIndexOf(LF, at - 1)) {
    const before = bytes[at - 1] === CR ? at - 2 : at - 1;
    if (bytes[before] === LF) return at + 1;
    if (before <= 0) return 0;
  }
  return 0;
}
