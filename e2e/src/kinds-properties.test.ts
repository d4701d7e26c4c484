/**
 * Generated prompts, resources and templates are published, and their contents pass, byte for byte but for the name.
 * `FC_SEED=… node --test e2e/src/kinds-properties.test.ts` repeats a run.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildRpcRequest } from '@database-mcp/testing';
import * as fc from 'fast-check';
import type { Arbitrary } from 'fast-check';
import { startByteUpstream, type ByteLists } from './byte-upstream.ts';
import { createPoster, startGateway } from './gateway-process.ts';
import {
  BLOCKS,
  cuts,
  error,
  exactly,
  extra,
  icons,
  integer,
  planOf,
  resource,
  toArray,
} from './generated-messages.ts';
import { chooseSeed, jsonObject, jsonString, maybe, member, unknownMembers } from './json-text.ts';

const RUNS = 300;
const UPSTREAMS = 12;
const EACH = 6;
const ERAS = ['modern', 'legacy'] as const;

function prompt(name: string): Arbitrary<string> {
  const argument = jsonObject(
    member('name', jsonString),
    maybe('required', fc.constantFrom('true', 'false')),
    unknownMembers(),
  );
  return jsonObject(
    member('name', exactly(name)),
    maybe('title', jsonString),
    maybe('description', jsonString),
    maybe('arguments', toArray(fc.array(argument, { maxLength: 2 }))),
    icons,
    extra,
    unknownMembers(),
  );
}

function listed(key: 'uri' | 'uriTemplate', value: string): Arbitrary<string> {
  return jsonObject(
    member(key, exactly(value)),
    member('name', jsonString),
    maybe('mimeType', exactly('text/plain')),
    maybe('size', integer),
    icons,
    extra,
    unknownMembers(),
  );
}

/** The lists of one server; URIs hold its name, so that none is there twice. */
function listsOf(server: string): Arbitrary<ByteLists> {
  const numbers = Array.from({ length: EACH }, (_, index) => index);
  return fc.record({
    prompts: fc.tuple(...numbers.map((number) => prompt(`prompt_${number}`))),
    resources: fc.tuple(...numbers.map((number) => listed('uri', `${server}://rows/${number}`))),
    resourceTemplates: fc.tuple(...numbers.map((number) => listed('uriTemplate', `${server}://t${number}/{id}`))),
  });
}

const LISTS = [
  { method: 'prompts/list', key: 'prompts' },
  { method: 'resources/list', key: 'resources' },
  { method: 'resources/templates/list', key: 'resourceTemplates' },
] as const;

test('of generated prompts every byte but the name is published, of resources and templates every byte', async (t) => {
  const seed = chooseSeed();
  t.diagnostic(`seed ${seed}, ${UPSTREAMS * EACH * LISTS.length} items`);
  const names = Array.from({ length: UPSTREAMS }, (_, index) => `db${index}`);
  const lists = names.flatMap((name, index) => fc.sample(listsOf(name), { numRuns: 1, seed: seed + index }));
  const upstream = await startByteUpstream(t, { tools: lists.map(() => []), lists });
  const gateway = await startGateway(
    t,
    names.map((name, index) => ({ name, url: upstream.url(index) })),
  );
  const poster = createPoster();
  t.after(() => poster.close());
  for (const { method, key } of LISTS) {
    const expected = lists.flatMap((each, index) =>
      each[key].map((text) => text.replace(/"name"(\s*):(\s*)"(prompt_\d+)"/, `"name"$1:$2"db${index}_$3"`)),
    );
    for (const era of ERAS) {
      const { headers, body } = buildRpcRequest(method, { era });
      const text = (await poster.post(gateway.url, headers, body)).body.toString('utf8');
      for (const item of expected) assert.ok(text.includes(item), `seed ${seed}: not published as it is: ${item}`);
      const { result } = JSON.parse(text) as { result: Record<string, unknown[]> };
      assert.equal(result[key]?.length, expected.length);
    }
  }
});

const promptMessage = fc
  .constantFrom(...Object.keys(BLOCKS))
  .chain((type) =>
    jsonObject(
      member('role', fc.constantFrom('"user"', '"assistant"')),
      member('content', BLOCKS[type as keyof typeof BLOCKS]),
      unknownMembers(),
    ),
  );

/** What asks for a generated result: a prompt that gets its prefix here, and a resource. */
const READS = [
  {
    method: 'prompts/get',
    params: { name: 'db_greet', arguments: { who: 'Ädä' } },
    result: jsonObject(
      member('messages', toArray(fc.array(promptMessage, { maxLength: 3 }))),
      maybe('description', jsonString),
      member('resultType', exactly('complete')),
      extra,
      unknownMembers(),
    ),
  },
  {
    method: 'resources/read',
    params: { uri: 'db://rows/1' },
    result: jsonObject(
      member('contents', toArray(fc.array(resource, { minLength: 1, maxLength: 3 }))),
      member('resultType', exactly('complete')),
      maybe('ttlMs', integer),
      extra,
      unknownMembers(),
    ),
  },
];

for (const { method, params, result } of READS) {
  test(`generated results of ${method} pass byte for byte, and the request but for the name`, async (t) => {
    const lists = { prompts: ['{"name":"greet"}'], resources: ['{"uri":"db://rows/1","name":"r"}'], resourceTemplates: [] }; // prettier-ignore
    const upstream = await startByteUpstream(t, { tools: [[]], lists: [lists] });
    const gateway = await startGateway(t, [{ name: 'db', url: upstream.url(0) }]);
    const poster = createPoster();
    t.after(() => poster.close());
    const seed = chooseSeed();
    t.diagnostic(`seed ${seed}, ${RUNS} cases`);
    const outcome = fc.oneof(
      { weight: 5, arbitrary: member('result', result) },
      { weight: 1, arbitrary: member('error', error) },
    );
    const answer = jsonObject(member('jsonrpc', exactly('2.0')), member('id', exactly('i')), outcome);
    const passes = fc.asyncProperty(fc.constantFrom(...ERAS), answer, cuts, async (era, text, parts) => {
      upstream.plan = planOf('application/json', text, parts, true);
      upstream.seen.length = 0;
      const { headers, body } = buildRpcRequest(method, { era, id: 'i', params });
      const got = await poster.post(gateway.url, headers, body);
      assert.equal(got.body.toString('utf8'), text);
      const [seen] = upstream.seen;
      assert.equal(seen?.body.toString('utf8'), String(body).replace('"db_greet"', '"greet"'));
      const { uri } = params;
      if (era === 'modern') assert.equal(seen?.headers['mcp-name'], uri ?? 'greet');
    });
    await fc.assert(passes, { numRuns: RUNS, seed, endOnFailure: false });
  });
}
