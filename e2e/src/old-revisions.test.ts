/**
 * Generated results for clients of 2025-03-26 and 2024-11-05: what they cannot read becomes text, and every other byte
 * stays. `FC_SEED=… node --test e2e/src/old-revisions.test.ts` repeats a run.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEvents } from '@database-mcp/testing';
import * as fc from 'fast-check';
import type { Arbitrary } from 'fast-check';
import { startByteUpstream } from './byte-upstream.ts';
import { createPoster, startGateway } from './gateway-process.ts';
import { BLOCKS, cuts, exactly, extra, planOf, progress, toEvent } from './generated-messages.ts';
import { chooseSeed, jsonObject, jsonValue, maybe, member, unknownMembers } from './json-text.ts';

const RUNS = 300;
const CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"plain_query"}}';

interface Result {
  /** Source text of each block, with its type. */
  blocks: { type: string; text: string }[];
  /** Source text of the members beside the content. */
  others: string[];
  message: string;
}

const typedBlock = fc
  .constantFrom(...Object.keys(BLOCKS))
  .chain((type) => BLOCKS[type as keyof typeof BLOCKS].map((text) => ({ type, text })));

const result: Arbitrary<Result> = fc
  .tuple(
    fc.array(typedBlock, { minLength: 1, maxLength: 4 }),
    fc.tuple(maybe('structuredContent', jsonValue), extra, unknownMembers()),
  )
  .chain(([blocks, parts]) => {
    const others = parts.flat();
    const content = `[${blocks.map(({ text }) => text).join(' ,')}]`;
    return jsonObject(
      member('jsonrpc', exactly('2.0')),
      member('id', fc.constant('1')),
      member('result', jsonObject(fc.constant(others), member('content', fc.constant(content)))),
    ).map((message) => ({ blocks, others: others.map(({ value }) => value), message }));
  });

const UNKNOWN = new Map([
  ['2025-03-26', new Set(['resource_link'])],
  ['2024-11-05', new Set(['resource_link', 'audio'])],
]);

/** Line breaks stand between tokens only. */
function onOneLine(text: string): string {
  return text.replaceAll(/\r\n|\r|\n/g, ' ');
}

function assertReadable(text: string, { blocks, others }: Result, unknown: ReadonlySet<string>): void {
  const { content } = (JSON.parse(text) as { result: { content: { type: string }[] } }).result;
  const types = blocks.map(({ type }) => (unknown.has(type) ? 'text' : type));
  assert.deepEqual(
    content.map(({ type }) => type),
    types,
  );
  const line = onOneLine(text);
  let from = line.indexOf('"content"');
  for (const { type, text: block } of blocks) {
    if (unknown.has(type)) continue;
    const at = line.indexOf(onOneLine(block), from);
    assert.ok(at >= 0, `not as it was: ${block}\nin ${text}`);
    from = at + 1;
  }
  for (const value of others) assert.ok(line.includes(onOneLine(value)), `not as it was: ${value}\nin ${text}`);
}

for (const [version, unknown] of UNKNOWN) {
  for (const framing of ['application/json', 'text/event-stream'] as const) {
    test(`what a client of ${version} cannot read becomes text, all else stays, answered as ${framing}`, async (t) => {
      const upstream = await startByteUpstream(t, {
        tools: [['{"name":"plain_query","inputSchema":{"type":"object"}}']],
      });
      const gateway = await startGateway(t, [{ name: 'plain', url: upstream.url(0) }]);
      const poster = createPoster();
      t.after(() => poster.close());
      const seed = chooseSeed();
      t.diagnostic(`seed ${seed}, ${RUNS} cases`);
      const isStream = framing === 'text/event-stream';
      const reads = fc.asyncProperty(
        result,
        cuts,
        fc.array(progress, { maxLength: 2 }),
        async (given, parts, notes) => {
          const events = [...notes, given.message].map((text) => toEvent(text, '\n')).join('');
          upstream.plan = planOf(framing, isStream ? events : given.message, parts, false);
          const answer = await poster.post(gateway.url, { 'mcp-protocol-version': version }, CALL);
          assert.equal(answer.headers['content-type'], framing);
          const text = answer.body.toString('utf8');
          if (!isStream) return assertReadable(text, given, unknown);
          const messages = readEvents(text);
          assert.deepEqual(messages.slice(0, -1), notes.map(onOneLine));
          assertReadable(messages.at(-1) ?? '', given, unknown);
        },
      );
      await fc.assert(reads, { numRuns: RUNS, seed, endOnFailure: false });
    });
  }
}
