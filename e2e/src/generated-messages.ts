/** Generated messages of MCP as source text, and the pieces in which they arrive. */
import * as fc from 'fast-check';
import type { Arbitrary } from 'fast-check';
import type { Planned } from './byte-upstream.ts';
import { jsonObject, jsonString, jsonValue, maybe, member, unknownMembers } from './json-text.ts';

/** Of the keys in `_meta` that the protocol owns. */
export const META_PREFIX = 'io.modelcontextprotocol/';

/** A count of something. */
export const integer = fc.integer({ min: 0, max: 2 ** 31 }).map(String);
const base64 = fc.base64String({ minLength: 4, maxLength: 24 }).map((text) => JSON.stringify(text));
/** That string and no other. */
export const exactly = (value: string): Arbitrary<string> => fc.constant(JSON.stringify(value));
/** `_meta`, with keys of its own. */
export const extra = maybe('_meta', jsonObject(unknownMembers()));
const annotations = maybe(
  'annotations',
  jsonObject(
    maybe('audience', fc.constantFrom('["user"]', '[ "assistant" , "user" ]', '[]')),
    maybe('priority', fc.constantFrom('0', '1.0', '0.5e0', '1E-1')),
    maybe('lastModified', exactly('2026-01-12T15:00:58Z')),
    unknownMembers(),
  ),
);
const icon = jsonObject(
  member('src', exactly('https://example.com/i.png')),
  maybe('sizes', exactly('any')),
  unknownMembers(),
);
/** `icons`, at times. */
export const icons = maybe('icons', toArray(fc.array(icon, { maxLength: 2 })));
/** What a resource holds. */
export const resource = jsonObject(
  member('uri', exactly('plain://rows/1')),
  maybe('mimeType', exactly('text/plain')),
  fc.oneof(member('text', jsonString), member('blob', base64)),
  extra,
  unknownMembers(),
);

/** A content block of each type. */
export const BLOCKS = {
  text: jsonObject(member('type', exactly('text')), member('text', jsonString), annotations, extra, unknownMembers()),
  image: binaryBlock('image'),
  audio: binaryBlock('audio'),
  resource: jsonObject(member('type', exactly('resource')), member('resource', resource), annotations, extra),
  resource_link: jsonObject(
    member('type', exactly('resource_link')),
    member('uri', exactly('plain://rows')),
    member('name', jsonString),
    maybe('size', integer),
    icons,
    annotations,
    extra,
    unknownMembers(),
  ),
};

function binaryBlock(type: string): Arbitrary<string> {
  return jsonObject(
    member('type', exactly(type)),
    member('data', base64),
    member('mimeType', exactly(`${type}/x`)),
    annotations,
    extra,
  );
}

/** The items as one array. */
export function toArray(items: Arbitrary<readonly string[]>): Arbitrary<string> {
  return items.map((texts) => `[${texts.join(' ,\n')}]`);
}

/** The result of a call, with these blocks. */
export function resultOf(blocks: Arbitrary<readonly string[]>): Arbitrary<string> {
  return jsonObject(
    member('content', toArray(blocks)),
    member('resultType', exactly('complete')),
    maybe('structuredContent', jsonValue),
    maybe('isError', fc.constantFrom('true', 'false')),
    extra,
    unknownMembers(),
  );
}

/** The result of a call, with blocks of any type. */
export const result = resultOf(fc.array(fc.oneof(...Object.values(BLOCKS)), { maxLength: 4 }));

/** The notification of a call's progress, whose numbers no double holds. */
export const progress = jsonObject(
  member('jsonrpc', exactly('2.0')),
  member('method', exactly('notifications/progress')),
  member(
    'params',
    jsonObject(
      member('progressToken', fc.oneof(jsonString, integer)),
      member('progress', fc.constantFrom('1', '1.50', '9007199254740993', '123456789012345678901234567890')),
      maybe('total', fc.constantFrom('9007199254740995', '1E+2')),
      maybe('message', jsonString),
      extra,
      unknownMembers(),
    ),
  ),
);

/** `progressToken` of a request, at times. */
export const progressToken = maybe('progressToken', fc.oneof(jsonString, integer));
/** An error of the server's own. */
export const error = jsonObject(
  member('code', fc.constantFrom('-32602', '-32603', '7', '12345')),
  member('message', jsonString),
  maybe('data', jsonValue),
);

/** The envelope of a modern request. */
export function envelope(): Arbitrary<string> {
  return jsonObject(
    member(`${META_PREFIX}protocolVersion`, exactly('2026-07-28')),
    member(`${META_PREFIX}clientCapabilities`, fc.constantFrom('{}', '{ "elicitation" : {} }')),
    maybe(
      `${META_PREFIX}clientInfo`,
      fc.constantFrom('{"name":"a","version":"1"}', '{ "version":"1.0", "name":"\\u0061" }'),
    ),
    maybe('traceparent', exactly('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')),
    progressToken,
    unknownMembers(),
  );
}

/** Where an answer is cut, as parts of its length. */
export const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 });

/** A text with line breaks takes several data lines; the breaks are those of the event, not of the text. */
export function toEvent(text: string, lineEnd: string): string {
  const lines = text.split(/\r\n|\r|\n/).map((line) => `data: ${line}${lineEnd}`);
  return `event: message${lineEnd}${lines.join('')}${lineEnd}`;
}

/** The answer in pieces. */
export function planOf(
  contentType: Planned['contentType'],
  text: string,
  parts: readonly number[],
  hasLength: boolean,
  status = 200,
): Planned {
  const bytes = Buffer.from(text);
  const places = parts
    .map((part, index) => toPlace(bytes, Math.floor(part * bytes.length), index % 2 === 0))
    .toSorted((a, b) => a - b);
  return { contentType, bytes, cuts: places, hasLength, status };
}

/** The place itself, or the next one inside a character of several bytes, where a cut hurts most. */
function toPlace(bytes: Buffer, at: number, isInside: boolean): number {
  if (!isInside) return at;
  const found = bytes.subarray(at).findIndex((byte) => byte >= 0x80 && byte < 0xc0);
  return found === -1 ? at : at + found;
}
