import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startQdrant, type EmbeddedQdrant } from '../qdrant/start.ts';
import { loadCountryFacts, loadSourceCountries } from './countries.ts';
import { countryVector } from './country-vector.ts';
import { loadSampleData } from './load.ts';
import { toCountryPoint } from './qdrant-points.ts';
import { loadQdrant } from './qdrant.ts';

let server: EmbeddedQdrant;
const countries = loadCountryFacts();

before(async () => {
  server = await startQdrant();
});
after(() => server?.stop());
beforeEach(async () => {
  await send('DELETE', 'collections/countries');
});

interface Answer {
  status: number;
  // Each test reads the one part of the answer that it is about.
  result: {
    points_count?: number;
    count?: number;
    config?: { metadata?: Record<string, unknown>; params?: { vectors?: unknown } };
    payload_schema?: object;
    points?: { id: number; payload?: Record<string, unknown> }[];
    payload?: Record<string, unknown>;
  };
}

async function send(method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${server.url}/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: body ? JSON.stringify(body) : null,
  });
  const { result } = (await response.json()) as Pick<Answer, 'result'>;
  return { status: response.status, result };
}

async function count(filter?: object): Promise<number | undefined> {
  const { result } = await send('POST', 'collections/countries/points/count', { exact: true, filter });
  return result.count;
}

test('the points are loaded once, and a second load changes nothing', async () => {
  const targets = { qdrantUrl: server.url };
  assert.deepEqual(await loadSampleData(targets), { qdrant: 'loaded' });
  assert.equal(await count(), 250);
  await send('POST', 'collections/countries/points/delete?wait=true', { points: [756] });
  assert.deepEqual(await loadSampleData(targets), { qdrant: 'present' });
  assert.equal(await count(), 249);
});

test('the collection says how a vector is made and which fields there are', async () => {
  await loadQdrant({ url: server.url }, countries);
  const { result } = await send('GET', 'collections/countries');
  assert.deepEqual(result.config?.params?.vectors, { size: 4, distance: 'Euclid' });
  assert.match(String(result.config?.metadata?.['vector']), /cos\(lat\)\*cos\(lon\).*log10\(area_km2\)\/10/);
  assert.ok(Object.keys(result.payload_schema ?? {}).includes('landlocked'));
});

test('filters and points answer with the facts', async () => {
  await loadQdrant({ url: server.url }, countries);
  const landlocked = loadSourceCountries().filter((country) => country.landlocked).length;
  assert.equal(await count({ must: [{ key: 'landlocked', match: { value: true } }] }), landlocked);
  assert.equal(await count({ must: [{ key: 'languages', match: { value: 'Romansh' } }] }), 1);
  assert.equal(await count({ must: [{ is_null: { key: 'area_km2' } }] }), 1);
  const { result } = await send('GET', 'collections/countries/points/756');
  assert.deepEqual(result.payload?.['borders'], ['AUT', 'FRA', 'ITA', 'LIE', 'DEU']);
  assert.deepEqual(result.payload?.['location'], { lat: 47, lon: 8 });
  assert.equal(result.payload?.['area_km2'], 41284);
});

test('the nearest countries to a place of a certain size are the ones that a map shows', async () => {
  await loadQdrant({ url: server.url }, countries);
  const query = countryVector(47, 8, 41_284);
  const { result } = await send('POST', 'collections/countries/points/query', { query, limit: 3, with_payload: true });
  const [first, ...others] = (result.points ?? []).map(({ payload }) => payload?.['cca3']);
  assert.equal(first, 'CHE');
  assert.equal(others.length, 2);
  for (const code of others)
    assert.ok(['AUT', 'BEL', 'CZE', 'DEU', 'FRA', 'ITA', 'LUX', 'NLD', 'SVN'].includes(String(code)));
});

test('a failure half-way leaves nothing, and a later load succeeds', async () => {
  const broken = countries.map((country) => (country.cca3 === 'ZWE' ? { ...country, latitude: Number.NaN } : country));
  await assert.rejects(
    loadQdrant({ url: server.url }, broken),
    /PUT \/collections\/countries\/points.* answered with 4/,
  );
  assert.equal((await send('GET', 'collections/countries')).status, 404);
  assert.equal(await loadQdrant({ url: server.url }, countries), 'loaded');
});

test('an empty collection that an ended process left is filled', async () => {
  const metadata = { sample_data: 'world-countries' };
  await send('PUT', 'collections/countries', { vectors: { size: 4, distance: 'Euclid' }, metadata });
  assert.equal(await loadQdrant({ url: server.url }, countries), 'loaded');
  assert.equal(await count(), 250);
});

test('points of ours are known again on a server that keeps no metadata', async () => {
  await send('PUT', 'collections/countries', { vectors: { size: 4, distance: 'Euclid' } });
  await send('PUT', 'collections/countries/points?wait=true', { points: countries.map(toCountryPoint) });
  assert.equal(await loadQdrant({ url: server.url }, countries), 'present');
});

const FOREIGN = [
  { size: 3, points: [], why: 'an empty collection of another size' },
  { size: 4, points: [], why: 'an empty collection of our size without our metadata' },
  { size: 4, points: [{ id: 756, vector: [1, 2, 3, 4], payload: { cca3: 'CHE' } }], why: 'one point like one of ours' },
];

for (const { size, points, why } of FOREIGN) {
  test(`a collection that is not ours is left alone: ${why}`, async () => {
    await send('PUT', 'collections/countries', { vectors: { size, distance: 'Euclid' } });
    if (points.length > 0) await send('PUT', 'collections/countries/points?wait=true', { points });
    await assert.rejects(
      loadSampleData({ qdrantUrl: server.url }),
      /Qdrant at 127\.0\.0\.1:\d+.*"countries" that did not come from the sample data; it was left as it is/s,
    );
    assert.equal(await count(), points.length);
  });
}

test('one database that cannot be reached does not keep another from being filled', async () => {
  const neo4j = { uri: 'bolt://127.0.0.1:1', username: 'neo4j', password: 'hunter2' };
  await assert.rejects(loadSampleData({ neo4j, qdrantUrl: server.url }), (error: Error) => {
    assert.match(error.message, /Neo4j at 127\.0\.0\.1:1: /);
    assert.doesNotMatch(error.message, /hunter2|Qdrant/);
    return true;
  });
  assert.equal(await count(), 250);
});
