/** Rules about calls: what a right one, a wrong one and an unknown one get, in every era. */
import assert from 'node:assert/strict';
import { connectClient, type ClientEra } from '../connect-client.ts';
import { LEGACY_VERSIONS, rpcRequest, type RpcAnswer } from '../http-request.ts';
import { listTools } from './definition-rules.ts';
import type { CallExample, ContractRule, ContractSubject } from './rule.ts';

const ERAS: readonly ClientEra[] = ['2026-07-28', 'auto', 'legacy'];

async function checkEra(subject: ContractSubject, era: ClientEra): Promise<void> {
  const client = await connectClient(subject.url, { era });
  try {
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map((tool) => tool.name).toSorted(), [...subject.expectedTools].toSorted());
    for (const { name, arguments: args } of subject.callExamples) {
      const result = await client.callTool({ name, arguments: args ?? {} });
      assert.ok(!result.isError, `${name} failed: ${JSON.stringify(result.content)}`);
      assert.ok(result.structuredContent !== undefined, `${name} gave no structuredContent`);
    }
  } finally {
    await client.close();
  }
}

function call(subject: ContractSubject, name: string, args: unknown, era: 'modern' | 'legacy'): Promise<RpcAnswer> {
  return rpcRequest(subject.url, 'tools/call', { era, params: { name, arguments: args } });
}

async function checkExample(subject: ContractSubject, example: CallExample, era: 'modern' | 'legacy'): Promise<void> {
  const answer = await call(subject, example.name, example.arguments ?? {}, era);
  const result = answer.message?.result;
  const said = answer.text.slice(0, 500);
  assert.ok(result && result['isError'] !== true, `${example.name} (${era}) answered HTTP ${answer.status}: ${said}`);
  const text = firstText(result);
  assert.ok(text !== undefined, `${example.name} (${era}) has no text block: ${said}`);
  // Compared by the source text of numbers: 9007199254740993 and 9007199254740992 are one number to JSON.parse.
  const exact = exactParse(answer.messageText) as { result: { structuredContent: unknown } };
  assert.deepEqual(exact.result.structuredContent, exactParse(text), `${example.name} (${era})`);
  if (subject.resultForm === 'table') assertTable(result['structuredContent'], example.name);
  example.check?.(result['structuredContent']);
}

function firstText(result: Record<string, unknown>): string | undefined {
  const blocks = result['content'] as { type?: unknown; text?: unknown }[] | undefined;
  const text = blocks?.find((block) => block.type === 'text')?.text;
  return typeof text === 'string' ? text : undefined;
}

/** JSON whose numbers are their own source text. */
function exactParse(text: string): unknown {
  return JSON.parse(text, toSourceText);
}

function toSourceText(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === 'number' ? `number ${context?.source}` : value;
}

function assertTable(value: unknown, name: string): void {
  const { columns, rows, rowCount, truncated } = (value ?? {}) as Record<string, unknown>;
  assert.ok(Array.isArray(columns) && Array.isArray(rows), `${name}: columns and rows are lists`);
  for (const column of columns as { name?: unknown; type?: unknown }[]) {
    assert.equal(typeof column.name, 'string', `${name}: every column has a name`);
    assert.equal(typeof column.type, 'string', `${name}: every column has a type`);
  }
  for (const row of rows as unknown[]) {
    assert.ok(Array.isArray(row) && row.length === columns.length, `${name}: a row has one value for each column`);
  }
  assert.equal(rowCount, rows.length, `${name}: rowCount`);
  assert.equal(typeof truncated, 'boolean', `${name}: truncated`);
}

/** A value that does not fit the property; undefined when none is sure not to. */
function wrongValue(schema: Record<string, unknown>): unknown {
  const text = JSON.stringify(schema);
  if (!text.includes('"type"')) return undefined;
  for (const [type, value] of [
    ['object', { wrong: true }],
    ['array', ['wrong', { wrong: true }]],
    ['string', 'wrong'],
  ] as const) {
    if (!text.includes(`"${type}"`)) return value;
  }
  return undefined;
}

async function checkWrongArguments(subject: ContractSubject): Promise<void> {
  const { tools } = await listTools(subject.url);
  for (const { name, inputSchema } of tools) {
    const properties = (inputSchema?.['properties'] ?? {}) as Record<string, Record<string, unknown>>;
    const required = (inputSchema?.['required'] ?? []) as string[];
    for (const property of required) await assertRefused(subject, name, {}, property);
    for (const [property, schema] of Object.entries(properties)) {
      const value = wrongValue(schema);
      // The others are missing too; the answer must name this one all the same.
      if (value !== undefined) await assertRefused(subject, name, { [property]: value }, property);
    }
  }
}

async function assertRefused(subject: ContractSubject, name: string, args: object, property: string): Promise<void> {
  const { message, text } = await call(subject, name, args, 'modern');
  const what = `${name}(${JSON.stringify(args)}) answered ${text.slice(0, 500)}`;
  assert.equal(message?.result?.['isError'], true, `isError is missing: ${what}`);
  assert.ok(firstText(message.result)?.includes(property), `the text does not name ${property}: ${what}`);
}

async function checkInitialize(subject: ContractSubject): Promise<void> {
  for (const protocolVersion of LEGACY_VERSIONS) {
    const clientInfo = { name: 'test-client', version: '1.0.0' };
    const params = { protocolVersion, capabilities: {}, clientInfo };
    const answer = await rpcRequest(subject.url, 'initialize', { era: 'legacy', params });
    assert.equal(answer.message?.result?.['protocolVersion'], protocolVersion, answer.text.slice(0, 500));
  }
  // An id may be given, for cancellations; but nothing may hang on it, or on its being the one that was given.
  for (const session of [undefined, 'nobody-ever-gave-this-id']) {
    const headers: Record<string, string> = session === undefined ? {} : { 'mcp-session-id': session };
    const answer = await rpcRequest(subject.url, 'tools/list', { era: 'legacy', headers });
    assert.ok(answer.message?.result, `with the session id ${session ?? '(none)'}: ${answer.text.slice(0, 500)}`);
  }
}

/** The rules. */
export const callRules: readonly ContractRule[] = [
  ...ERAS.map((era) => ({
    rule: `serves the official client in era ${era}`,
    why: 'one endpoint serves every revision',
    check: (subject: ContractSubject) => checkEra(subject, era),
  })),
  {
    rule: 'takes every legacy revision and keeps no session',
    why: 'replicas need no affinity',
    check: checkInitialize,
  },
  {
    rule: 'gives the same content as structure and as text',
    why: 'older clients see only the text, and numbers must be exact in both',
    check: async (subject) => {
      for (const example of subject.callExamples) {
        for (const era of ['modern', 'legacy'] as const) await checkExample(subject, example, era);
      }
    },
  },
  {
    rule: 'answers an unknown tool with -32602',
    why: 'the specification demands it (S34)',
    check: async (subject) => {
      for (const era of ['modern', 'legacy'] as const) {
        const { message, text } = await call(subject, 'no_such_tool', {}, era);
        assert.equal(message?.error?.code, -32602, `${era}: ${text.slice(0, 500)}`);
        assert.match(String(message.error.message), /no_such_tool/, 'the message names the tool');
      }
    },
  },
  {
    rule: 'answers wrong arguments with isError and names the argument',
    why: 'a model can correct only what it is told (S34)',
    check: checkWrongArguments,
  },
];
