/** Rules about the list of tools: who is in it, how each is described, and what the list costs a model. */
import assert from 'node:assert/strict';
import { rpcRequest } from '../http-request.ts';
import type { ContractRule, ContractSubject } from './rule.ts';

/** A tool as the wire shows it. */
export interface ListedTool {
  name: string;
  description?: unknown;
  inputSchema?: Record<string, unknown>;
  outputSchema?: Record<string, unknown>;
  annotations?: Record<string, unknown>;
}

/** The usual rough measure: four bytes of English or JSON are about one token. */
const BYTES_PER_TOKEN = 4;
const HINTS = ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'];

/** Lists the tools in one plain request. */
export async function listTools(url: URL): Promise<{ tools: ListedTool[]; result: Record<string, unknown> }> {
  const { status, message, text } = await rpcRequest(url, 'tools/list');
  const result = message?.result;
  assert.ok(result && Array.isArray(result['tools']), `tools/list answered HTTP ${status}: ${text.slice(0, 500)}`);
  return { tools: result['tools'] as ListedTool[], result };
}

async function forEachTool(subject: ContractSubject, check: (tool: ListedTool) => void): Promise<void> {
  const { tools } = await listTools(subject.url);
  assert.ok(tools.length > 0, 'the list is empty');
  for (const tool of tools) check(tool);
}

/** The rules. */
export const definitionRules: readonly ContractRule[] = [
  {
    rule: 'lists exactly the expected tools',
    why: 'a tool more or less is a change of the public interface',
    check: async ({ url, expectedTools }) => {
      const { tools } = await listTools(url);
      assert.deepEqual(tools.map((tool) => tool.name).toSorted(), [...expectedTools].toSorted());
    },
  },
  {
    rule: 'gives every tool a name that all model APIs take',
    why: 'many accept only [A-Za-z0-9_-] and 64 characters',
    check: (subject) => forEachTool(subject, ({ name }) => assert.match(name, /^[A-Za-z0-9_-]{1,64}$/)),
  },
  {
    rule: 'describes every tool',
    why: 'the description is all that a model has to choose by',
    check: (subject) =>
      forEachTool(subject, ({ name, description }) => {
        assert.ok(typeof description === 'string' && description.length >= 10, `${name} has no description`);
      }),
  },
  {
    rule: 'says of every tool that gives values of a database that they are data',
    why: 'what others wrote into a database may look like a task for the model',
    check: async (subject) => {
      if (subject.resultForm !== 'table') return;
      await forEachTool(subject, ({ name, description }) => {
        assert.match(String(description), /data, not instructions/, `${name}: its description`);
      });
    },
  },
  {
    rule: 'gives every tool an input schema of type object',
    why: 'the specification demands it (S31)',
    check: (subject) =>
      forEachTool(subject, ({ name, inputSchema }) => {
        assert.equal(inputSchema?.['type'], 'object', `${name}: inputSchema.type`);
      }),
  },
  {
    rule: 'gives every tool an output schema',
    why: 'every answer has structured content',
    check: (subject) =>
      forEachTool(subject, ({ name, outputSchema }) => {
        assert.equal(outputSchema?.['type'], 'object', `${name}: outputSchema.type`);
      }),
  },
  {
    rule: 'decides all four annotation hints of every tool',
    why: 'the defaults of the specification are the worst case',
    check: (subject) =>
      forEachTool(subject, ({ name, annotations }) => {
        for (const hint of HINTS) assert.equal(typeof annotations?.[hint], 'boolean', `${name}: annotations.${hint}`);
      }),
  },
  {
    rule: 'keeps its tool definitions within the token budget',
    why: 'every client pays for them in every conversation',
    check: async ({ url, maxDefinitionTokens }) => {
      const { result } = await listTools(url);
      const tokens = Math.ceil(Buffer.byteLength(JSON.stringify(result)) / BYTES_PER_TOKEN);
      assert.ok(tokens < maxDefinitionTokens, `${tokens} tokens, of which ${maxDefinitionTokens} are allowed`);
    },
  },
  {
    rule: 'lists its tools in the same bytes every time',
    why: 'prompt caches of models depend on it',
    check: async ({ url }) => {
      const [first, second] = [await rpcRequest(url, 'tools/list'), await rpcRequest(url, 'tools/list')];
      assert.equal(first.messageText, second.messageText);
    },
  },
];
