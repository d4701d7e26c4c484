/**
 * Generated messages pass the gateway byte for byte, in both directions, eras and framings; of generated tools every
 * byte but the name stays. `FC_SEED=… node --test e2e/src/properties.test.ts` repeats a run.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Arbitrary } from 'fast-check';
import { startByteUpstream, type Planned } from './byte-upstream.ts';
import { createPoster, startGateway } from './gateway-process.ts';
import {
  BLOCKS,
  cuts,
  envelope,
  error,
  exactly,
  extra,
  icons,
  META_PREFIX,
  planOf,
  progress,
  progressToken,
  result,
  resultOf,
  toEvent,
} from './generated-messages.ts';
import { chooseSeed, jsonId, jsonObject, jsonString, jsonValue, maybe, member, unknownMembers } from './json-text.ts';

const RUNS = 1_000;
/** A name that the upstream's tools carry already, and one that gets its prefix from the gateway. */
const NAMES = [
  { published: 'plain_query', upstream: 'plain_query' },
  { published: 'foreign_query', upstream: 'query' },
] as const;

/** A client of 2025-06-18 and later knows every type of content; one that does not name its revision may. */
const VERSIONS = ['2026-07-28', undefined, '2025-11-25', '2025-06-18'] as const;
/** What older clients know; the rest is translated for them (`old-revisions.test.ts`). */
const OLD_RESULTS = new Map<string | undefined, Arbitrary<string>>([
  ['2025-03-26', resultOf(fc.array(oneOf('text', 'image', 'audio', 'resource'), { minLength: 1, maxLength: 4 }))],
  ['2024-11-05', resultOf(fc.array(oneOf('text', 'image', 'resource'), { minLength: 1, maxLength: 4 }))],
]);

function oneOf(...types: readonly (keyof typeof BLOCKS)[]): Arbitrary<string> {
  return fc.oneof(...types.map((type) => BLOCKS[type]));
}

interface Exchange {
  isModern: boolean;
  version: string | undefined;
  name: (typeof NAMES)[number];
  /** The request with a mark where the name stands. */
  request: string;
  plan: Planned;
}

/** Stands for the name while the text is generated; no generated text holds it. */
const NAME_MARK = '"<the name>"';

/** A request of one of these revisions and the text of an answer with the same id. */
function message(versions: readonly (string | undefined)[]): Arbitrary<Omit<Exchange, 'plan'> & { answer: string }> {
  return fc.tuple(fc.constantFrom(...versions), jsonId).chain(([version, id]) => {
    const isModern = version === '2026-07-28';
    return fc.record({
      isModern: fc.constant(isModern),
      version: fc.constant(version),
      name: fc.constantFrom(...NAMES),
      request: jsonObject(
        member('jsonrpc', exactly('2.0')),
        member('id', fc.constant(id)),
        member('method', exactly('tools/call')),
        member(
          'params',
          jsonObject(
            member('name', fc.constant(NAME_MARK)),
            maybe('arguments', jsonObject(unknownMembers(5))),
            isModern ? member('_meta', envelope()) : maybe('_meta', jsonObject(progressToken, unknownMembers())),
          ),
        ),
      ),
      answer: jsonObject(
        member('jsonrpc', exactly('2.0')),
        member('id', fc.constant(id)),
        fc.oneof(
          { weight: 5, arbitrary: member('result', OLD_RESULTS.get(version) ?? result) },
          { weight: 1, arbitrary: member('error', error) },
        ),
      ),
    });
  });
}

/** An error comes with a status of its own at times. */
const jsonExchange: Arbitrary<Exchange> = fc
  .tuple(message([...VERSIONS, ...OLD_RESULTS.keys()]), cuts, fc.boolean(), fc.constantFrom(200, 200, 400, 404, 500))
  .map(([{ answer, ...rest }, parts, hasLength, errorStatus]) => {
    const status = Object.hasOwn(JSON.parse(answer) as object, 'error') ? errorStatus : 200;
    return { ...rest, plan: planOf('application/json', answer, parts, hasLength, status) };
  });

/** The answer as the last of some events, with all that may stand between them. */
const eventExchange: Arbitrary<Exchange> = fc
  .tuple(
    message(VERSIONS),
    cuts,
    fc.array(
      fc.oneof(
        fc.constantFrom(': keep-alive\n\n', ':\r\n\r\n', 'retry: 100\n\n', 'id: 7\ndata:\n\n'),
        progress.map((text) => toEvent(text, '\n')),
        jsonObject(unknownMembers()).map((params) => {
          const text = `{"jsonrpc":"2.0","method":"notifications/message","params":${params}}`;
          return toEvent(text, '\n');
        }),
      ),
      { maxLength: 4 },
    ),
    fc.constantFrom('\n', '\r\n'),
  )
  .map(([{ answer, ...rest }, parts, before, lineEnd]) => ({
    ...rest,
    plan: planOf('text/event-stream', before.join('') + toEvent(answer, lineEnd), parts, false),
  }));

function headersOf({ isModern, version, name }: Exchange): Record<string, string> {
  return {
    ...(version === undefined ? {} : { 'mcp-protocol-version': version }),
    ...(isModern ? { 'mcp-method': 'tools/call', 'mcp-name': name.published } : {}),
  };
}

const FRAMINGS = [
  { framing: 'JSON', exchanges: jsonExchange },
  { framing: 'event streams', exchanges: eventExchange },
];

for (const { framing, exchanges } of FRAMINGS) {
  test(`generated calls and results pass byte for byte, answered as ${framing}`, async (t) => {
    const tools = NAMES.map(({ upstream }) => [`{"name":"${upstream}","inputSchema":{"type":"object"}}`]);
    const upstream = await startByteUpstream(t, { tools });
    const gateway = await startGateway(t, [
      { name: 'plain', url: upstream.url(0) },
      { name: 'foreign', url: upstream.url(1) },
    ]);
    const poster = createPoster();
    t.after(() => poster.close());
    // What a server speaks is found out with its first answers; from then on nothing is looked at.
    upstream.plan = planOf('application/json', '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}', [], true);
    for (const { published } of NAMES) {
      const params = { name: published };
      await poster.post(gateway.url, {}, JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
    }
    const seed = chooseSeed();
    t.diagnostic(`seed ${seed}, ${RUNS} cases`);
    const passes = fc.asyncProperty(exchanges, async (exchange) => {
      upstream.plan = exchange.plan;
      upstream.seen.length = 0;
      const [published, upstreamName] = [exchange.name.published, exchange.name.upstream];
      const sent = exchange.request.replace(NAME_MARK, () => JSON.stringify(published));
      const expected = exchange.request.replace(NAME_MARK, () => JSON.stringify(upstreamName));
      const answer = await poster.post(gateway.url, headersOf(exchange), sent);
      assert.equal(upstream.seen[0]?.body.toString('utf8'), expected, answer.body.toString('utf8'));
      assert.deepEqual(upstream.seen[0]?.body, Buffer.from(expected));
      if (exchange.isModern) assert.equal(upstream.seen[0]?.headers['mcp-name'], upstreamName);
      assert.equal(answer.body.toString('utf8'), exchange.plan.bytes.toString('utf8'));
      assert.deepEqual(answer.body, exchange.plan.bytes);
      // Errors of old revisions come with 200.
      const status = OLD_RESULTS.has(exchange.version) ? 200 : exchange.plan.status;
      assert.deepEqual([answer.status, answer.isCutOff], [status, false]);
      assert.match(answer.headers['content-type'] ?? '', new RegExp(exchange.plan.contentType));
      assert.equal(upstream.seen.length, 1, 'one upstream request');
    });
    await fc.assert(passes, {
      numRuns: RUNS,
      seed,
      endOnFailure: false,
      interruptAfterTimeLimit: 15_000,
      markInterruptAsFailure: true,
    });
  });
}

/** A tool with what a client may not know yet. */
function toolText(name: string): Arbitrary<string> {
  const schema = jsonObject(
    member('type', exactly('object')),
    maybe('properties', jsonObject(properties)),
    unknownMembers(),
  );
  return jsonObject(
    member('name', exactly(name)),
    member('inputSchema', schema),
    maybe('description', jsonString),
    maybe('title', jsonString),
    maybe('outputSchema', schema),
    maybe('annotations', jsonObject(maybe('readOnlyHint', fc.constantFrom('true', 'false')), unknownMembers())),
    icons,
    extra,
    unknownMembers(),
  );
}
const properties = fc
  .tuple(
    fc.constantFrom('id', 'limit', 'großer Name', 'a"b'),
    jsonObject(
      maybe('type', fc.constantFrom('"integer"', '[ "string" , "null" ]')),
      maybe('minimum', fc.constantFrom('-9007199254740993', '-0', '1e400')),
      maybe('const', jsonValue),
      maybe('x-unknown', jsonValue),
    ),
  )
  .map(([key, value]) => [{ key: JSON.stringify(key), value }]);

test('of generated tools every byte but the name is published, in the form of both eras', async (t) => {
  const [upstreams, each] = [22, 10];
  const seed = chooseSeed();
  t.diagnostic(`seed ${seed}, ${upstreams * each} tools`);
  const names = Array.from({ length: each }, (_, index) => `tool_${index}`);
  const lists = fc.sample(fc.tuple(...names.map(toolText)), { numRuns: upstreams, seed });
  const upstream = await startByteUpstream(t, { tools: lists });
  const gateway = await startGateway(
    t,
    lists.map((_, index) => ({ name: `db${index}`, url: upstream.url(index) })),
  );
  const poster = createPoster();
  t.after(() => poster.close());
  const legacy = await poster.post(gateway.url, {}, '{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
  const meta = `{"${META_PREFIX}protocolVersion":"2026-07-28","${META_PREFIX}clientCapabilities":{}}`;
  const modern = await poster.post(
    gateway.url,
    { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' },
    `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":${meta}}}`,
  );
  const expected = lists.flatMap((tools, index) =>
    tools.map((text, number) => text.replace(/"name"(\s*):(\s*)"tool_\d+"/, `"name"$1:$2"db${index}_tool_${number}"`)),
  );
  for (const answer of [legacy, modern]) {
    const text = answer.body.toString('utf8');
    for (const tool of expected) assert.ok(text.includes(tool), `seed ${seed}: not published as it is: ${tool}`);
    assert.ok(text.includes(expected.join(',')), `seed ${seed}: other tools, or in another order`);
    assert.equal((JSON.parse(text) as { result: { tools: unknown[] } }).result.tools.length, expected.length + 2);
  }
});
