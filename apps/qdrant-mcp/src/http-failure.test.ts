import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toAnswerError, toConnectionError } from './http-failure.ts';

const envelope = (error: string): string => JSON.stringify({ status: { error }, time: 0.1 });

test('what Qdrant says becomes one of our codes, in words that fit what the caller wrote', () => {
  const table: [status: number, text: string, expected: [code: string, message: RegExp, hint?: RegExp], why: string][] =
    [
      [
        401,
        'Must provide an API key or an Authorization bearer token',
        ['PERMISSION_DENIED', /API key/, /QDRANT_API_KEY/],
        'plain text',
      ],
      [
        403,
        envelope('Forbidden: Global access is required'),
        ['PERMISSION_DENIED', /Global access/, /QDRANT_API_KEY/],
        'a key with less',
      ],
      [404, envelope("Not found: Collection `c` doesn't exist!"), ['NOT_FOUND', /^Collection `c`/], 'no collection'],
      [404, '', ['UNAVAILABLE', /does not answer like Qdrant/, /QDRANT_URL/], 'another server'],
      [302, '<html>', ['UNAVAILABLE', /HTTP 302/, /QDRANT_URL/], 'a proxy that redirects'],
      [429, envelope('Too many requests'), ['BUSY', /Too many requests/, /in 7 s/], 'a rate limit'],
      [
        400,
        envelope('Wrong input: Vector dimension error: expected dim: 4, got 2'),
        ['INVALID_ARGUMENT', /^Qdrant refused: Vector dimension error: expected dim: 4, got 2$/],
        'a wrong vector',
      ],
      [
        422,
        envelope('Validation error in JSON body: [internal.filter.must[0].x: must be unique]'),
        ['INVALID_ARGUMENT', /^Qdrant refused: \[internal/],
        'validation',
      ],
      [
        400,
        envelope("Format error in JSON body: Invalid json path: 'o.a[' at line 1 column 108"),
        ['INVALID_ARGUMENT', /^Qdrant refused: Invalid json path: 'o\.a\['$/],
        'a position in bytes that the caller never saw',
      ],
      [
        400,
        envelope(
          'Bad request: Index required but not found for "city" of one of the following types: [keyword]. Help: Create an index for this key or use a different filter.',
        ),
        ['QUERY_FAILED', /Index required but not found for "city"/, /^Create an index/],
        'strict mode',
      ],
      [
        400,
        envelope('JSON payload (1100029 bytes) is larger than allowed (limit: 1048576 bytes).'),
        ['TOO_LARGE', /1048576/],
        'a large body',
      ],
      [500, envelope('Service internal error: disk full'), ['QUERY_FAILED', /disk full/], 'a fault of Qdrant'],
      [
        503,
        '<html><body>bad gateway</body></html>',
        ['UNAVAILABLE', /HTTP 503/, /QDRANT_URL/],
        'a proxy without Qdrant',
      ],
    ];
  for (const [status, text, [code, message, hint], why] of table) {
    const error = toAnswerError({ status, text, retryAfter: '7' }, undefined);
    assert.equal(error.code, code, why);
    assert.match(error.message, message, why);
    assert.doesNotMatch(error.message, /<html>|line 1 column/, why);
    assert.match(error.hint ?? '', hint ?? /^/, why);
  }
});

test('an answer that repeats the key, or is endless, is neither passed on', () => {
  const error = toAnswerError(
    { status: 400, text: envelope(`key s3cret is odd ${'x'.repeat(9_000)}`), retryAfter: '' },
    's3cret',
  );
  assert.doesNotMatch(error.message, /s3cret/);
  assert.ok(error.message.length < 1_000);
});

test('a connection that fails says what to look at; other errors are not the connection', () => {
  const table: [code: string, message: RegExp, why: string][] = [
    ['ECONNREFUSED', /cannot be reached \(ECONNREFUSED\)/, 'nobody listens'],
    ['UND_ERR_CONNECT_TIMEOUT', /cannot be reached/, 'a host that is not there'],
    ['EPROTO', /does not answer like Qdrant/, 'TLS to a port without'],
    ['HPE_INVALID_CONSTANT', /does not answer like Qdrant/, 'the gRPC port'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', /certificate .* not trusted/, 'a certificate of its own'],
  ];
  for (const [code, message, why] of table) {
    const error = toConnectionError(Object.assign(new Error('http://secret'), { code }));
    assert.equal(error?.code, 'UNAVAILABLE', why);
    assert.match(error.message, message, why);
    assert.doesNotMatch(error.message, /secret/, why);
  }
  assert.equal(toConnectionError(new TypeError('a bug')), undefined);
});
