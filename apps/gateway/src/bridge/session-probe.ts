/**
 * Finds out whether a server keeps the sessions that it gives ids for. Many hand out an id that nobody stores; one that
 * keeps them refuses an id that it never gave.
 */
import { randomBytes } from 'node:crypto';
import type { Dispatcher } from 'undici';
import type { UpstreamConfig } from '../config.ts';
import { LEGACY_VERSIONS } from '../protocol.ts';
import { createPool, toOwnHeaders } from '../upstream/http-upstream.ts';
import { exchange } from './http-exchange.ts';

const SESSION_HEADER = 'mcp-session-id';
/** Answers of a server that does not know a session, or has no `initialize` (1.9). */
const UNKNOWN = new Set([400, 404]);
const HTTP_OK = 200;
const HTTP_ERROR = 300;

/** Undefined: it could not be told. Takes at most `timeoutMs`. */
export async function keepsSessions(
  config: UpstreamConfig,
  clientInfo: object,
  timeoutMs: number,
): Promise<boolean | undefined> {
  const url = new URL(config.url);
  const pool = createPool(url, 1);
  const own = toOwnHeaders(url, config.headers);
  const path = `${url.pathname}${url.search}`;
  const headers = { ...own, 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const post = (message: object, session: Record<string, string> = {}): Promise<Head | undefined> =>
    ask(pool, { path, method: 'POST', headers: { ...headers, ...session }, body: JSON.stringify(message) }, timeoutMs);
  try {
    const params = { protocolVersion: LEGACY_VERSIONS[0], capabilities: {}, clientInfo };
    const opened = await post({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    if (opened && UNKNOWN.has(opened.status)) return false;
    if (!opened || !isSuccess(opened.status)) return undefined;
    const id = opened.headers[SESSION_HEADER];
    if (typeof id !== 'string') return false;
    const session = { 'mcp-protocol-version': LEGACY_VERSIONS[0] };
    const pinged = await post(
      { jsonrpc: '2.0', id: 1, method: 'ping' },
      { ...session, [SESSION_HEADER]: madeUpLike(id) },
    );
    await ask(pool, { path, method: 'DELETE', headers: { ...headers, ...session, [SESSION_HEADER]: id } }, timeoutMs);
    if (pinged && UNKNOWN.has(pinged.status)) return true;
    return pinged && isSuccess(pinged.status) ? false : undefined;
  } finally {
    await pool.destroy();
  }
}

/** Anything else (no permission, too busy, a fault) says nothing of sessions. */
function isSuccess(status: number): boolean {
  return status >= HTTP_OK && status < HTTP_ERROR;
}

interface Head {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** The beginning of the answer, or undefined if there is none in time. The rest is not waited for. */
function ask(pool: Dispatcher, options: Dispatcher.DispatchOptions, timeoutMs: number): Promise<Head | undefined> {
  return new Promise((resolve) => {
    let head: Head | undefined;
    const done = (): void => {
      clearTimeout(timer);
      resolve(head);
    };
    const sent = exchange(pool, options, {
      head: (status, headers) => {
        head = { status, headers };
      },
      data: () => {},
      end: done,
      failed: done,
    });
    const timer = setTimeout(() => {
      sent.abort();
      done();
    }, timeoutMs);
  });
}

/** An id of the same form that the server has never given. */
function madeUpLike(id: string): string {
  const digits = randomBytes(id.length).toString('hex');
  return id.replaceAll(/[0-9a-z]/gi, (_digit, at: number) => digits[at] ?? '0');
}
