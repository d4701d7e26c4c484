/** The endpoints: which function answers which method and path. */
import { ApiError } from './api-error.ts';
import { readBody, readText, requiredField } from './body-fields.ts';
import { readCollectionConfig, validateCollectionName } from './collection-config.ts';
import { field } from './json.ts';
import type { Json } from './json.ts';
import { createPayloadIndex } from './payload-index.ts';
import { getPoint, readCountRequest, readDelete, readRetrieve, readScroll } from './points.ts';
import { readPathPointId } from './point-id.ts';
import { readQueryRequest } from './query.ts';
import type { Store } from './store.ts';
import { readUpsert } from './upsert.ts';

/** What a handler gets. */
export interface RouteRequest {
  readonly store: Store;
  /** The variable parts of the path, decoded. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  /** The parsed body; throws the server's answer when it is not JSON. */
  readonly body: () => Json;
}

/** Answers with the `result`. */
export type Handler = (request: RouteRequest) => unknown;

interface Route {
  readonly method: string;
  readonly pattern: RegExp;
  readonly handle: Handler;
}

const ORDERINGS = ['weak', 'medium', 'strong'];

function route(method: string, path: string, handle: Handler): Route {
  return { method, pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '([^/]+)')}$`), handle };
}

function badQuery(problem: string): ApiError {
  return new ApiError(400, `Deserialize error in query parameters: ${problem}`);
}

function readsWait(query: URLSearchParams): boolean {
  const wait = query.get('wait') ?? 'false';
  if (wait !== 'true' && wait !== 'false') throw badQuery('provided string was not `true` or `false`');
  const ordering = query.get('ordering') ?? 'weak';
  if (!ORDERINGS.includes(ordering)) {
    throw badQuery(
      `unknown variant \`${ordering}\`, expected one of ${ORDERINGS.map((item) => `\`${item}\``).join(', ')}`,
    );
  }
  return wait === 'true';
}

/** A write: the operation's number, and whether the caller waited for it. */
function write(handle: (request: RouteRequest) => number): Handler {
  return (request) => {
    const isWaiting = readsWait(request.query);
    const operation = handle(request);
    request.store.changed();
    return { operation_id: operation, status: isWaiting ? 'completed' : 'acknowledged' };
  };
}

/** A request with a body for one collection; the body is read before the collection is looked up, as by the server. */
function onCollection<T>(read: (body: Json) => (collection: ReturnType<Store['get']>) => T): (r: RouteRequest) => T {
  return ({ store, path, body }) => read(body())(store.get(path[0] ?? ''));
}

function createCollection({ store, path, body }: RouteRequest): boolean {
  const name = path[0] ?? '';
  validateCollectionName(name);
  store.create(name, readCollectionConfig(readBody(body(), 'CreateCollection')));
  return true;
}

function createIndex({ store, path, body }: RouteRequest): number {
  const request = readBody(body(), 'CreateFieldIndex');
  requiredField(request, 'field_name');
  const key = readText(request, 'field_name') ?? '';
  const schema = field(request, 'field_schema') ?? null;
  if (schema === null) throw ApiError.notDone('an index without `field_schema`');
  const index = createPayloadIndex(key, schema);
  const collection = store.get(path[0] ?? '');
  collection.indexes.set(key, index);
  // The server logs two operations for each change of an index.
  return (collection.operation += 2);
}

function deleteIndex({ store, path }: RouteRequest): number {
  const collection = store.get(path[0] ?? '');
  collection.indexes.delete(path[1] ?? '');
  return (collection.operation += 2);
}

const ROUTES: readonly Route[] = [
  route('GET', '/collections', ({ store }) => ({ collections: Array.from(store.all(), ({ name }) => ({ name })) })),
  route('GET', '/collections/{name}', ({ store, path }) => store.get(path[0] ?? '').describe()),
  route('GET', '/collections/{name}/exists', ({ store, path }) => ({ exists: store.has(path[0] ?? '') })),
  route('PUT', '/collections/{name}', createCollection),
  route('DELETE', '/collections/{name}', ({ store, path }) => store.delete(path[0] ?? '')),
  route('PUT', '/collections/{name}/index', write(createIndex)),
  route('DELETE', '/collections/{name}/index/{key}', write(deleteIndex)),
  route('PUT', '/collections/{name}/points', write(onCollection(readUpsert))),
  route('POST', '/collections/{name}/points', onCollection(readRetrieve)),
  route('POST', '/collections/{name}/points/delete', write(onCollection(readDelete))),
  route('POST', '/collections/{name}/points/scroll', onCollection(readScroll)),
  route('POST', '/collections/{name}/points/count', onCollection(readCountRequest)),
  route('POST', '/collections/{name}/points/query', onCollection(readQueryRequest)),
  route('GET', '/collections/{name}/points/{id}', ({ store, path }) => {
    const id = readPathPointId(path[1] ?? '');
    return getPoint(store.get(path[0] ?? ''), id);
  }),
  route('GET', '/cluster', () => ({ status: 'disabled' })),
];

// Endpoints of a real server that a caller may well try: refusing with a reason is kinder than a bare 404.
const NOT_DONE: readonly Route[] = (
  [
    ['PATCH', '/collections/{name}'],
    ['GET', '/aliases'],
    ['GET', '/collections/{name}/aliases'],
    ['POST', '/collections/aliases'],
    ['POST', '/collections/{name}/points/(?:payload|payload/delete|payload/clear|vectors/delete|batch)'],
    ['PUT', '/collections/{name}/points/(?:payload|vectors)'],
    ['POST', '/collections/{name}/points/(?:query|search|recommend|discover)(?:/[a-z]+)*'],
    ['POST', '/collections/{name}/(?:facet|snapshots)'],
  ] as const
).map(([method, path]) =>
  route(method, path, ({ store, path: [name] }) => {
    if (name !== undefined) store.get(name);
    throw ApiError.notDone(`this endpoint (${method})`);
  }),
);

/** The handler for a request and the variable parts of its path, or undefined when there is no such endpoint. */
export function findRoute(
  method: string,
  path: string,
): { readonly handle: Handler; readonly path: string[] } | undefined {
  for (const { method: expected, pattern, handle } of [...ROUTES, ...NOT_DONE]) {
    const match = method === expected ? pattern.exec(path) : null;
    if (match !== null) return { handle, path: match.slice(1) };
  }
  return undefined;
}
