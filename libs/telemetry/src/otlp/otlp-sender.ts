/** Sends encoded telemetry over OTLP/HTTP with protobuf, one request at a time; a failed request is repeated a few times. */
import { Agent as HttpAgent, request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** Where telemetry goes. */
export interface OtlpTarget {
  /** The whole URL of the signal, such as `http://127.0.0.1:4318/v1/traces`. */
  url: string;
  headers: Readonly<Record<string, string>>;
  /** Of one request. */
  timeoutMs: number;
  compression: 'none' | 'gzip';
}

/** What came of sending; `error` is of a closed set: `timeout`, `unreachable` or an HTTP status. */
export type SendOutcome = { kind: 'sent' } | { kind: 'failed'; error: string };

/** Sends one body after the other. */
export interface OtlpSender {
  /** The body comes in parts. `repeat: false`: once only, as when the process ends. */
  send(body: readonly Buffer[], repeat: boolean): Promise<SendOutcome>;
  close(): void;
}

const MAX_ATTEMPTS = 3;
const FIRST_PAUSE_MS = 1_000;
const JITTER = 0.3;
/** A receiver that asks for more patience is asked again with the next batch. */
const MAX_PAUSE_MS = 5_000;
/** OTLP: these may be repeated, all others must not. */
const REPEATABLE = new Set([429, 502, 503, 504]);
const HTTP_OK = 200;
const HTTP_REDIRECT = 300;
const MS_PER_SECOND = 1_000;

type Attempt = SendOutcome | { kind: 'repeat'; error: string; pauseMs?: number };

const compress = promisify(gzip);

/** Creates the sender; it connects at the first request. */
export function createOtlpSender(target: OtlpTarget): OtlpSender {
  const url = new URL(target.url);
  const isSecure = url.protocol === 'https:';
  const agent = isSecure
    ? new HttpsAgent({ keepAlive: true, maxSockets: 1 })
    : new HttpAgent({ keepAlive: true, maxSockets: 1 });
  const closed = new AbortController();
  let current: ClientRequest | undefined;
  const attempt = (body: readonly Buffer[]): Promise<Attempt> =>
    new Promise((resolve) => {
      const headers = {
        ...target.headers,
        ...(target.compression === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
        'content-type': 'application/x-protobuf',
        'content-length': body.reduce((total, part) => total + part.length, 0),
      };
      const options = { method: 'POST', headers, agent };
      const onResponse = (response: IncomingMessage): void => {
        response.resume();
        response.on('end', () => {
          clearTimeout(timer);
          resolve(judge(response));
        });
      };
      const request: ClientRequest = isSecure
        ? requestHttps(url, options, onResponse)
        : requestHttp(url, options, onResponse);
      current = request;
      const timer = setTimeout(() => {
        resolve({ kind: 'repeat', error: 'timeout' });
        request.destroy();
      }, target.timeoutMs);
      request.on('error', () => resolve({ kind: 'repeat', error: 'unreachable' }));
      request.on('close', () => {
        clearTimeout(timer);
        // An answer that was cut off has neither an end nor an error of the request.
        resolve({ kind: 'repeat', error: 'unreachable' });
      });
      for (const part of body) request.write(part);
      request.end();
    });
  return {
    send: async (plain, repeat) => {
      if (closed.signal.aborted) return { kind: 'failed', error: 'unreachable' };
      const body = target.compression === 'gzip' ? [await compress(Buffer.concat(plain))] : plain;
      for (let count = 1, pause = FIRST_PAUSE_MS; ; count++, pause *= 2) {
        const outcome = await attempt(body);
        if (outcome.kind !== 'repeat') return outcome;
        if (!repeat || count >= MAX_ATTEMPTS || closed.signal.aborted) return { kind: 'failed', error: outcome.error };
        const wait = Math.min(MAX_PAUSE_MS, outcome.pauseMs ?? pause * (1 - JITTER * Math.random()));
        // The end of the process ends the pause too, and the next attempt with it.
        await delay(wait, undefined, { signal: closed.signal, ref: false }).catch(() => {});
      }
    },
    close: () => {
      closed.abort();
      current?.destroy();
      agent.destroy();
    },
  };
}

function judge({ statusCode = 0, headers }: IncomingMessage): Attempt {
  if (statusCode >= HTTP_OK && statusCode < HTTP_REDIRECT) return { kind: 'sent' };
  if (!REPEATABLE.has(statusCode)) return { kind: 'failed', error: String(statusCode) };
  const seconds = Number(headers['retry-after']);
  const pause = Number.isFinite(seconds) && seconds >= 0 ? { pauseMs: seconds * MS_PER_SECOND } : {};
  return { kind: 'repeat', error: String(statusCode), ...pause };
}
