/** A question that needs all three databases, asked the way a model would: the answer in the README comes from here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callTool, textOf } from '../raw-mcp.ts';
import type { LocalSystem } from './local-system.ts';

interface Table {
  columns: { name: string; type: string }[];
  rows: unknown[][];
}

async function ask(url: string, tool: string, args: object): Promise<Table> {
  const answer = await callTool(url, tool, args);
  assert.ok(!answer.message.result?.isError, textOf(answer));
  return answer.message.result?.structuredContent as unknown as Table;
}

/** Defines the tests; `current` gives the running system. */
export function defineQuestionTests(current: () => LocalSystem): void {
  test('landlocked neighbours of Switzerland, their languages, and what lies near them on the globe', async () => {
    const url = current().gatewayUrl;
    const neighbours = await ask(url, 'neo4j_query', {
      cypher: `MATCH (:Country {name: $name})-[:BORDERS]->(n:Country) WHERE n.landlocked RETURN n.cca3 AS cca3, n.name AS name ORDER BY name`,
      params: { name: 'Switzerland' },
    });
    assert.deepEqual(neighbours.rows, [
      ['AUT', 'Austria'],
      ['LIE', 'Liechtenstein'],
    ]);
    const codes = neighbours.rows.map(([code]) => code);
    const facts = await ask(url, 'postgres_query', {
      sql: 'SELECT name, area_km2 FROM country WHERE cca3 = ANY($1) ORDER BY area_km2 DESC',
      params: [codes],
    });
    assert.deepEqual(facts.rows, [
      ['Austria', 83871],
      ['Liechtenstein', 160],
    ]);
    const near = await ask(url, 'qdrant_search', {
      collection: 'countries',
      query_vector: countryVector(47.2692, 9.5, 160),
      limit: 4,
      filter: { must: [{ key: 'landlocked', match: { value: true } }] },
    });
    const name = near.columns.findIndex((column) => column.name === 'name');
    assert.deepEqual(
      near.rows.map((row) => row[name]),
      ['Liechtenstein', 'San Marino', 'Luxembourg', 'Andorra'],
    );
  });
}

/** As the collection's documentation says: the position on the unit globe, and the area's logarithm. */
function countryVector(latitude: number, longitude: number, areaKm2: number): number[] {
  const [phi, lambda] = [(latitude * Math.PI) / 180, (longitude * Math.PI) / 180];
  return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi), Math.log10(areaKm2) / 10];
}
