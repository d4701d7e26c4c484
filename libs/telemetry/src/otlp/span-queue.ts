/**
 * Spans that wait to be sent, already encoded: a batch fills, and is sent when it is full or old enough, one request at
 * a time. Bounded in spans and bytes: while the receiver is slow or away, new spans are dropped and counted, and
 * nothing ever waits for it.
 */
import { LOSS, type LossReport } from './loss-report.ts';
import type { OtlpSender } from './otlp-sender.ts';
import { ProtobufWriter } from './protobuf-writer.ts';
import type { SpanSink } from './recording-tracer.ts';

/** Options of {@link SpanQueue}. */
export interface SpanQueueOptions {
  sender: OtlpSender;
  /** What stands before the spans of a request: the encoded resource and scope. Gets the bytes of the spans. */
  encodePrefix: (spanBytes: number) => Buffer;
  /** Longest time that a span waits for others. */
  delayMs: number;
  maxQueued: number;
  maxBatch: number;
  report: LossReport;
}

/** Spans have some hundred bytes; this bounds those with very long attributes. */
const MAX_QUEUED_BYTES = 16 * 1024 * 1024;
const FIRST_CAPACITY = 64 * 1024;

interface Batch {
  writer: ProtobufWriter;
  count: number;
}

/** The queue. */
export class SpanQueue implements SpanSink {
  readonly #options: SpanQueueOptions;
  readonly #waiting: Batch[] = [];
  #writer = new ProtobufWriter(FIRST_CAPACITY);
  /** Of the batch that was sent last, to be used again. */
  #spare: ProtobufWriter | undefined;
  #count = 0;
  /** Of the batches that wait. */
  #waitingSpans = 0;
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: SpanQueueOptions) {
    this.#options = options;
  }

  open(): ProtobufWriter | undefined {
    const isFull =
      this.#waitingSpans + this.#count >= this.#options.maxQueued ||
      this.#waitingBytes + this.#writer.length >= MAX_QUEUED_BYTES;
    if (!isFull && !this.#isClosed) return this.#writer;
    this.#options.report.lost(1, LOSS.QUEUE_FULL);
    return undefined;
  }

  close(): void {
    this.#count++;
    if (this.#count >= this.#options.maxBatch) this.#seal();
    else this.#timer ??= setTimeout(() => this.#seal(), this.#options.delayMs).unref();
  }

  /** Sends what there is, each batch once, within the time limit; takes nothing more. */
  async end(limitMs: number): Promise<void> {
    this.#isClosed = true;
    this.#seal();
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([this.#sending, limit]);
    clearTimeout(timer);
    this.#options.sender.close();
    await this.#sending;
  }

  #seal(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#count === 0) return;
    this.#waiting.push({ writer: this.#writer, count: this.#count });
    this.#waitingSpans += this.#count;
    this.#waitingBytes += this.#writer.length;
    this.#writer = this.#spare ?? new ProtobufWriter(FIRST_CAPACITY);
    this.#spare = undefined;
    this.#count = 0;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    for (let batch = this.#waiting.shift(); batch; batch = this.#waiting.shift()) {
      const { writer, count } = batch;
      const bytes = writer.bytes.subarray(0, writer.length);
      const body = [this.#options.encodePrefix(bytes.length), bytes];
      this.#waitingSpans -= count;
      this.#waitingBytes -= bytes.length;
      const outcome = await this.#options.sender.send(body, !this.#isClosed);
      if (outcome.kind === 'sent') this.#options.report.sent(count);
      else this.#options.report.lost(count, outcome.error);
      writer.length = 0;
      this.#spare = writer;
    }
  }
}
