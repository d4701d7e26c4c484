/** Clients that can be asked, of every SDK generation, era and transport; and a server of 2026-07-28 that asks. */
import type { TestContext } from 'node:test';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { answerJson, startTestUpstream, toolText, type TestUpstream } from '../test-upstream.ts';

/** What the clients answer. */
export const ANSWERS = {
  form: { action: 'accept' as const, content: { table: 'orders' } },
  url: { action: 'accept' as const },
  model: { role: 'assistant' as const, model: 'm', content: { type: 'text' as const, text: 'orders' } },
  roots: { roots: [{ uri: 'file:///data', name: 'data' }] },
};
const CAPABILITIES = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

/** A connected client. */
export interface AskableTestClient {
  /** Calls a tool; its text, or the message of its error. */
  call(name: string): Promise<string>;
  /** The URLs that it was asked to open. */
  readonly opened: string[];
}

function textOf({ content }: { content?: unknown; [member: string]: unknown }): string {
  const [block] = Array.isArray(content) ? content : [];
  return String(block?.text);
}

async function connectModern(t: TestContext, url: string, mode: 'legacy' | '2026-07-28'): Promise<AskableTestClient> {
  const opened: string[] = [];
  const client = new ModernClient(
    { name: 'v2', version: '1' },
    { capabilities: CAPABILITIES, versionNegotiation: { mode: mode === 'legacy' ? mode : { pin: mode } } },
  );
  client.setRequestHandler('elicitation/create', ({ params }) => {
    if (params.mode !== 'url') return ANSWERS.form;
    opened.push(params.url);
    return ANSWERS.url;
  });
  client.setRequestHandler('sampling/createMessage', () => ANSWERS.model);
  client.setRequestHandler('roots/list', () => ANSWERS.roots);
  t.after(() => client.close());
  await client.connect(new ModernTransport(new URL(`${url}/mcp`)));
  return { opened, call: async (name) => textOf(await client.callTool({ name })) };
}

async function connectFirstGeneration(
  t: TestContext,
  url: string,
  transport: 'http' | 'sse',
): Promise<AskableTestClient> {
  const opened: string[] = [];
  const client = new Client({ name: 'v1', version: '1' }, { capabilities: CAPABILITIES });
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    if (params.mode !== 'url') return ANSWERS.form;
    opened.push(params.url);
    return ANSWERS.url;
  });
  client.setRequestHandler(CreateMessageRequestSchema, () => ANSWERS.model);
  client.setRequestHandler(ListRootsRequestSchema, () => ANSWERS.roots);
  t.after(() => client.close());
  await client.connect(
    transport === 'http'
      ? new StreamableHTTPClientTransport(new URL(`${url}/mcp`))
      : new SSEClientTransport(new URL(`${url}/sse`)),
  );
  return { opened, call: async (name) => textOf(await client.callTool({ name })) };
}

/** Every kind of client, by what it is. */
export const CLIENTS: Readonly<Record<string, (t: TestContext, url: string) => Promise<AskableTestClient>>> = {
  'a modern client': (t, url) => connectModern(t, url, '2026-07-28'),
  'a legacy client (SDK v2)': (t, url) => connectModern(t, url, 'legacy'),
  'a legacy client (SDK v1)': (t, url) => connectFirstGeneration(t, url, 'http'),
  'a legacy client over HTTP+SSE': (t, url) => connectFirstGeneration(t, url, 'sse'),
};

const FORM =
  '{"method":"elicitation/create","params":{"message":"Which table?","requestedSchema":{"type":"object","properties":{"table":{"type":"string"}}}}}';
const MODEL =
  '{"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"?"}}],"maxTokens":10}}';
const ROOTS = '{"method":"roots/list"}';
const URL_VISIT =
  '{"method":"elicitation/create","params":{"mode":"url","message":"Log in.","url":"https://example.com/login"}}';

/** What each tool asks, round by round: source text of `inputRequests`. */
const ROUNDS: Readonly<Record<string, readonly string[]>> = {
  form: [`{"f":${FORM}}`],
  model: [`{"m":${MODEL}}`],
  roots: [`{"r":${ROOTS}}`],
  all: [`{"f":${FORM},"m":${MODEL},"r":${ROOTS}}`],
  twice: [`{"f":${FORM}}`, `{"m":${MODEL}}`],
  visit: [`{"u":${URL_VISIT}}`],
  pause: [''],
  endless: Array.from({ length: 100 }, () => `{"r":${ROOTS}}`),
};

/** A server that knows 2026-07-28 alone; its state counts the rounds and is checked. */
export function startModernAsking(t: TestContext): Promise<TestUpstream> {
  return startTestUpstream(t, {
    tools: Object.keys(ROUNDS).map((name) => toolText(name)),
    onRequest: ({ body, raw }, response) => {
      if (raw.includes('io.modelcontextprotocol/protocolVersion')) return false;
      answerJson(
        response,
        `{"jsonrpc":"2.0","id":${JSON.stringify(body.id)},"error":{"code":-32022,"message":"no"}}`,
        400,
      );
      return true;
    },
    onCall: ({ body, raw }, response) => {
      const { params } = JSON.parse(raw) as {
        params: { name: string; requestState?: string; inputResponses?: object };
      };
      const round = params.requestState === undefined ? 0 : Number(/^round "(\d+)"$/.exec(params.requestState)?.[1]);
      const asked = ROUNDS[params.name]?.[round];
      const state = JSON.stringify(`round "${round + 1}"`);
      const requests = asked === undefined || asked === '' ? '' : `"inputRequests":${asked},`;
      const responses = Object.values(params.inputResponses ?? {});
      const text = JSON.stringify(JSON.stringify(responses.length === 1 ? responses[0] : responses));
      const result =
        asked === undefined
          ? `{"content":[{"type":"text","text":${text}}],"resultType":"complete"}`
          : `{"resultType":"input_required",${requests}"requestState":${state}}`;
      answerJson(response, `{"jsonrpc":"2.0","id":${JSON.stringify(body.id)},"result":${result}}`);
    },
  });
}
