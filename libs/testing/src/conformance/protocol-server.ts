/**
 * One protocol server of the conformance fixture, for one request (2026-07-28, stateless legacy) or one session: it has
 * everything that the official suite asks for. Lists that come and go, sealed state and HTTP are its caller's.
 */
import {
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type CompleteResult,
  type RequestStateCodec,
} from '@modelcontextprotocol/server';
import { CHANGING_TOOL, CONTENT_TOOLS } from './content-tools.ts';
import { ELICITATION_TOOLS } from './elicitation-tools.ts';
import type { ConformanceTool, FixtureState } from './fixture-tool.ts';
import { INPUT_REQUIRED_TOOLS } from './input-required-tools.ts';
import { MIRRORED_TOOL } from './param-header.ts';
import { ARGUMENT_VALUES, CHANGING_PROMPT, PROMPTS } from './prompts.ts';
import { listResources, listTemplates, readResource } from './resources.ts';

/** What a protocol server is made from. */
export interface ProtocolServerParts {
  state: FixtureState;
  codec: RequestStateCodec<Record<string, unknown>>;
  /** Whether the entry that comes and goes is there now. */
  isChanged(list: 'tools' | 'prompts'): boolean;
}

const LIST_TTL_MS = 60_000;
const TOOLS = [...CONTENT_TOOLS, MIRRORED_TOOL, ...ELICITATION_TOOLS, ...INPUT_REQUIRED_TOOLS];

/** Creates one; it serves one request or one session. */
export function createProtocolServer(parts: ProtocolServerParts): Server {
  const { prefix } = parts.state;
  const hint = { ttlMs: LIST_TTL_MS, cacheScope: 'public' as const };
  const server = new Server(
    { name: `conformance fixture${prefix && ` ${prefix}`}`, version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        completions: {},
        logging: {},
      },
      instructions: 'A fixture for the conformance suite.',
      cacheHints: {
        'server/discover': hint,
        'tools/list': hint,
        'prompts/list': hint,
        'resources/list': hint,
        'resources/templates/list': hint,
        'resources/read': hint,
      },
      // Also where the client has sent a state that was changed: refused before a tool sees it.
      requestState: { verify: parts.codec.verify },
    },
  );
  serveTools(server, parts);
  servePrompts(server, parts);
  serveResources(server, parts.state.scheme);
  return server;
}

function serveTools(server: Server, { state, isChanged }: ProtocolServerParts): void {
  const tools = (): readonly ConformanceTool[] => (isChanged('tools') ? [...TOOLS, CHANGING_TOOL] : TOOLS);
  server.setRequestHandler('tools/list', () => ({
    tools: tools().map(({ run: _run, name, ...rest }) => ({ name: `${state.prefix}${name}`, ...rest })),
  }));
  server.setRequestHandler('tools/call', (request, context) => {
    const { name, arguments: args = {} } = request.params;
    const tool = tools().find((candidate) => `${state.prefix}${candidate.name}` === name);
    if (!tool) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool ${JSON.stringify(name)}.`);
    return tool.run(args, context, { ...state, sessionCapabilities: server.getClientCapabilities() });
  });
}

function servePrompts(server: Server, { state, isChanged }: ProtocolServerParts): void {
  const prompts = () => (isChanged('prompts') ? [...PROMPTS, CHANGING_PROMPT] : PROMPTS);
  const find = (name: string) => {
    const prompt = prompts().find((candidate) => `${state.prefix}${candidate.name}` === name);
    if (!prompt) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown prompt ${JSON.stringify(name)}.`);
    return prompt;
  };
  server.setRequestHandler('prompts/list', () => ({
    prompts: prompts().map(({ render: _render, name, ...rest }) => ({ name: `${state.prefix}${name}`, ...rest })),
  }));
  server.setRequestHandler('prompts/get', (request, context) => {
    const { name, arguments: args = {} } = request.params;
    const prompt = find(name);
    const missing = prompt.arguments?.find((argument) => argument.required && args[argument.name] === undefined);
    if (missing) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `The argument ${missing.name} is missing.`);
    return prompt.render(args, context);
  });
  server.setRequestHandler('completion/complete', (request): CompleteResult => {
    const { ref, argument } = request.params;
    if (ref.type === 'ref/prompt') find(ref.name);
    const known = ref.type === 'ref/prompt' ? ARGUMENT_VALUES : ['1', '12', '123'];
    const values = known.filter((value) => value.startsWith(argument.value));
    return { completion: { values, total: values.length, hasMore: false } };
  });
}

function serveResources(server: Server, scheme: string): void {
  server.setRequestHandler('resources/list', () => ({ resources: listResources(scheme) }));
  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: listTemplates(scheme) }));
  server.setRequestHandler('resources/read', (request) => readResource(scheme, request.params.uri));
  // Nothing here changes by itself: a subscription is accepted and stays silent.
  server.setRequestHandler('resources/subscribe', () => ({}));
  server.setRequestHandler('resources/unsubscribe', () => ({}));
}
