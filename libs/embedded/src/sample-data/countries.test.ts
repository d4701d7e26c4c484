import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import {
  collectCurrencies,
  collectLanguages,
  loadCountryFacts,
  loadSourceCountries,
  toCountryFacts,
  type CountryFacts,
} from './countries.ts';
import { countryPointId, countryVector } from './country-vector.ts';
import { toNodes, toRelationships } from './neo4j-rows.ts';
import { toPostgresRows } from './postgres-rows.ts';
import { TABLES } from './postgres-schema.ts';
import { PAYLOAD_INDEXES, toCountryPoint } from './qdrant-points.ts';

const sources = loadSourceCountries();
const countries = loadCountryFacts();
const byCode = new Map(countries.map((country) => [country.cca3, country]));

function find(cca3: string): CountryFacts {
  const country = byCode.get(cca3);
  assert.ok(country, `no country ${cca3}`);
  return country;
}

/** Every string anywhere inside a value, object keys left out. */
function* textsIn(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) yield* textsIn(part);
}

test('there are 250 countries, each under its own codes and its own name', () => {
  assert.equal(countries.length, 250);
  assert.equal(byCode.size, 250);
  assert.equal(new Set(countries.map(({ cca2 }) => cca2)).size, 250);
  assert.equal(new Set(countries.map(({ name }) => name)).size, 250);
});

test('every land border leads to a country, and only that of Sri Lanka with India has no opposite', () => {
  const oneSided: string[] = [];
  for (const { cca3, borders } of countries) {
    for (const neighbour of borders) {
      if (!find(neighbour).borders.includes(cca3)) oneSided.push(`${cca3}-${neighbour}`);
    }
  }
  assert.deepEqual(oneSided, ['LKA-IND']);
  assert.equal(countries.flatMap(({ borders }) => borders).length, 649);
});

test('no text is empty or has blanks at its ends, in any of the three forms', () => {
  const forms = {
    facts: countries,
    tables: toPostgresRows(countries),
    nodes: toNodes(countries),
    relationships: toRelationships(countries),
    points: countries.map(toCountryPoint),
  };
  for (const [form, value] of Object.entries(forms)) {
    assert.deepEqual(
      [...textsIn(value)].filter((text) => text === '' || text !== text.trim()),
      [],
      form,
    );
  }
});

test('areas and coordinates keep the exact text of the source', () => {
  const file = createRequire(import.meta.url).resolve('world-countries/countries.json');
  const text = readFileSync(file, 'utf8');
  const areas = [...text.matchAll(/"area": ?(-?[^,\s}]+)/g)].map(([, number]) => number);
  const places = [...text.matchAll(/"latlng": ?\[\s*([^,\]\s]+)\s*,\s*([^,\]\s]+)\s*\]/g)].map(([, ...pair]) => pair);
  assert.equal(areas.length, 250);
  assert.equal(places.length, 250);
  const rows = toPostgresRows(countries)['country'] ?? [];
  assert.deepEqual(
    rows.map((row) => JSON.stringify(row['area_km2'])),
    areas.map((area) => (area === '-1' ? 'null' : area)),
  );
  assert.deepEqual(
    rows.map((row) => [JSON.stringify(row['latitude']), JSON.stringify(row['longitude'])]),
    places,
  );
});

const UNKNOWN = [
  { field: 'areaKm2', unknownIn: ['SJM'], why: 'the source writes -1' },
  { field: 'ccn3', unknownIn: ['UNK'], why: 'Kosovo has no number' },
  { field: 'independent', unknownIn: ['UNK'], why: 'disputed' },
  { field: 'flag', unknownIn: ['BES'], why: 'the source has an empty text' },
  { field: 'iddRoot', unknownIn: ['ATA', 'HMD'], why: 'nobody to call' },
  { field: 'subregion', unknownIn: ['ATA', 'ATF', 'BVT', 'HMD', 'SGS'], why: 'the Antarctic is not divided' },
] as const;

for (const { field, unknownIn, why } of UNKNOWN) {
  test(`${field} is null for ${unknownIn.join(', ')} alone: ${why}`, () => {
    const missing = countries.filter((country) => country[field] === null).map(({ cca3 }) => cca3);
    assert.deepEqual(missing.toSorted(), [...unknownIn]);
  });
}

test('facts that are only counted here are those of the source', () => {
  const pairs: [name: string, ours: number, theirs: number][] = [
    ['landlocked', countries.filter((c) => c.landlocked).length, sources.filter((c) => c.landlocked).length],
    ['UN members', countries.filter((c) => c.unMember).length, sources.filter((c) => c.unMember).length],
    ['independent', countries.filter((c) => c.independent).length, sources.filter((c) => c.independent).length],
    ['no IOC code', countries.filter((c) => c.cioc === null).length, sources.filter((c) => c.cioc === '').length],
    ['translations', countries.flatMap((c) => c.translations).length, 23 * 250],
    ['domains', countries.flatMap((c) => c.topLevelDomains).length, sources.flatMap((c) => c.tld).length],
    ['calling codes', countries.flatMap((c) => c.callingCodes).length, sources.flatMap((c) => c.idd.suffixes).length],
  ];
  for (const [name, ours, theirs] of pairs) assert.equal(ours, theirs, name);
});

const REPAIRS = [
  {
    of: 'BDI',
    get: (c: CountryFacts) => c.nativeNames[1]?.official,
    is: "Republika y'Uburundi",
    why: 'blank at the end',
  },
  { of: 'ARE', get: (c: CountryFacts) => c.topLevelDomains[1], is: '.امارات', why: 'dot at the wrong end' },
  { of: 'EGY', get: (c: CountryFacts) => c.topLevelDomains[1], is: '.مصر', why: 'dot already in front' },
  {
    of: 'CHE',
    get: (c: CountryFacts) => c.translations.find(({ language }) => language === 'fas')?.common,
    is: 'سوئیس',
    why: 'per in the source',
  },
  { of: 'GUM', get: (c: CountryFacts) => c.demonyms.length, is: 1, why: 'the French word is empty in the source' },
];

for (const { of, get, is, why } of REPAIRS) {
  test(`${of} reads ${is}: ${why}`, () => assert.equal(get(find(of)), is));
}

const COLLECTED = [
  { code: 'GBP', is: 'British pound £', why: 'five countries against one' },
  { code: 'DKK', is: 'Danish krone kr', why: 'two against one, although Greenland is larger' },
  { code: 'EGP', is: 'Egyptian pound £', why: 'a tie, and Egypt is larger than Palestine' },
  { code: 'ZAR', is: 'South African rand R', why: 'Zimbabwe alone writes Rs' },
];

for (const { code, is, why } of COLLECTED) {
  test(`the currency ${code} is called ${is}: ${why}`, () => {
    const currency = collectCurrencies(countries).find((item) => item.code === code);
    assert.equal(`${currency?.name} ${currency?.symbol}`, is);
  });
}

test('a language with two names in the source is listed once', () => {
  const languages = collectLanguages(countries);
  assert.equal(new Set(languages.map(({ code }) => code)).size, languages.length);
  assert.equal(languages.find(({ code }) => code === 'ron')?.name, 'Romanian');
});

test('an area of zero or less counts as not known, whatever country has it', () => {
  const [first] = sources;
  assert.ok(first);
  assert.equal(toCountryFacts({ ...first, area: -1 }).areaKm2, null);
  assert.equal(toCountryFacts({ ...first, area: 0 }).areaKm2, null);
});

test('rows have exactly the columns of their table', () => {
  const rows = toPostgresRows(countries);
  assert.deepEqual(
    Object.keys(rows),
    TABLES.map(({ name }) => name),
  );
  for (const { name, columns } of TABLES) {
    for (const row of rows[name] ?? []) {
      assert.deepEqual(Object.keys(row).toSorted(), columns.map(([column]) => column).toSorted(), name);
    }
  }
});

test('comments can stand inside quotes as they are', () => {
  for (const { comment, columns } of TABLES) {
    for (const text of [comment, ...columns.map(([, , column]) => column)]) assert.doesNotMatch(text, /['\\]/);
  }
});

test('every point has its own id, four finite numbers and the same payload fields', () => {
  const points = countries.map(toCountryPoint);
  assert.equal(new Set(points.map(({ id }) => id)).size, 250);
  const fields = Object.keys(points[0]?.payload ?? {});
  for (const { id, vector, payload } of points) {
    assert.equal(vector.filter((number) => Number.isFinite(number)).length, 4, String(id));
    assert.deepEqual(Object.keys(payload), fields);
  }
  for (const field of Object.keys(PAYLOAD_INDEXES)) assert.ok(fields.includes(field), field);
});

const VECTORS: { at: [number, number, number | null]; is: number[]; why: string }[] = [
  { at: [0, 0, 1], is: [1, 0, 0, 0], why: 'x points to 0 N 0 E, and 1 km² is the zero of size' },
  { at: [0, 90, 10], is: [0, 1, 0, 0.1], why: 'y points to 0 N 90 E' },
  { at: [90, 77, 1000], is: [0, 0, 1, 0.3], why: 'the North Pole is one place at every longitude' },
  { at: [-90, 0, 1e7], is: [0, 0, -1, 0.7], why: 'south is negative' },
  { at: [0, 180, null], is: [-1, 0, 0, 0.5], why: 'an area that is not known counts as 100,000 km²' },
];

for (const { at, is, why } of VECTORS) {
  test(`the vector of ${at.join(', ')} is ${is.join(', ')}: ${why}`, () => {
    const vector = countryVector(...at);
    is.forEach((number, index) => assert.ok(Math.abs((vector[index] ?? Number.NaN) - number) < 1e-12));
  });
}

test('a country without a number gets an id from its letters', () => {
  assert.equal(countryPointId(find('CHE')), 756);
  assert.equal(countryPointId(find('AFG')), 4);
  assert.equal(countryPointId(find('UNK')), 1608);
});
