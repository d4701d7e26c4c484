/**
 * Loads the sample data into the Qdrant collection `countries`.
 *
 * All points go in one request, which Qdrant writes as a whole. The collection says in its metadata that it is ours;
 * a server older than 1.16 keeps no metadata, there the points themselves are compared.
 */
import { Agent, request } from 'undici';
import { loadSampleDataSource, type CountryFacts } from './countries.ts';
import { COUNTRY_VECTOR_FORMULA, COUNTRY_VECTOR_SIZE, countryPointId } from './country-vector.ts';
import { PAYLOAD_INDEXES, toCountryPoint } from './qdrant-points.ts';

/** Where a Qdrant is and the key that it asks for, if any. */
export interface QdrantTarget {
  url: string;
  apiKey?: string;
}

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';
type Send = (method: Method, path: string, body?: unknown) => Promise<{ status: number; result: unknown }>;

const TIMEOUT_MS = 30_000;
const COLLECTION = 'collections/countries';

/** Creates and fills the collection, or finds it there from an earlier time. */
export async function loadQdrant(
  target: QdrantTarget,
  countries: readonly CountryFacts[],
): Promise<'loaded' | 'present'> {
  const agent = new Agent({ connect: { timeout: TIMEOUT_MS } });
  const send = createSender(target, agent);
  try {
    const state = await readState(send, countries);
    if (state === 'present') return 'present';
    if (state === 'absent') await createCollection(send);
    try {
      await fillCollection(send, countries);
    } catch (error) {
      // Never hides the error that led here; an empty collection of ours is filled by the next start.
      await send('DELETE', COLLECTION).catch(() => {});
      throw error;
    }
    return 'loaded';
  } finally {
    await agent.close();
  }
}

function createSender({ url, apiKey }: QdrantTarget, dispatcher: Agent): Send {
  const base = URL.parse(url.endsWith('/') ? url : `${url}/`);
  if (!base) throw new Error('The address cannot be read; it must look like http://host:6333.');
  return async (method, path, body) => {
    const response = await request(new URL(path, base), {
      method,
      dispatcher,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      headers: { 'content-type': 'application/json', ...(apiKey === undefined ? {} : { 'api-key': apiKey }) },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.body.text();
    const answer = parseAnswer(text);
    if (response.statusCode >= 400 && response.statusCode !== 404) {
      const reason = answer.status?.error ?? text.slice(0, 200);
      throw new Error(`${method} /${path} was answered with ${response.statusCode}: ${reason}`);
    }
    return { status: response.statusCode, result: answer.result };
  };
}

function parseAnswer(text: string): { status?: { error?: string }; result?: unknown } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

interface CollectionInfo {
  points_count?: number | null;
  config?: { params?: { vectors?: unknown }; metadata?: { sample_data?: string } | null };
}

async function readState(send: Send, countries: readonly CountryFacts[]): Promise<'absent' | 'empty' | 'present'> {
  const { status, result } = await send('GET', COLLECTION);
  if (status === 404) return 'absent';
  const info = result as CollectionInfo | undefined;
  if (info?.config?.metadata?.sample_data === loadSampleDataSource().name) {
    // Some points can be missing only because somebody deleted them, and they are not brought back.
    return info.points_count === 0 ? 'empty' : 'present';
  }
  if (await hasSamplePoints(send, countries)) return 'present';
  throw new Error(
    'There is already a collection "countries" that did not come from the sample data; it was left as it is. ' +
      'Use another server, delete or rename the collection, or do without the sample data.',
  );
}

async function hasSamplePoints(send: Send, countries: readonly CountryFacts[]): Promise<boolean> {
  const { result } = await send('POST', `${COLLECTION}/points/scroll`, {
    limit: countries.length + 1,
    with_payload: ['cca3'],
    with_vector: false,
  });
  const points = (result as { points?: { id: unknown; payload?: { cca3?: unknown } | null }[] } | undefined)?.points;
  const codeById = new Map<unknown, string>(countries.map((country) => [countryPointId(country), country.cca3]));
  return points?.length === countries.length && points.every(({ id, payload }) => codeById.get(id) === payload?.cca3);
}

async function createCollection(send: Send): Promise<void> {
  const { name, ...source } = loadSampleDataSource();
  await send('PUT', COLLECTION, {
    vectors: { size: COUNTRY_VECTOR_SIZE, distance: 'Euclid' },
    metadata: {
      sample_data: name,
      ...source,
      vector: COUNTRY_VECTOR_FORMULA,
      point_id: 'ISO 3166-1 number; 1608 for Kosovo, which has none',
      unknown: 'null; an empty list of borders means no land border',
    },
  });
}

async function fillCollection(send: Send, countries: readonly CountryFacts[]): Promise<void> {
  for (const [field, schema] of Object.entries(PAYLOAD_INDEXES)) {
    await sendExpecting(send, 'PUT', `${COLLECTION}/index?wait=true`, { field_name: field, field_schema: schema });
  }
  await sendExpecting(send, 'PUT', `${COLLECTION}/points?wait=true`, { points: countries.map(toCountryPoint) });
}

async function sendExpecting(send: Send, method: Method, path: string, body: unknown): Promise<void> {
  const { status } = await send(method, path, body);
  if (status === 404) throw new Error(`${method} /${path} was answered with 404: the collection is gone.`);
}
