/** A legacy client in raw HTTP, which can be asked during its calls. */
import type { TestContext } from 'node:test';
import { post, until, type Answer } from '../test-gateway.ts';
import { readEvents } from '../upstream/event-stream.ts';

const ASKABLE = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

/** A legacy call in progress. */
export interface LegacyCall {
  /** What has arrived on its stream. */
  messages(): {
    id?: string;
    method?: string;
    params?: { requestId?: string };
    result?: { content: { text: string }[] };
  }[];
  gone: AbortController;
}

/** Begins a legacy session that can be asked; its id. */
export async function initialize(gateway: { url: string }, capabilities: object = ASKABLE): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'x', version: '1' } };
  const { headers } = await post(gateway, JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }));
  return headers.get('mcp-session-id') ?? '';
}

/** Headers of a request of that session. */
export function legacyHeaders(session: string): Record<string, string> {
  return { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' };
}

/** Calls a tool; settles when the first message has come. */
export async function callLegacy(
  t: TestContext,
  gateway: { url: string },
  session: string,
  name: string,
): Promise<LegacyCall> {
  const gone = new AbortController();
  t.after(() => gone.abort());
  const response = await fetch(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...legacyHeaders(session),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } }),
    signal: gone.signal,
  });
  let text = '';
  const read = async (): Promise<void> => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString('utf8');
  };
  read().catch(() => {});
  const messages = () => readEvents(Buffer.from(text)).map(({ data }) => JSON.parse(data.toString('utf8')));
  await until('something has come', () => messages().length > 0);
  return { messages, gone };
}

/** Answers what a client was asked. */
export function answer(gateway: { url: string }, session: string, id: string, result: object): Promise<Answer> {
  return post(gateway, JSON.stringify({ jsonrpc: '2.0', id, result }), legacyHeaders(session));
}
