/** What is sent to Qdrant, and what becomes of answers that a real one gives rarely: checked with a recording server. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';
import type { ToolError } from '@database-mcp/errors';
import type { TableResult } from '@database-mcp/mcp-kit';
import { listenLocally, waitFor } from '@database-mcp/testing';
import { createDatabase } from './database.ts';
import { createTools } from './tools/index.ts';

interface Recorded {
  method: string;
  path: string;
  body: string;
  headers: IncomingMessage['headers'];
}

type Answer = (request: Recorded, response: ServerResponse) => unknown;

const LIMITS = { maxRows: 1_000, maxBytes: 100_000, maxCellBytes: 10_000 };

/** Starts a server that records every request and answers with what `answer` gives as the result, unless it answered itself. */
async function start(
  t: TestContext,
  answer: Answer,
  options: { apiKey?: string; path?: string; maxRows?: number } = {},
) {
  const requests: Recorded[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const recorded = { method, path, headers, body: Buffer.concat(chunks).toString() };
      requests.push(recorded);
      void Promise.resolve(answer(recorded, response)).then((result) => {
        if (result !== undefined) sendJson(response, 200, { result, status: 'ok', time: 0.1 });
      });
    });
  });
  const { origin } = await listenLocally(server, { t });
  const database = createDatabase({ url: `${origin}${options.path ?? ''}`, apiKey: options.apiKey });
  const tools = createTools(database, { ...LIMITS, ...(options.maxRows ? { maxRows: options.maxRows } : {}) });
  t.after(() => database.close());
  const call = async (name: string, args: object = {}, signal = AbortSignal.timeout(10_000)): Promise<TableResult> => {
    const tool = tools.find((candidate) => candidate.name === name);
    const parsed = tool?.validate(args);
    assert.ok(tool && parsed?.success, `${name} takes ${JSON.stringify(parsed?.error)}`);
    return tool.run(parsed.data, { signal });
  };
  return { requests, call, database, server };
}

function sendJson(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

function info(size = 2, extra: object = {}): object {
  return {
    status: 'green',
    points_count: 3,
    config: { params: { vectors: { size, distance: 'Dot' } }, ...extra },
    payload_schema: {},
  };
}

/** Answers like a Qdrant whose collections all look alike. */
function likeQdrant(
  points: object[] = [{ id: 1, version: 1, score: 0.5, payload: { a: 1 } }],
  extra: object = {},
): Answer {
  return ({ path, body }, response) => {
    if (path.endsWith('/collections')) return { collections: [{ name: 'b' }, { name: 'a' }] };
    if (path.includes('missing')) {
      sendJson(response, 404, { status: { error: "Not found: Collection `missing` doesn't exist!" } });
      return undefined;
    }
    if (path.endsWith('/points/scroll')) return { points: [{ id: 1, payload: { a: 1 } }], next_page_offset: null };
    if (!path.endsWith('/points/query')) return info(2, extra);
    const { limit, offset = 0 } = JSON.parse(body) as { limit: number; offset?: number };
    return { points: points.slice(offset, offset + limit) };
  };
}

const SEARCH = { collection: 'c', query_vector: [1, 2] };
const FILTER = { must: [{ key: 'a', match: { value: 1 } }] };

test('nothing but reading endpoints is ever asked', async (t) => {
  const full = await start(t, likeQdrant());
  const empty = await start(t, likeQdrant([], { strict_mode_config: { enabled: true, max_query_limit: 1 } }));
  for (const { call, database } of [full, empty]) {
    await call('list_collections');
    await call('collection_info', { collection: 'c' });
    await call('search', { ...SEARCH, filter: FILTER, limit: 1 });
    await assert.rejects(call('search', { ...SEARCH, collection: 'missing' }));
    await assert.rejects(call('search', { ...SEARCH, query_vector: [1] }));
    await database.ping();
    await database.describeRole(AbortSignal.timeout(5_000)).catch(() => {});
  }
  const asked = new Set([...full.requests, ...empty.requests].map(({ method, path }) => `${method} ${path}`));
  assert.deepEqual([...asked].toSorted(), [
    'GET /',
    'GET /collections',
    'GET /collections/a',
    'GET /collections/b',
    'GET /collections/c',
    'GET /collections/missing',
    'POST /collections/c/points/query',
    'POST /collections/c/points/scroll',
  ]);
});

test('a collection name stays one segment of the path, or is refused before anything is sent', async (t) => {
  const { requests, call } = await start(t, likeQdrant(), { path: '/proxied/' });
  const table: [name: string, path: string | undefined, why: string][] = [
    ['a b', 'a%20b', 'a blank'],
    ['café ☃', 'caf%C3%A9%20%E2%98%83', 'not ASCII'],
    ['a?b#c&d=e', 'a%3Fb%23c%26d%3De', 'what would begin a query'],
    ['%2e%2e', '%252e%252e', 'an encoded name is only a name'],
    ['..', undefined, 'up'],
    ['.', undefined, 'here'],
    ['../telemetry', undefined, 'another endpoint'],
    ['a/points/delete', undefined, 'a longer path'],
    ['a\\..\\b', undefined, 'a separator to some proxies'],
    ['a\r\nx: y', undefined, 'another header'],
    ['\ud800', undefined, 'half a character'],
  ];
  for (const [collection, path, why] of table) {
    requests.length = 0;
    const run = call('collection_info', { collection });
    if (path === undefined) {
      await assert.rejects(run, { code: 'INVALID_ARGUMENT' }, why);
      assert.equal(requests.length, 0, why);
    } else {
      await run;
      assert.equal(requests[0]?.path, `/proxied/collections/${path}`, why);
    }
  }
});

test('the key goes into its header and into nothing else', async (t) => {
  const { requests, call } = await start(
    t,
    (_request, response) => void response.writeHead(401).end('Invalid API key: s3cret-key'),
    { apiKey: 's3cret-key' },
  );
  await assert.rejects(call('search', SEARCH), (error: ToolError) => {
    assert.equal(error.code, 'PERMISSION_DENIED');
    assert.match(error.hint ?? '', /QDRANT_API_KEY/);
    assert.doesNotMatch(`${error.message}${error.hint}${error.where}`, /s3cret/);
    return true;
  });
  assert.equal(requests[0]?.headers['api-key'], 's3cret-key');
});

test('integers of a filter are sent digit for digit', async (t) => {
  const { requests, call } = await start(t, likeQdrant());
  const filter = {
    must: [
      { has_id: [18446744073709551615n, '9007199254740993'] },
      { key: 'a', match: { value: 9007199254740993n } },
      { key: 'a', range: { gte: -9007199254740993n } },
    ],
  };
  await call('search', { ...SEARCH, filter });
  const sent = requests.find(({ path }) => path.endsWith('/query'))?.body ?? '';
  for (const digits of [
    '[18446744073709551615,9007199254740993]',
    '"value":9007199254740993}',
    '"gte":-9007199254740993}',
  ]) {
    assert.ok(sent.includes(digits), sent);
  }
});

test('a filter that is refused is not sent', async (t) => {
  const { requests, call } = await start(t, likeQdrant());
  const filter = { must: [{ key: 'a', rang: { gte: 1 } }] };
  await assert.rejects(call('search', { ...SEARCH, filter }), {
    code: 'INVALID_ARGUMENT',
    where: 'filter.must[0].rang',
  });
  assert.equal(requests.length, 0);
});

test('an aborted call closes its connection to Qdrant', { timeout: 10_000 }, async (t) => {
  const closed = Promise.withResolvers<void>();
  const { requests, call } = await start(t, ({ path }, response) => {
    if (!path.endsWith('/query')) return info();
    response.on('close', () => closed.resolve());
    return undefined;
  });
  const gone = new AbortController();
  const failed = assert.rejects(call('search', SEARCH, gone.signal));
  await waitFor(() => requests.some(({ path }) => path.endsWith('/query')), { what: 'the query' });
  gone.abort();
  await failed;
  await closed.promise;
  assert.equal(requests.filter(({ path }) => path.endsWith('/query')).length, 1, 'an aborted request is not repeated');
});

test('an answer without end is cut off, and fewer points are asked for', async (t) => {
  let written = 0;
  const { requests, call } = await start(t, ({ path, body }, response) => {
    if (!path.endsWith('/query')) return info();
    const { limit, offset } = JSON.parse(body) as { limit: number; offset?: number };
    if (offset !== undefined) return { points: [{ id: 99, score: 0 }] };
    if (limit <= 2)
      return { points: Array.from({ length: limit }, (_, id) => ({ id, score: 1, payload: { a: 'x' } })) };
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    const write = (): void => {
      while (!response.destroyed && response.write(chunk)) written += chunk.length;
      written += chunk.length;
    };
    response.writeHead(200).on('drain', write);
    write();
    return undefined;
  });
  const result = await call('search', { ...SEARCH, limit: 100 });
  assert.equal(result.rowCount, 2);
  assert.equal(result.truncated, true);
  assert.match(result.notices?.join(' ') ?? '', /Only 2 points were fetched: more would be too large/);
  assert.deepEqual(
    requests
      .filter(({ path }) => path.endsWith('/query'))
      .map(({ body }) => (JSON.parse(body) as { limit: number }).limit),
    [101, 13, 2, 1],
  );
  assert.ok(written < 80 * 1024 * 1024, `${written} bytes were written for two answers`);
});

test('a point that is too large alone is an error that says so', async (t) => {
  const huge = `{"result":{"points":[{"id":1,"score":1,"payload":{"a":"${'x'.repeat(17 * 1024 * 1024)}"}}]}}`;
  const { call } = await start(t, ({ path }, response) => {
    if (!path.endsWith('/query')) return info();
    response.end(huge);
    return undefined;
  });
  await assert.rejects(call('search', { ...SEARCH, limit: 3 }), { code: 'TOO_LARGE' });
});

test('truncated is true exactly when there are more points', async (t) => {
  const points = Array.from({ length: 5 }, (_, id) => ({ id, version: 1, score: 1 - id, payload: {} }));
  const strict = { strict_mode_config: { enabled: true, max_query_limit: 5 } };
  const table: [extra: object, count: number, limit: number, rows: number, truncated: boolean, why: string][] = [
    [{}, 5, 5, 5, false, 'exactly the limit'],
    [{}, 5, 4, 4, true, 'one more than the limit'],
    [{}, 5, 9, 5, false, 'fewer than the limit'],
    [strict, 5, 5, 5, false, 'one beyond may not be asked for, and there is none'],
    [strict, 5, 4, 4, true, 'below the cap of strict mode'],
    [strict, 5, 100, 5, false, 'the default limit is over the cap'],
  ];
  for (const [extra, count, limit, rows, truncated, why] of table) {
    const { requests, call } = await start(t, likeQdrant(points.slice(0, count), extra));
    const result = await call('search', { ...SEARCH, limit });
    assert.equal(result.rowCount, rows, why);
    assert.equal(result.truncated, truncated, why);
    for (const { path, body } of requests) {
      if (extra !== strict || !path.endsWith('/query')) continue;
      assert.ok((JSON.parse(body) as { limit: number }).limit <= 5, why);
    }
  }
  const { call } = await start(t, likeQdrant([...points, ...points], strict));
  const result = await call('search', { ...SEARCH, limit: 100 });
  assert.equal(result.truncated, true);
  assert.match(result.notices?.join(' ') ?? '', /strict mode of the collection allows no more/);
});

test('a collection is looked up once for several searches, and again when a vector does not fit', async (t) => {
  let size = 2;
  const { requests, call } = await start(t, (request, response) =>
    request.path === '/collections/c' ? info(size) : likeQdrant()(request, response),
  );
  await call('search', SEARCH);
  await call('search', SEARCH);
  const lookups = (): number => requests.filter(({ path }) => path === '/collections/c').length;
  assert.equal(lookups(), 1);
  size = 3;
  await call('search', { ...SEARCH, query_vector: [1, 2, 3] });
  assert.equal(lookups(), 2);
  await assert.rejects(call('search', SEARCH), /has 2 numbers, but collection "c" has vectors of 3/);
});

test('a connection that Qdrant closed while it was idle is no error', async (t) => {
  let requests = 0;
  const { call } = await start(t, (_request, response) => {
    requests++;
    if (requests !== 2) return { collections: [] };
    response.destroy();
    return undefined;
  });
  await call('list_collections');
  await call('list_collections');
  assert.equal(requests, 3);
});

test('collections are listed a few at a time, and no more than are shown', async (t) => {
  let inFlight = 0;
  let most = 0;
  const names = Array.from({ length: 50 }, (_, index) => ({ name: `c${index}` }));
  const answer: Answer = async ({ path }) => {
    if (path === '/collections') return { collections: names };
    most = Math.max(most, ++inFlight);
    await new Promise((resolve) => setImmediate(resolve));
    inFlight--;
    return info();
  };
  const all = await start(t, answer);
  assert.equal((await all.call('list_collections')).rowCount, 50);
  assert.ok(most > 1 && most <= 8, `${most} at a time`);
  const few = await start(t, answer, { maxRows: 10 });
  const result = await few.call('list_collections');
  assert.equal(result.rowCount, 10);
  assert.equal(result.truncated, true);
  assert.ok(few.requests.length <= 17, `${few.requests.length} requests`);
});

test('collections that the key may not read are listed without facts, those deleted meanwhile not at all', async (t) => {
  const { call } = await start(t, ({ path }, response) => {
    if (path === '/collections') return { collections: [{ name: 'gone' }, { name: 'hidden' }, { name: 'open' }] };
    if (path.endsWith('/open')) return info();
    const isGone = path.endsWith('/gone');
    const error = isGone ? "Not found: Collection `gone` doesn't exist!" : 'Forbidden: no access to `hidden`';
    sendJson(response, isGone ? 404 : 403, { status: { error } });
    return undefined;
  });
  const result = await call('list_collections');
  assert.deepEqual(result.rows, [
    ['hidden', null, null, null],
    ['open', 3, '2 Dot', 'green'],
  ]);
  assert.match(result.notices?.join(' ') ?? '', /may not read 1/);
});

test('a rate limit says when to come back', async (t) => {
  const { call } = await start(t, (_request, response) =>
    sendJson(response, 429, { status: { error: 'Too many requests' } }, { 'retry-after': '7' }),
  );
  await assert.rejects(call('list_collections'), { code: 'BUSY', hint: 'Repeat in 7 s.' });
});

test('what is no Qdrant is told as such', async (t) => {
  const table: [answer: Answer, why: string][] = [
    [(_request, response) => void response.end('<html>hello</html>'), 'a web server'],
    [(_request, response) => void response.end('{"hello":1}'), 'another JSON interface'],
    [(_request, response) => void response.socket?.end('\0\0\x12\x04\0\0'), 'the gRPC port'],
    [(_request, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), 'a redirection'],
  ];
  for (const [answer, why] of table) {
    const { call } = await start(t, answer);
    await assert.rejects(
      call('list_collections'),
      { code: 'UNAVAILABLE', message: /does not answer like Qdrant/ },
      why,
    );
  }
});

test(
  'a Qdrant that takes requests and answers none is not ready, and does not hold up the end',
  { timeout: 10_000 },
  async (t) => {
    const { call, database } = await start(t, () => undefined);
    await assert.rejects(database.ping(), { code: 'UNAVAILABLE', message: 'Qdrant did not answer within 2 s.' });
    const hanging = assert.rejects(call('list_collections'));
    await database.close();
    await hanging;
  },
);
