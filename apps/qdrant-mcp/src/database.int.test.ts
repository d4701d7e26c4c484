/** The tools against an embedded Qdrant; what is stored and checked goes over connections of the test's own. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { loadSampleData, startQdrant, type EmbeddedQdrant } from '@database-mcp/embedded';
import type { ToolError } from '@database-mcp/errors';
import type { TableResult } from '@database-mcp/mcp-kit';
import { createDatabase } from './database.ts';
import { createTools } from './tools/index.ts';

const LIMITS = { maxRows: 1_000, maxBytes: 100_000, maxCellBytes: 10_000 };

let qdrant: EmbeddedQdrant;

before(async () => {
  qdrant = await startQdrant();
  await loadSampleData({ qdrantUrl: qdrant.url });
});

after(() => qdrant.stop());

type Call = (name: string, args?: object) => Promise<TableResult>;

function open(t: TestContext, options: { url?: string; limits?: Partial<typeof LIMITS> } = {}): Call {
  const database = createDatabase({ url: options.url ?? qdrant.url });
  t.after(() => database.close());
  const tools = createTools(database, { ...LIMITS, ...options.limits });
  return async (name, args = {}) => {
    const tool = tools.find((candidate) => candidate.name === name);
    const parsed = tool?.validate(args);
    assert.ok(tool && parsed?.success, `${name} takes ${JSON.stringify(parsed?.error)}`);
    return tool.run(parsed.data, { signal: AbortSignal.timeout(20_000) });
  };
}

/** Sends JSON text as it is: `JSON.stringify` could not write the integers of these tests. */
async function send(method: string, path: string, body?: string): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${qdrant.url}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path} answered ${response.status}: ${text}`);
  return text;
}

async function createCollection(t: TestContext, name: string, config: string, points?: string): Promise<void> {
  await send('PUT', `/collections/${name}`, config);
  t.after(() => send('DELETE', `/collections/${name}`));
  if (points) await send('PUT', `/collections/${name}/points?wait=true`, `{"points":${points}}`);
}

/** The rows as objects, for assertions on single columns. */
function records({ columns, rows }: TableResult): Record<string, unknown>[] {
  return rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, row[index]])));
}

const FRANCE = [0.687, 0.024, 0.719, 0.574];

test('the sample collection is searched, nearest first, and filtered', async (t) => {
  const call = open(t);
  const near = await call('search', { collection: 'countries', query_vector: FRANCE, limit: 5 });
  const [first, second] = records(near);
  assert.equal(first?.['name'], 'France');
  assert.ok(Number(first['score']) < Number(second?.['score']));
  assert.equal(near.truncated, true);
  assert.match(near.notices?.join(' ') ?? '', /Euclid distance: a lower score is nearer/);
  const filter = {
    must: [
      { key: 'region', match: { value: 'Europe' } },
      { key: 'area_km2', range: { lt: 1_000 } },
    ],
    must_not: [{ key: 'name', match: { any: ['Malta', 'Monaco'] } }],
  };
  const small = records(await call('search', { collection: 'countries', query_vector: FRANCE, filter }));
  assert.ok(small.length > 2);
  for (const row of small) {
    assert.equal(row['region'], 'Europe');
    assert.ok(Number(row['area_km2']) < 1_000);
    assert.ok(!['Malta', 'Monaco'].includes(String(row['name'])));
  }
});

test('every kind of condition that is allowed here is taken by Qdrant', async (t) => {
  const call = open(t);
  const conditions: object[] = [
    { key: 'name', match: { text: 'an' } },
    { key: 'name', match: { except: ['France'] } },
    { key: 'landlocked', match: { value: false } },
    { key: 'borders', values_count: { gte: 2 } },
    { key: 'location', geo_radius: { center: { lon: 2, lat: 46 }, radius: 2_000_000 } },
    { key: 'location', geo_bounding_box: { top_left: { lon: -10, lat: 60 }, bottom_right: { lon: 20, lat: 40 } } },
    { key: 'cioc', is_null: false },
    { is_empty: { key: 'nothing' } },
    { has_id: ['250', 276] },
    { has_vector: '' },
    { should: [{ is_null: { key: 'cioc' } }, { min_should: { conditions: [{ has_id: [250] }], min_count: 1 } }] },
  ];
  for (const condition of conditions) {
    const result = await call('search', {
      collection: 'countries',
      query_vector: FRANCE,
      filter: { must: [condition] },
    });
    assert.ok(result.rowCount > 0, JSON.stringify(condition));
  }
});

test('ids and integers of 64 bits come back exact, and find their points again', async (t) => {
  const call = open(t);
  await createCollection(
    t,
    'exact',
    '{"vectors":{"size":2,"distance":"Dot"}}',
    '[{"id":18446744073709551615,"vector":[1,0],"payload":{"big":9007199254740993,"small":-1,"in":[{"x":-9223372036854775808}]}},' +
      '{"id":9007199254740993,"vector":[0.5,0],"payload":{"big":9007199254740992,"small":0.5,"in":null}},' +
      '{"id":"936DA01F-9ABD-4D9D-80C7-02AF85C822A8","vector":[0.25,0],"payload":{"big":1,"small":0,"in":"null"}}]',
  );
  const search = { collection: 'exact', query_vector: [1, 0] };
  const result = await call('search', search);
  assert.deepEqual(result.rows, [
    ['18446744073709551615', 1, '9007199254740993', -1, [{ x: '-9223372036854775808' }]],
    ['9007199254740993', 0.5, '9007199254740992', 0.5, null],
    ['936da01f-9abd-4d9d-80c7-02af85c822a8', 0.25, 1, 0, 'null'],
  ]);
  assert.deepEqual(result.columns[2], { name: 'big', type: 'integer | number' });
  const ids = result.rows.slice(0, 2).map(([id]) => id);
  const again = await call('search', { ...search, filter: { must: [{ has_id: ids }] } });
  assert.deepEqual(
    again.rows.map(([id]) => id),
    ids,
  );
  const one = await call('search', {
    ...search,
    filter: { must: [{ key: 'big', match: { value: 9007199254740993n } }] },
  });
  assert.deepEqual(
    one.rows.map(([id]) => id),
    ['18446744073709551615'],
  );
});

test('named vectors are chosen by name, and the only one by itself', async (t) => {
  const call = open(t);
  const point = '[{"id":1,"vector":{"text":[1,0],"image":[0,1,0]},"payload":{}}]';
  await createCollection(
    t,
    'two',
    '{"vectors":{"text":{"size":2,"distance":"Dot"},"image":{"size":3,"distance":"Dot"}}}',
    point,
  );
  await createCollection(
    t,
    'one',
    '{"vectors":{"text":{"size":2,"distance":"Dot"}}}',
    '[{"id":1,"vector":{"text":[1,0]}}]',
  );
  const image = await call('search', { collection: 'two', query_vector: [0, 2, 0], using: 'image' });
  assert.deepEqual(image.rows, [[1, 2]]);
  const only = await call('search', { collection: 'one', query_vector: [1, 0] });
  assert.deepEqual(only.notices, ['Searched by the only vector, "text".']);
  await assert.rejects(call('search', { collection: 'two', query_vector: [1, 0] }), /several vectors/);
});

test('mistakes are told in the words of the caller, with what to do next', async (t) => {
  const call = open(t);
  const collection = 'countries';
  const table: [args: object, code: string, text: RegExp, why: string][] = [
    [
      { collection: 'contries', query_vector: FRANCE },
      'NOT_FOUND',
      /no collection "contries".*Did you mean "countries"/,
      'a mistyped collection',
    ],
    [
      { collection: 'countries', query_vector: [1] },
      'INVALID_ARGUMENT',
      /has 1 numbers, .*"countries" has vectors of 4/,
      'a wrong size',
    ],
    [
      { collection, query_vector: FRANCE, filter: { must: [{ key: 'a[', match: { value: 1 } }] } },
      'INVALID_ARGUMENT',
      /Invalid json path: 'a\['/,
      'a path that only Qdrant can judge',
    ],
    [
      { collection, query_vector: FRANCE, filter: { must: [{}] } },
      'INVALID_ARGUMENT',
      /filter\.must\[0\] is an empty condition/,
      'an empty condition',
    ],
    [{ collection, query_vector: FRANCE, using: 'x' }, 'INVALID_ARGUMENT', /no vector "x"/, 'an unknown vector'],
  ];
  for (const [args, code, text, why] of table) {
    await assert.rejects(call('search', args), (error: ToolError) => {
      assert.equal(error.code, code, why);
      assert.match(`${error.message} ${error.hint}`, text, why);
      return true;
    });
  }
});

test('a filter that finds nothing because of its key says so', async (t) => {
  const call = open(t);
  const filter = {
    must: [{ key: 'regio', match: { value: 'Europe' } }],
    must_not: [{ is_null: { key: 'location.lat' } }],
  };
  const result = await call('search', { collection: 'countries', query_vector: FRANCE, filter });
  assert.deepEqual(result.rows, []);
  assert.deepEqual(result.notices, ['None of 20 sampled points has the payload key "regio". Did you mean "region"?']);
});

test('collections are listed and described', async (t) => {
  const call = open(t);
  const points = '[{"id":1,"vector":[1,2,3],"payload":{"n":1.0,"m":1,"loc":{"lon":1,"lat":2},"o":{"k":"v"}}}]';
  await createCollection(t, 'café', '{"vectors":{"size":3,"distance":"Cosine"}}', points);
  await send('PUT', '/collections/café/index?wait=true', '{"field_name":"m","field_schema":"integer"}');
  const list = await call('list_collections');
  assert.deepEqual(list.rows, [
    ['café', 1, '3 Cosine', 'green'],
    ['countries', 250, '4 Euclid', 'green'],
  ]);
  const { rows } = await call('collection_info', { collection: 'café' });
  const expected = [
    ['state', 'points', null, 1],
    ['vector', '', 'float32', '3 Cosine'],
    ['payload_index', 'm', 'integer', 1],
    ['payload_key', 'n', 'float', 1],
    ['payload_key', 'm', 'integer', 1],
    ['payload_key', 'loc', 'geo', 1],
    ['payload_key', 'o.k', 'string', 1],
  ];
  for (const row of expected) {
    assert.ok(
      rows.some((candidate) => JSON.stringify(candidate) === JSON.stringify(row)),
      `${JSON.stringify(row)} in ${JSON.stringify(rows)}`,
    );
  }
});

test('a result of many megabytes is cut to the caps', async (t) => {
  const call = open(t, { limits: { maxBytes: 50_000, maxCellBytes: 5_000 } });
  await createCollection(t, 'huge', '{"vectors":{"size":2,"distance":"Dot"}}');
  const text = 'é'.repeat(500_000);
  for (const start of [0, 10, 20]) {
    const points = Array.from({ length: 10 }, (_, index) => ({
      id: start + index,
      vector: [1, 1],
      payload: { text, n: index },
    }));
    await send('PUT', '/collections/huge/points?wait=true', JSON.stringify({ points }));
  }
  const result = await call('search', { collection: 'huge', query_vector: [1, 1] });
  assert.ok(result.rowCount >= 1 && result.rowCount < 30);
  assert.equal(result.truncated, true);
  assert.ok(Buffer.byteLength(JSON.stringify(result)) < 60_000);
  const [row] = records(result);
  assert.match(String(row?.['text']), /^é+… \[cut: 1000000 bytes in all\]$/);
  assert.equal(typeof row?.['n'], 'number', 'a long text does not hurt the fields beside it');
});

test('whatever is called, the stored points stay as they are', async (t) => {
  const call = open(t);
  const scroll = '{"limit":300,"with_payload":true,"with_vector":true}';
  const read = async (): Promise<unknown> =>
    (JSON.parse(await send('POST', '/collections/countries/points/scroll', scroll)) as { result: unknown }).result;
  const before = await read();
  for (const collection of ['countries', 'countries/points/delete', '../collections/countries', 'new']) {
    await call('search', { collection, query_vector: FRANCE }).catch(() => {});
    await call('collection_info', { collection }).catch(() => {});
  }
  assert.deepEqual(await read(), before);
  assert.deepEqual(
    (await call('list_collections')).rows.map(([name]) => name),
    ['countries'],
  );
});

test('a Qdrant that is down is told within two seconds, and used again when it is back', async (t) => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'qdrant-mcp-'));
  t.after(() => rm(dataDirectory, { recursive: true, force: true }));
  const first = await startQdrant({ dataDirectory });
  t.after(() => first.stop());
  const call = open(t, { url: first.url });
  assert.deepEqual((await call('list_collections')).rows, []);
  await first.stop();
  const started = performance.now();
  await assert.rejects(call('list_collections'), (error: ToolError) => {
    assert.equal(error.code, 'UNAVAILABLE');
    assert.match(error.message, /^Qdrant cannot be reached/);
    assert.doesNotMatch(`${error.message}${error.hint}`, /127\.0\.0\.1/);
    return true;
  });
  assert.ok(performance.now() - started < 2_000);
  const second = await startQdrant({ dataDirectory, port: first.port });
  t.after(() => second.stop());
  assert.deepEqual((await call('list_collections')).rows, []);
});
