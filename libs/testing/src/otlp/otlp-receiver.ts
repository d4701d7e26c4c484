/** An OTLP/HTTP receiver for tests: takes what processes export, keeps it, and can behave badly. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { listenLocally } from '../listen-locally.ts';
import { waitFor } from '../wait-for.ts';
import { decodeMetrics, decodeTraces, type ReceivedMetric, type ReceivedSpan } from './decode.ts';

/** How the receiver answers: as it should, with HTTP 500, with HTTP 503, or not at all. */
export type ReceiverMood = 'ok' | 'error' | 'overloaded' | 'silent';

/** Options of {@link startOtlpReceiver}. */
export interface OtlpReceiverOptions {
  /** Default 0: a free one. */
  port?: number;
  mood?: ReceiverMood;
}

/** A running receiver. */
export interface OtlpReceiver {
  readonly port: number;
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  mood: ReceiverMood;
  /** All spans so far. */
  readonly spans: readonly ReceivedSpan[];
  /** The metrics of the last request. */
  readonly metrics: readonly ReceivedMetric[];
  /** Requests so far, whatever they were answered. */
  readonly requests: readonly { path: string; headers: IncomingHttpHeaders }[];
  /** Waits until there is a span like that, and gives it. */
  waitForSpan(what: string, isIt: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan>;
  stop(): Promise<void>;
}

const STATUS: Readonly<Record<Exclude<ReceiverMood, 'silent'>, number>> = { ok: 200, error: 500, overloaded: 503 };

/** Starts the receiver; it ends with the test, or at `stop`. */
export async function startOtlpReceiver(
  t?: { after(cleanUp: () => Promise<void>): void },
  options: OtlpReceiverOptions = {},
): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const requests: { path: string; headers: IncomingHttpHeaders }[] = [];
  let metrics: readonly ReceivedMetric[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url ?? '';
      requests.push({ path, headers: request.headers });
      if (receiver.mood === 'silent') return;
      if (receiver.mood === 'ok') {
        const sent = Buffer.concat(chunks);
        const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
        if (path.endsWith('/v1/traces')) spans.push(...decodeTraces(body));
        else if (path.endsWith('/v1/metrics')) metrics = decodeMetrics(body);
      }
      response.writeHead(STATUS[receiver.mood], { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  const { port, origin, stop } = await listenLocally(server, { port: options.port, t });
  const receiver: OtlpReceiver = {
    port,
    url: origin,
    mood: options.mood ?? 'ok',
    spans,
    requests,
    get metrics() {
      return metrics;
    },
    waitForSpan: (what, isIt) => waitFor(() => spans.find(isIt), { what: `the span of ${what}` }),
    stop,
  };
  return receiver;
}
