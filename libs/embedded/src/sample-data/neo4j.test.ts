import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import neo4j, { type Driver } from 'neo4j-driver';
import { startNeo4j, type EmbeddedNeo4j } from '../neo4j/start.ts';
import { loadCountryFacts, loadSourceCountries } from './countries.ts';
import { loadSampleData } from './load.ts';
import { loadNeo4j, type Neo4jTarget } from './neo4j.ts';

let server: EmbeddedNeo4j;
let target: Neo4jTarget;
let driver: Driver;
const countries = loadCountryFacts();
const sources = loadSourceCountries();

before(async () => {
  server = await startNeo4j();
  target = { uri: server.uri, username: server.username, password: server.password };
  driver = neo4j.driver(target.uri, neo4j.auth.basic(target.username, target.password), { useBigInt: true });
});
after(async () => {
  await driver?.close();
  await server?.stop();
});
// Community has one database only.
beforeEach(async () => {
  await query('MATCH (n) DETACH DELETE n');
  for (const name of await listSchema()) await query(`DROP ${name}`);
});

async function query(cypher: string): Promise<unknown[][]> {
  const { records } = await driver.executeQuery(cypher);
  return records.map((record) => record.keys.map((key) => record.get(key)));
}

/** Names every constraint and index that somebody made, as `DROP` takes it. */
async function listSchema(): Promise<string[]> {
  const constraints = await query('SHOW CONSTRAINTS YIELD name');
  const indexes = await query(
    "SHOW INDEXES YIELD name, type, owningConstraint WHERE type <> 'LOOKUP' AND owningConstraint IS NULL RETURN name",
  );
  return [...constraints.map(([name]) => `CONSTRAINT ${name}`), ...indexes.map(([name]) => `INDEX ${name}`)];
}

test('the graph is loaded once, and a second load changes nothing', async () => {
  assert.deepEqual(await loadSampleData({ neo4j: target }), { neo4j: 'loaded' });
  await query("MATCH (c:Country {cca3: 'CHE'}) SET c.name = 'Helvetia'");
  assert.deepEqual(await loadSampleData({ neo4j: target }), { neo4j: 'present' });
  assert.deepEqual(await query("MATCH (c:Country {cca3: 'CHE'}) RETURN c.name"), [['Helvetia']]);
  assert.deepEqual(await query('MATCH (n) WHERE n:Country OR n:SampleData RETURN count(n)'), [[251n]]);
});

test('the graph answers with the facts', async () => {
  await loadNeo4j(target, countries);
  const facts = [
    {
      cypher: 'MATCH (:Country)-[r:BORDERS]->(:Country) RETURN count(r)',
      is: [[BigInt(sources.flatMap(({ borders }) => borders).length)]],
      why: 'every border of the source',
    },
    {
      cypher: 'MATCH (c:Country {landlocked: true}) RETURN count(c)',
      is: [[BigInt(sources.filter(({ landlocked }) => landlocked).length)]],
      why: 'booleans',
    },
    {
      cypher: "MATCH (:Country {cca3: 'CHE'})-[:BORDERS]->(n:Country) RETURN n.name ORDER BY n.name",
      is: [['Austria'], ['France'], ['Germany'], ['Italy'], ['Liechtenstein']],
      why: 'the neighbours of Switzerland',
    },
    {
      cypher: `MATCH p = shortestPath((:Country {cca3: 'PRT'})-[:BORDERS*]->(:Country {cca3: 'DEU'}))
               RETURN [n IN nodes(p) | n.cca3]`,
      is: [[['PRT', 'ESP', 'FRA', 'DEU']]],
      why: 'a path',
    },
    {
      cypher: `MATCH (c:Country) WHERE c.cca3 IN ['CHE', 'SJM', 'VAT']
               RETURN c.areaKm2, c.location.latitude ORDER BY c.cca3`,
      is: [
        [41284, 47],
        [null, 78],
        [0.44, 41.9],
      ],
      why: 'floats are exact, and an unknown area is absent',
    },
    {
      cypher: `MATCH (c:Country {cca3: 'ZAF'})-[:IN_SUBREGION]->(s)-[:PART_OF]->(r)<-[:IN_REGION]-(c)
               RETURN s.name, r.name, c.capitals`,
      is: [['Southern Africa', 'Africa', ['Pretoria', 'Bloemfontein', 'Cape Town']]],
      why: 'regions as nodes, capitals as a list',
    },
    {
      cypher:
        "MATCH (:Country {cca3: 'CHE'})-[t:HAS_TRANSLATION]->(:Language {code: 'jpn'}) RETURN t.common, t.official",
      is: [['スイス', 'スイス連邦']],
      why: 'translations on the way to their language',
    },
    {
      cypher: 'MATCH (n:SampleData) RETURN n.name, n.countries',
      is: [['world-countries', 250n]],
      why: 'the marker, with an integer',
    },
    {
      cypher: "MATCH (n) UNWIND keys(n) AS key WITH n[key] AS value WHERE value = '' OR value = [] RETURN value",
      is: [],
      why: 'nothing empty stands for unknown',
    },
  ];
  for (const { cypher, is, why } of facts) assert.deepEqual(await query(cypher), is, why);
});

test('a failure half-way leaves neither data nor constraints, and a later load succeeds', async () => {
  const broken = countries.map((country) => (country.cca3 === 'ZWE' ? { ...country, borders: ['XXX'] } : country));
  await assert.rejects(loadNeo4j(target, broken), /of \d+ relationships BORDERS have both of their nodes/);
  assert.deepEqual(await query('MATCH (n) RETURN count(n)'), [[0n]]);
  assert.deepEqual(await listSchema(), []);
  assert.equal(await loadNeo4j(target, countries), 'loaded');
});

test('a constraint that was there before survives a failure', async () => {
  await query('CREATE CONSTRAINT sample_country_cca3 FOR (n:Country) REQUIRE n.cca3 IS UNIQUE');
  await assert.rejects(loadNeo4j(target, [...countries, ...countries]), /already exists/);
  assert.deepEqual(await listSchema(), ['CONSTRAINT sample_country_cca3']);
});

test('two loads at the same time end with one graph', async () => {
  const outcomes = await Promise.all([loadNeo4j(target, countries), loadNeo4j(target, countries)]);
  assert.deepEqual(outcomes.toSorted(), ['loaded', 'present']);
  assert.deepEqual(await query('MATCH (c:Country) RETURN count(c)'), [[250n]]);
});

test('nodes of the same label that are not ours are left alone, and the error names the label', async () => {
  await query("CREATE (:Language {name: 'mine'})");
  await assert.rejects(
    loadSampleData({ neo4j: target }),
    /Neo4j at 127\.0\.0\.1:\d+.*labelled Language that did not come from the sample data; they were left as they are/s,
  );
  assert.deepEqual(await query('MATCH (n) RETURN n.name'), [['mine']]);
  assert.deepEqual(await listSchema(), []);
});

test('a wrong password gives an error without it', async () => {
  await assert.rejects(loadSampleData({ neo4j: { ...target, password: 'hunter2' } }), (error: Error) => {
    assert.match(error.message, /Neo4j at 127\.0\.0\.1:\d+: .*unauthorized/s);
    assert.doesNotMatch(JSON.stringify(error, Object.getOwnPropertyNames(error)), /hunter2/);
    return true;
  });
});
