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
import { chooseSeed, jsonId, jsonObject, jsonString, jsonValue, maybe, member, unknownMembers } from './json-text.ts';

const RUNS = 1_000;
const META_PREFIX = 'io.modelcontextprotocol/';
/** A name that the upstream's tools carry already, and one that gets its prefix from the gateway. */
const NAMES = [
  { published: 'plain_query', upstream: 'plain_query' },
  { published: 'foreign_query', upstream: 'query' },
] as const;

/** Revisions of which an older content form is known get that one instead: they are translated, not passed. */
const UNTRANSLATED = [undefined, '2025-11-25', '2025-06-18'] as const;

type Era = 'modern' | 'legacy';

interface Exchange {
  era: Era;
  version: string | undefined;
  name: (typeof NAMES)[number];
  /** The request with a mark where the name stands. */
  request: string;
  plan: Planned;
}

/** Stands for the name while the text is generated; no generated text holds it. */
const NAME_MARK = '"<the name>"';

const integer = fc.integer({ min: 0, max: 2 ** 31 }).map(String);
const base64 = fc.base64String({ minLength: 4, maxLength: 24 }).map((text) => JSON.stringify(text));
const exactly = (value: string): Arbitrary<string> => fc.constant(JSON.stringify(value));
const extra = maybe('_meta', jsonObject(unknownMembers()));
const annotations = maybe(
  'annotations',
  jsonObject(
    maybe('audience', fc.constantFrom('["user"]', '[ "assistant" , "user" ]', '[]')),
    maybe('priority', fc.constantFrom('0', '1.0', '0.5e0', '1E-1')),
    maybe('lastModified', exactly('2026-01-12T15:00:58Z')),
    unknownMembers(),
  ),
);
const icons = maybe(
  'icons',
  fc
    .array(
      jsonObject(member('src', exactly('https://example.com/i.png')), maybe('sizes', exactly('any')), unknownMembers()),
      {
        maxLength: 2,
      },
    )
    .map((items) => `[${items.join(' , ')}]`),
);
const resource = jsonObject(
  member('uri', exactly('plain://rows/1')),
  maybe('mimeType', exactly('text/plain')),
  fc.oneof(member('text', jsonString), member('blob', base64)),
  extra,
  unknownMembers(),
);
const block = fc.oneof(
  jsonObject(member('type', exactly('text')), member('text', jsonString), annotations, extra, unknownMembers()),
  ...['image', 'audio'].map((kind) =>
    jsonObject(
      member('type', exactly(kind)),
      member('data', base64),
      member('mimeType', exactly(`${kind}/x`)),
      annotations,
      extra,
    ),
  ),
  jsonObject(member('type', exactly('resource')), member('resource', resource), annotations, extra),
  jsonObject(
    member('type', exactly('resource_link')),
    member('uri', exactly('plain://rows')),
    member('name', jsonString),
    maybe('size', integer),
    icons,
    annotations,
    extra,
    unknownMembers(),
  ),
);
const result = jsonObject(
  member(
    'content',
    fc.array(block, { maxLength: 4 }).map((blocks) => `[${blocks.join(' ,\n')}]`),
  ),
  member('resultType', exactly('complete')),
  maybe('structuredContent', jsonValue),
  maybe('isError', fc.constantFrom('true', 'false')),
  extra,
  unknownMembers(),
);

/** A request and the text of an answer with the same id. */
const message = fc.constantFrom<Era>('modern', 'legacy').chain((era) =>
  fc.record({
    era: fc.constant(era),
    version: era === 'modern' ? fc.constant('2026-07-28') : fc.constantFrom(...UNTRANSLATED),
    name: fc.constantFrom(...NAMES),
    exchange: jsonId.chain((id) =>
      fc.record({
        request: jsonObject(
          member('jsonrpc', exactly('2.0')),
          member('id', fc.constant(id)),
          member('method', exactly('tools/call')),
          member(
            'params',
            jsonObject(
              member('name', fc.constant(NAME_MARK)),
              maybe('arguments', jsonObject(unknownMembers(5))),
              era === 'modern'
                ? member('_meta', envelope())
                : maybe('_meta', jsonObject(progressToken, unknownMembers())),
            ),
          ),
        ),
        answer: jsonObject(
          member('jsonrpc', exactly('2.0')),
          member('id', fc.constant(id)),
          fc.oneof(
            { weight: 5, arbitrary: member('result', result) },
            { weight: 1, arbitrary: member('error', error) },
          ),
        ),
      }),
    ),
  }),
);
const progressToken = maybe('progressToken', fc.oneof(jsonString, integer));
const error = jsonObject(
  member('code', fc.constantFrom('-32602', '-32603', '7', '12345')),
  member('message', jsonString),
  maybe('data', jsonValue),
);

function envelope(): Arbitrary<string> {
  return jsonObject(
    member(`${META_PREFIX}protocolVersion`, exactly('2026-07-28')),
    member(`${META_PREFIX}clientCapabilities`, fc.constantFrom('{}', '{ "elicitation" : {} }')),
    maybe(
      `${META_PREFIX}clientInfo`,
      fc.constantFrom('{"name":"a","version":"1"}', '{ "version":"1.0", "name":"\\u0061" }'),
    ),
    maybe('traceparent', exactly('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')),
    progressToken,
    unknownMembers(),
  );
}

const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 });

const jsonExchange: Arbitrary<Exchange> = fc
  .tuple(message, cuts, fc.boolean())
  .map(([{ exchange, ...rest }, parts, hasLength]) => ({
    ...rest,
    request: exchange.request,
    plan: planOf('application/json', exchange.answer, parts, hasLength),
  }));

/** The answer as the last of some events, with all that may stand between them. */
const eventExchange: Arbitrary<Exchange> = fc
  .tuple(
    message,
    cuts,
    fc.array(
      fc.oneof(
        fc.constantFrom(': keep-alive\n\n', ':\r\n\r\n', 'retry: 100\n\n', 'id: 7\ndata:\n\n'),
        jsonObject(unknownMembers()).map((params) => {
          const text = `{"jsonrpc":"2.0","method":"notifications/message","params":${params}}`;
          return toEvent(text, '\n');
        }),
      ),
      { maxLength: 4 },
    ),
    fc.constantFrom('\n', '\r\n'),
  )
  .map(([{ exchange, ...rest }, parts, before, lineEnd]) => ({
    ...rest,
    request: exchange.request,
    plan: planOf('text/event-stream', before.join('') + toEvent(exchange.answer, lineEnd), parts, false),
  }));

/** A text with line breaks takes several data lines; the breaks are those of the event, not of the text. */
function toEvent(text: string, lineEnd: string): string {
  const lines = text.split(/\r\n|\r|\n/).map((line) => `data: ${line}${lineEnd}`);
  return `event: message${lineEnd}${lines.join('')}${lineEnd}`;
}

function planOf(
  contentType: Planned['contentType'],
  text: string,
  parts: readonly number[],
  hasLength: boolean,
): Planned {
  const bytes = Buffer.from(text);
  const places = parts
    .map((part, index) => toPlace(bytes, Math.floor(part * bytes.length), index % 2 === 0))
    .toSorted((a, b) => a - b);
  return { contentType, bytes, cuts: places, hasLength };
}

/** The place itself, or the next one inside a character of several bytes, where a cut hurts most. */
function toPlace(bytes: Buffer, at: number, isInside: boolean): number {
  if (!isInside) return at;
  const found = bytes.subarray(at).findIndex((byte) => byte >= 0x80 && byte < 0xc0);
  return found === -1 ? at : at + found;
}

function headersOf({ era, version, name }: Exchange): Record<string, string> {
  return {
    ...(version === undefined ? {} : { 'mcp-protocol-version': version }),
    ...(era === 'modern' ? { 'mcp-method': 'tools/call', 'mcp-name': name.published } : {}),
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
      if (exchange.era === 'modern') assert.equal(upstream.seen[0]?.headers['mcp-name'], upstreamName);
      assert.equal(answer.body.toString('utf8'), exchange.plan.bytes.toString('utf8'));
      assert.deepEqual(answer.body, exchange.plan.bytes);
      assert.deepEqual([answer.status, answer.isCutOff], [200, false]);
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
