/** Sends all metrics at intervals, one request at a time; a failure is said in the log at its first time only. */
import type { Logger } from '../logger.ts';
import type { MetricRegistry } from '../metrics/registry.ts';
import { encodeMetrics } from './encode-metrics.ts';
import type { OtlpSender } from './otlp-sender.ts';

/** Options of {@link MetricPusher}. */
export interface MetricPusherOptions {
  registry: MetricRegistry;
  sender: OtlpSender;
  encodePrefix: (itemBytes: number) => Buffer;
  intervalMs: number;
  logger: Logger;
}

/** Sends until it is ended. */
export class MetricPusher {
  readonly #options: MetricPusherOptions;
  readonly #timer: NodeJS.Timeout;
  #sending: Promise<void> | undefined;
  #lastError: string | undefined;

  constructor(options: MetricPusherOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#push(true), options.intervalMs).unref();
  }

  /** Sends once more, within the time limit. */
  async end(limitMs: number): Promise<void> {
    clearInterval(this.#timer);
    const { sender } = this.#options;
    const timer = setTimeout(() => sender.close(), limitMs);
    await this.#sending;
    this.#push(false);
    await this.#sending;
    clearTimeout(timer);
    sender.close();
  }

  #push(repeat: boolean): void {
    this.#sending ??= this.#send(repeat).finally(() => {
      this.#sending = undefined;
    });
  }

  async #send(repeat: boolean): Promise<void> {
    const { registry, sender, encodePrefix, logger } = this.#options;
    const metrics = encodeMetrics(registry.collect(), { startMs: registry.startedAt, endMs: Date.now() });
    const outcome = await sender.send([encodePrefix(metrics.length), metrics], repeat);
    const error = outcome.kind === 'failed' ? outcome.error : undefined;
    if (error !== undefined && error !== this.#lastError) {
      logger.warn({ error }, 'metrics could not be sent; look at the receiver of OTEL_EXPORTER_OTLP_ENDPOINT');
    }
    this.#lastError = error;
  }
}
