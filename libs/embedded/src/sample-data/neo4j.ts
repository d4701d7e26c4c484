/**
 * Loads the sample data into Neo4j.
 *
 * Constraints and indexes come first, since Neo4j does not take them in a transaction with data; then all nodes and
 * relationships in one transaction, together with the node `(:SampleData {name: 'world-countries'})` by which a later
 * start knows that they are ours. If the transaction fails, the constraints and indexes that were made for it go too.
 */
import neo4j, { type Driver, type ManagedTransaction, type Session } from 'neo4j-driver';
import { loadSampleDataSource, type CountryFacts } from './countries.ts';
import { NODE_KEYS, toNodes, toRelationships } from './neo4j-rows.ts';

/** Where a Neo4j is and who logs in there. */
export interface Neo4jTarget {
  uri: string;
  username: string;
  password: string;
}

const CONNECT_TIMEOUT_MS = 10_000;
const TRANSACTION_TIMEOUT_MS = 60_000;
const INDEX_TIMEOUT_S = 30;

const NOTES =
  'BORDERS is stored once for each direction (only LKA to IND has no opposite). A property that is not known is ' +
  'absent. The USA, Canada, Russia and others share +1 or +7 (iddRoot); their callingCodes are one for each area code.';

interface SchemaItem {
  kind: 'CONSTRAINT' | 'INDEX';
  name: string;
  definition: string;
}

const SCHEMA: readonly SchemaItem[] = [
  ...[...NODE_KEYS, { label: 'Country', key: 'cca2' }, { label: 'SampleData', key: 'name' }].map(({ label, key }) => ({
    kind: 'CONSTRAINT' as const,
    name: `sample_${label}_${key}`.toLowerCase(),
    definition: `FOR (n:${label}) REQUIRE n.${key} IS UNIQUE`,
  })),
  { kind: 'INDEX', name: 'sample_country_name', definition: 'FOR (n:Country) ON (n.name)' },
  { kind: 'INDEX', name: 'sample_language_name', definition: 'FOR (n:Language) ON (n.name)' },
];

/** Creates the graph, or finds it there from an earlier time. */
export async function loadNeo4j(
  target: Neo4jTarget,
  countries: readonly CountryFacts[],
): Promise<'loaded' | 'present'> {
  const driver = createDriver(target);
  const session = driver.session();
  try {
    if (await hasSampleGraph(session)) return 'present';
    const created = await createSchema(session);
    try {
      await session.run(`CALL db.awaitIndexes(${INDEX_TIMEOUT_S})`);
      return await session.executeWrite((transaction) => createGraph(transaction, countries), {
        timeout: TRANSACTION_TIMEOUT_MS,
      });
    } catch (error) {
      await dropSchema(session, created);
      throw error;
    }
  } finally {
    await session.close().catch(() => {});
    await driver.close();
  }
}

function createDriver({ uri, username, password }: Neo4jTarget): Driver {
  return neo4j.driver(uri, neo4j.auth.basic(username, password), {
    connectionTimeout: CONNECT_TIMEOUT_MS,
    userAgent: 'database-mcp-sample-data',
  });
}

/** Looks for the marker last: a loader that ends between the two questions must not look like somebody else's data. */
async function hasSampleGraph(session: Session): Promise<boolean> {
  const taken = await session.run<{ label: string }>(
    NODE_KEYS.map(({ label }) => `MATCH (n:${label}) WITH n LIMIT 1 RETURN '${label}' AS label`).join(' UNION ALL '),
  );
  const { name } = loadSampleDataSource();
  const marker = await session.run('MATCH (n:SampleData {name: $name}) RETURN n.version LIMIT 1', { name });
  if (marker.records.length > 0) return true;
  if (taken.records.length === 0) return false;
  throw new Error(
    `There are already nodes labelled ${taken.records.map((record) => record.get('label')).join(', ')} that did not ` +
      'come from the sample data; they were left as they are. Use another database, or do without the sample data.',
  );
}

/** Returns what it created, leaving out what was there before; retried when another loader holds the schema locks. */
async function createSchema(session: Session): Promise<SchemaItem[]> {
  return await session.executeWrite(async (transaction) => {
    const items: SchemaItem[] = [];
    for (const item of SCHEMA) {
      const { summary } = await transaction.run(`CREATE ${item.kind} ${item.name} IF NOT EXISTS ${item.definition}`);
      const { constraintsAdded = 0, indexesAdded = 0 } = summary.counters.updates();
      if (constraintsAdded + indexesAdded > 0) items.push(item);
    }
    return items;
  });
}

/** Never hides the error that led here: what cannot be dropped stays as constraints without data. */
async function dropSchema(session: Session, items: readonly SchemaItem[]): Promise<void> {
  for (const { kind, name } of items) {
    await session.run(`DROP ${kind} ${name} IF EXISTS`).catch(() => {});
  }
}

async function createGraph(
  transaction: ManagedTransaction,
  countries: readonly CountryFacts[],
): Promise<'loaded' | 'present'> {
  const { name, ...source } = loadSampleDataSource();
  // Of two that start together the second one waits here for the first, and then finds the node.
  const marker = await transaction.run('MERGE (n:SampleData {name: $name}) ON CREATE SET n += $properties', {
    name,
    properties: { ...source, countries: neo4j.int(countries.length), notes: NOTES },
  });
  if (marker.summary.counters.updates().nodesCreated === 0) return 'present';
  for (const { label, rows } of toNodes(countries)) {
    await transaction.run(`UNWIND $rows AS row CREATE (n:${label}) SET n = row`, { rows });
  }
  await transaction.run(
    'MATCH (n:Country) SET n.location = point({latitude: n.latitude, longitude: n.longitude, crs: "wgs-84"})',
  );
  for (const { type, from, to, rows } of toRelationships(countries)) {
    const { summary } = await transaction.run(
      `UNWIND $rows AS row
       MATCH (a:${from.label} {${from.key}: row.from})
       MATCH (b:${to.label} {${to.key}: row.to})
       CREATE (a)-[r:${type}]->(b) SET r = row.properties`,
      { rows },
    );
    const { relationshipsCreated } = summary.counters.updates();
    if (relationshipsCreated !== rows.length) {
      throw new Error(`${relationshipsCreated} of ${rows.length} relationships ${type} have both of their nodes.`);
    }
  }
  return 'loaded';
}
