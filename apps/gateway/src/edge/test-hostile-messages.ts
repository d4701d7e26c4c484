/** The table of messages that a careless or hostile client may send, for `hostile-input.test.ts`. */
import { ENVELOPE, modernBody, modernHeaders } from '../test-gateway.ts';

const MIB = 1024 * 1024;
const DEPTH = 100_000;
/** Headers that belong to {@link modernCallWith}. */
export const MODERN_CALL = modernHeaders('tools/call', 'pg_query');

function nest(depth: number): string {
  return `${'['.repeat(depth)}${']'.repeat(depth)}`;
}

function nestObjects(depth: number): string {
  return `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
}

function manyKeys(count: number): string {
  return Array.from({ length: count }, (_, key) => `"k${key}":1`).join(',');
}

/** A legacy call with these arguments. */
export function callWith(rest: string): string {
  return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pg_query","arguments":${rest}}}`;
}

/** A modern call with these arguments. */
export function modernCallWith(rest: string): string {
  return modernBody('tools/call', { name: 'pg_query', arguments: 0 }).replace(
    '"arguments":0',
    () => `"arguments":${rest}`,
  );
}

/** A message and what it must be answered with. */
export interface HostileMessage {
  why: string;
  body: string | Buffer;
  headers?: Record<string, string>;
  status: number;
  /** Of the JSON-RPC error; undefined: a result, or nothing. */
  code?: number;
  /** The id as it is told back. */
  id?: string;
}

/** Malformed and hostile messages; the tool `pg_query` must exist. */
export const HOSTILE_MESSAGES: HostileMessage[] = [
  { why: 'nothing', body: '', status: 400, code: -32700 },
  { why: 'no JSON', body: '{', status: 400, code: -32700 },
  { why: 'invalid UTF-8', body: Buffer.from([0x22, 0xff, 0x22]), status: 400, code: -32700 },
  { why: 'a surrogate in UTF-8', body: Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), status: 400, code: -32700 },
  { why: 'a byte order mark', body: `\ufeff${callWith('{}')}`, status: 400, code: -32700 },
  { why: 'JSON twice', body: `${callWith('{}')}${callWith('{}')}`, status: 400, code: -32700 },
  { why: 'a NUL', body: `${callWith('{}')}\0`, status: 400, code: -32700 },
  { why: 'null', body: 'null', status: 400, code: -32600 },
  { why: 'a text', body: '"x"', status: 400, code: -32600 },
  { why: 'a number', body: '1', status: 400, code: -32600 },
  { why: 'an empty object', body: '{}', status: 400, code: -32600 },
  { why: 'an empty batch', body: '[]', status: 400, code: -32600 },
  { why: 'arrays, deep', body: nest(DEPTH), status: 400, code: -32600 },
  { why: 'arrays, as deep as fits', body: nest(2 * MIB), status: 413, code: -32600 },
  { why: 'arrays that are never closed', body: '['.repeat(4 * MIB), status: 413, code: -32600 },
  { why: 'very many arrays side by side', body: callWith(`[${'[],'.repeat(MIB)}1]`), status: 413, code: -32600 },
  { why: 'as many objects as may be', body: callWith(`[${'{},'.repeat(130_000)}1]`), status: 200 },
  {
    why: 'a batch of very many',
    body: `[${Array(100_000).fill('{"jsonrpc":"2.0","method":"a"}').join(',')}]`,
    status: 400,
    code: -32600,
  },
  {
    why: 'a batch of messages that are long',
    body: `[${Array(50)
      .fill(`{"jsonrpc":"2.0","method":"a","params":{${manyKeys(4_000)}}}`)
      .join(',')}]`,
    status: 413,
    code: -32600,
  },
  {
    why: 'very many parameters',
    body: callWith('{}').replace('"arguments"', () => `${manyKeys(200_000)},"arguments"`),
    status: 413,
    code: -32600,
  },
  {
    why: 'very many members of the envelope',
    body: modernCallWith('{}').replace('"_meta":{', () => `"_meta":{${manyKeys(200_000)},`),
    headers: MODERN_CALL,
    status: 413,
    code: -32600,
  },
  {
    why: 'very many capabilities',
    body: modernCallWith('{}').replace(
      'clientCapabilities":{',
      () => `clientCapabilities":{${manyKeys(100_000).replaceAll(':1', ':{}')}`,
    ),
    headers: MODERN_CALL,
    status: 413,
    code: -32600,
  },
  { why: 'deep arguments', body: callWith(nestObjects(DEPTH)), status: 200 },
  { why: 'deep arguments of a modern call', body: modernCallWith(nest(DEPTH)), headers: MODERN_CALL, status: 200 },
  {
    why: 'a deep id',
    body: callWith('{}').replace('"id":1', `"id":${nest(DEPTH)}`),
    status: 400,
    code: -32600,
    id: 'null',
  },
  {
    why: 'a deep method',
    body: callWith('{}').replace('"tools/call"', () => nest(DEPTH)),
    status: 400,
    code: -32600,
  },
  {
    why: 'deep client capabilities',
    body: modernCallWith('{}').replace('clientCapabilities":{}', () => `clientCapabilities":${nestObjects(DEPTH)}`),
    headers: MODERN_CALL,
    status: 200,
  },
  {
    why: 'a deep name of a client',
    body: modernCallWith('{}').replace('"name":"test"', () => `"name":"test","x":${nest(DEPTH)}`),
    headers: MODERN_CALL,
    status: 200,
  },
  {
    why: 'a deep unknown member',
    body: callWith('{}').replace('"id":1', () => `"id":1,"x":${nest(DEPTH)}`),
    status: 400,
    code: -32600,
  },
  { why: '4 MiB of digits', body: '1'.repeat(4 * MIB), status: 400, code: -32600 },
  {
    why: 'an id of many digits',
    body: callWith('{}').replace('"id":1', () => `"id":${'1'.repeat(3 * MIB)}`),
    status: 400,
    code: -32600,
    id: 'null',
  },
  { why: 'an argument of many digits', body: callWith(`{"n":${'1'.repeat(3 * MIB)}}`), status: 200 },
  { why: 'a text of quotes and backslashes', body: callWith(`{"n":"${'\\\\\\"'.repeat(MIB / 2)}"}`), status: 200 },
  { why: 'very many keys', body: callWith(`{${manyKeys(200_000)}}`), status: 413, code: -32600 },
  {
    why: 'very many keys at the top',
    body: callWith('{}').replace('"id":1', () => `"id":1,${manyKeys(200_000)}`),
    status: 413,
    code: -32600,
  },
  { why: 'as many keys as may be', body: callWith(`{${manyKeys(30_000)}}`), status: 200 },
  {
    why: 'as many keys as may be, at the top',
    body: callWith('{}').replace('"id":1', () => `"id":1,${manyKeys(30_000)}`),
    status: 400,
    code: -32600,
  },
  {
    why: 'as many as may be in the envelope',
    body: modernCallWith('{}').replace('"_meta":{', () => `"_meta":{${manyKeys(30_000)},`),
    headers: MODERN_CALL,
    status: 400,
    code: -32600,
  },
  {
    why: 'a batch of many members',
    body: `[${Array(30)
      .fill(`{"jsonrpc":"2.0","method":"a","params":{${manyKeys(2_000)}}}`)
      .join(',')}]`,
    status: 400,
    code: -32600,
  },
  {
    why: 'a long name of a tool',
    body: callWith('{}').replace('pg_query', () => 'p'.repeat(3 * MIB)),
    status: 200,
    code: -32602,
  },
  {
    why: 'a long method',
    body: callWith('{}').replace('tools/call', () => 'p'.repeat(3 * MIB)),
    status: 200,
    code: -32601,
  },
  {
    why: 'a long version',
    body: modernCallWith('{}').replace('2026-07-28', () => '9'.repeat(3 * MIB)),
    headers: MODERN_CALL,
    status: 400,
    code: -32020,
  },
  {
    why: 'a long cursor',
    body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"${'p'.repeat(3 * MIB)}"}}`,
    status: 200,
    code: -32602,
  },
  {
    why: 'a name that is a lone surrogate',
    body: callWith('{}').replace('pg_query', '\\ud800'),
    status: 200,
    code: -32602,
  },
  {
    why: 'names of members of objects',
    body: callWith('{}').replace('pg_query', '__proto__'),
    status: 200,
    code: -32602,
  },
  { why: 'the same, another one', body: callWith('{}').replace('pg_query', 'constructor'), status: 200, code: -32602 },
  {
    why: 'a method named like a member of objects',
    body: callWith('{}').replace('tools/call', 'toString'),
    status: 200,
    code: -32601,
  },
  { why: 'the prototype as a member', body: callWith('{"__proto__":{"x":1}}'), status: 200 },
  {
    why: 'the prototype at the top',
    body: callWith('{}').replace('"id":1', '"__proto__":{"id":7},"id":1'),
    status: 400,
    code: -32600,
  },
  {
    why: 'the prototype as parameters',
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"__proto__":{"name":"pg_query"}}}',
    status: 200,
    code: -32602,
  },
  {
    why: 'the prototype in the envelope',
    body: modernCallWith('{}').replace('"_meta":{', `"_meta":{"__proto__":${JSON.stringify(ENVELOPE)},`),
    headers: MODERN_CALL,
    status: 200,
  },
  {
    why: 'an envelope that is only the prototype of one',
    body: modernCallWith('{}').replace(/"_meta":\{.*\}\}\}/, `"_meta":{"__proto__":${JSON.stringify(ENVELOPE)}}}}`),
    headers: MODERN_CALL,
    status: 400,
    code: -32602,
  },
  {
    why: 'parameters that are an array',
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["pg_query"]}',
    status: 400,
    code: -32600,
  },
  { why: 'a name that is no text', body: callWith('{}').replace('"pg_query"', '7'), status: 200, code: -32602 },
  {
    why: 'an id that is null',
    body: callWith('{}').replace('"id":1', '"id":null'),
    status: 400,
    code: -32600,
    id: 'null',
  },
  {
    why: 'an id that is true',
    body: callWith('{}').replace('"id":1', '"id":true'),
    status: 400,
    code: -32600,
    id: 'null',
  },
  {
    why: 'an id that is an array',
    body: callWith('{}').replace('"id":1', '"id":[1]'),
    status: 400,
    code: -32600,
    id: 'null',
  },
  {
    why: 'an id that is an object',
    body: callWith('{}').replace('"id":1', '"id":{}'),
    status: 400,
    code: -32600,
    id: 'null',
  },
  {
    why: 'an id that is a fraction',
    body: callWith('{}').replace('"id":1', '"id":1.5'),
    status: 400,
    code: -32600,
    id: 'null',
  },
  {
    why: 'an id that no number holds',
    body: callWith('{}').replace('"id":1', '"id":1e400'),
    status: 400,
    code: -32600,
    id: 'null',
  },
  {
    why: 'an id beyond the exact integers',
    body: callWith('{}').replace('"id":1', '"id":9007199254740993').replace('pg_query', 'no'),
    status: 200,
    code: -32602,
    id: '9007199254740993',
  },
  {
    why: 'an id below zero',
    body: callWith('{}').replace('"id":1', '"id":-5').replace('pg_query', 'no'),
    status: 200,
    code: -32602,
    id: '-5',
  },
  {
    why: 'an id that is empty',
    body: callWith('{}').replace('"id":1', '"id":""').replace('pg_query', 'no'),
    status: 200,
    code: -32602,
    id: '""',
  },
  {
    why: 'an id with quotes and a surrogate',
    body: callWith('{}')
      .replace('"id":1', () => String.raw`"id":"\"\\\ud800\u0000$&"`)
      .replace('pg_query', 'no'),
    status: 200,
    code: -32602,
    id: String.raw`"\"\\\ud800\u0000$&"`,
  },
  {
    why: 'an id twice',
    body: callWith('{}').replace('"id":1', '"id":1,"id":2').replace('pg_query', 'no'),
    status: 200,
    code: -32602,
    id: '2',
  },
  { why: 'no id', body: callWith('{}').replace('"id":1,', ''), status: 202 },
  { why: 'another version of JSON-RPC', body: callWith('{}').replace('"2.0"', '"1.0"'), status: 400, code: -32600 },
];
