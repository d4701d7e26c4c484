import type {
  CallToolResult,
  ClientCapabilities,
  InputRequiredResult,
  ServerContext,
  Tool,
} from '@modelcontextprotocol/server';

/** What the tools of the conformance fixture share between calls; each call has a protocol server of its own. */
export interface FixtureState {
  /** In front of every tool and prompt name. */
  readonly prefix: string;
  /** Of every resource URI, without the colon. */
  readonly scheme: string;
  /** Adds or removes one entry of a list and tells every listener. */
  change(list: 'tools' | 'prompts'): void;
  /** Seals what has to come back unchanged with the client's next attempt. */
  seal(state: Record<string, unknown>): Promise<string>;
}

/** One tool of the conformance fixture; its name is without the prefix. */
export interface ConformanceTool {
  name: string;
  description: string;
  inputSchema: Tool['inputSchema'];
  run: ToolRun;
}

/** What a tool knows besides its arguments. */
export interface ToolState extends FixtureState {
  /** What the client declared when it began its session; in 2026-07-28 each request says it. */
  readonly sessionCapabilities: ClientCapabilities | undefined;
}

/** What a tool does. A tool that lacks input returns what it needs and is called again with it. */
export type ToolRun = (
  args: Record<string, unknown>,
  context: ServerContext,
  state: ToolState,
) => ToolOutcome | Promise<ToolOutcome>;

type ToolOutcome = CallToolResult | InputRequiredResult;

/** A tool without arguments. */
export function plainTool(name: string, description: string, run: ToolRun): ConformanceTool {
  return { name, description, inputSchema: { type: 'object', properties: {} }, run };
}
