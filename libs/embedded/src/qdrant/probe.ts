/** Asks a server who it is: `GET /` of Qdrant, without keeping a connection. */
import { get as getHttp } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';

/** What a server at a URL turned out to be. */
export type QdrantProbe =
  { readonly kind: 'qdrant'; readonly version: string } | { readonly kind: 'other'; readonly problem: string };

const MAX_ANSWER_CHARACTERS = 10_000;
const UNKNOWN_VERSION = 'unknown';

function classify(status: number, text: string): QdrantProbe {
  // A server behind a key keeps even its name to itself; the key is the caller's business.
  if (status === 401 || status === 403) return { kind: 'qdrant', version: UNKNOWN_VERSION };
  try {
    const { title, version } = JSON.parse(text) as { title?: unknown; version?: unknown };
    if (typeof title === 'string' && title.includes('qdrant')) return { kind: 'qdrant', version: String(version) };
  } catch {
    // Not JSON, so not Qdrant.
  }
  return { kind: 'other', problem: `something that is not Qdrant answers there (HTTP ${status})` };
}

async function readAnswer(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += String(chunk);
    if (text.length > MAX_ANSWER_CHARACTERS) break;
  }
  return text;
}

/** Probes the URL once. */
export function probeQdrant(url: string, timeoutMs: number): Promise<QdrantProbe> {
  return new Promise((resolve) => {
    const fail = (error: NodeJS.ErrnoException): void =>
      resolve({
        kind: 'other',
        problem: error.code ?? (error.name === 'TimeoutError' ? 'no answer in time' : error.message),
      });
    const get = url.startsWith('https:') ? getHttps : getHttp;
    const root = new URL(url.endsWith('/') ? url : `${url}/`);
    get(root, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      readAnswer(response).then((text) => resolve(classify(response.statusCode ?? 0, text)), fail);
    }).on('error', fail);
  });
}
