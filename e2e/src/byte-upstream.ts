/** An upstream that records the bytes of each call and answers with given bytes, in given pieces. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { listenLocally } from '@database-mcp/testing';

/** The answer to a call. */
export interface Planned {
  contentType: 'application/json' | 'text/event-stream';
  bytes: Buffer;
  /** Where the bytes are cut, ascending; each piece is a write of its own. */
  cuts: readonly number[];
  /** Told in a content-length header, or not at all. */
  hasLength: boolean;
  /** Default: 200. */
  status?: number;
}

/** A call as it arrived. */
export interface SeenCall {
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** A running byte upstream. */
export interface ByteUpstream {
  /** The endpoint with that index; each has its own list. */
  url(index: number): string;
  readonly seen: SeenCall[];
  /** What the next calls are answered with. */
  plan: Planned;
}

/** Lists besides tools. */
export type ByteLists = Readonly<Record<'prompts' | 'resources' | 'resourceTemplates', readonly string[]>>;

/** Options of {@link startByteUpstream}. */
export interface ByteUpstreamOptions {
  /** The source text of the tools of each endpoint. */
  tools: readonly (readonly string[])[];
  /** The source text of further lists of each endpoint. */
  lists?: readonly ByteLists[];
  /** Items of one page. Default: all. */
  pageSize?: number;
}

const LIST_FIELDS = '"resultType":"complete","ttlMs":600000,"cacheScope":"public"';

/** Starts the upstream in this process; it ends with the test. */
export async function startByteUpstream(
  t: Pick<TestContext, 'after'>,
  options: ByteUpstreamOptions,
): Promise<ByteUpstream> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const message: unknown = JSON.parse(body.toString('utf8'));
      if (PLANNED.has((message as Request).method)) {
        upstream.seen.push({ headers: request.headers, body });
        void answerInPieces(response, upstream.plan);
        return;
      }
      const index = Number(request.url?.slice('/'.length));
      const lists = { tools: options.tools[index] ?? [], ...options.lists?.[index] };
      const text = answerText(message as Request, lists, options.pageSize);
      response.writeHead(200, { 'content-type': 'application/json' }).end(text);
    });
  });
  const { origin } = await listenLocally(server, { t });
  const plan: Planned = { contentType: 'application/json', bytes: Buffer.from('{}'), cuts: [], hasLength: true };
  const upstream: ByteUpstream = { url: (index) => `${origin}/${index}`, seen: [], plan };
  return upstream;
}

async function answerInPieces(
  response: ServerResponse,
  { contentType, bytes, cuts, hasLength, status = 200 }: Planned,
): Promise<void> {
  response.writeHead(status, {
    'content-type': contentType,
    ...(hasLength ? { 'content-length': String(bytes.length) } : {}),
  });
  let from = 0;
  for (const cut of cuts) {
    if (cut <= from || cut >= bytes.length) continue;
    response.write(bytes.subarray(from, cut));
    from = cut;
    // The other side reads this piece before the next is sent; at once they would arrive as one.
    await delay(1);
  }
  response.end(bytes.subarray(from));
}

interface Request {
  id?: unknown;
  method: string;
  params?: { cursor?: string };
}

/** What is answered as planned. */
const PLANNED = new Set(['tools/call', 'prompts/get', 'resources/read']);
const MEMBERS = new Map<string, 'tools' | keyof ByteLists>([
  ['tools/list', 'tools'],
  ['prompts/list', 'prompts'],
  ['resources/list', 'resources'],
  ['resources/templates/list', 'resourceTemplates'],
]);

function answerText(
  { id, method, params }: Request,
  lists: { tools: readonly string[] } & Partial<ByteLists>,
  pageSize = Infinity,
): string {
  const key = MEMBERS.get(method);
  if (key !== undefined) {
    const items = lists[key] ?? [];
    const from = Number(params?.cursor ?? 0);
    const next = from + pageSize;
    const cursor = next < items.length ? `"nextCursor":"${next}",` : '';
    const page = items.slice(from, next).join(',');
    return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"${key}":[${page}],${cursor}${LIST_FIELDS}}}`;
  }
  if (method === 'server/discover') {
    const capabilities = lists.prompts ? '{"tools":{},"prompts":{},"resources":{}}' : '{"tools":{}}';
    const result = `{"supportedVersions":["2026-07-28"],"capabilities":${capabilities},${LIST_FIELDS}}`;
    return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`;
  }
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id ?? null)},"error":{"code":-32601,"message":"no such method"}}`;
}
