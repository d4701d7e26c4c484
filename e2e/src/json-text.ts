/**
 * Generates JSON as source text, the way that no serialiser writes it: numbers that a double cannot hold, escapes that
 * are not needed, odd white space. Whoever parses and writes such text again changes it.
 */
import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import type { Arbitrary } from 'fast-check';

/** A member of an object as source text. */
export interface Member {
  key: string;
  value: string;
}

const SPACE = fc.constantFrom('', '', '', ' ', '\t', '  ', '\n', '\r\n ');

const NUMBER: Arbitrary<string> = fc.oneof(
  fc.constantFrom('9007199254740993', '-9007199254740993', '-0', '-0.0', '1e400', '-1E+400', '5e-324', '1.0', '0e0'),
  fc.constantFrom('123456789012345678901234567890', '0.1000000000000000055511151231257827', '1E2', '1.50'),
  fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }).map(String),
  fc
    .tuple(fc.integer(), fc.nat(), fc.constantFrom('e', 'E', 'e+', 'e-'), fc.nat(999))
    .map(([whole, part, sign, exponent]) => `${whole}.${part}${sign}${exponent}`),
);

const PIECE: Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '\\n',
    '\\t',
    '\\"',
    '\\\\',
    '\\/',
    '\\b',
    '\\u0041',
    '\\u0000',
    '\\ud83d\\ude00',
    '\\ud800',
    '\\u00e9',
  ),
  fc.constantFrom('\u2028', '\u2029', '\ufeff', '\u00a0', '\u3000', '\u200b', '🦀', 'é', '漢', '}', '{'),
  fc.constantFrom('data: x', ': comment', 'event: message', '\\"id\\":1'),
  fc.string({ unit: 'binary', maxLength: 6 }).map(escapeControls),
);

const STRING: Arbitrary<string> = fc.array(PIECE, { maxLength: 5 }).map((pieces) => `"${pieces.join('')}"`);

/** Whatever is no letter of its own in JSON text, or no whole character in UTF-8, is written as an escape. */
function escapeControls(text: string): string {
  return JSON.stringify(text.toWellFormed()).slice(1, -1);
}

const LITERAL = fc.constantFrom('null', 'true', 'false', '{}', '[]', '{ }', '""');

const { value: VALUE } = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, NUMBER, STRING, LITERAL, tie('array'), tie('object')),
  array: fc
    .array(fc.tuple(SPACE, tie('value'), SPACE), { maxLength: 4 })
    .map((items) => `[${items.map((item) => item.join('')).join(',')}]`),
  object: fc
    .uniqueArray(fc.tuple(STRING, SPACE, tie('value')), {
      maxLength: 4,
      selector: ([key]) => JSON.parse(key) as string,
    })
    .map((members) => `{${members.map(([key, space, value]) => `${key}${space}:${value}`).join(',')}}`),
}));

/** Any JSON value. */
export const jsonValue: Arbitrary<string> = VALUE;

/** Any JSON string that holds something. */
export const jsonString: Arbitrary<string> = STRING.filter((text) => (JSON.parse(text) as string).trim() !== '');

/** Members with keys that are none of the protocol's, so that nobody can have an opinion on their values. */
export function unknownMembers(maxLength = 3): Arbitrary<Member[]> {
  return fc
    .uniqueArray(fc.tuple(STRING, VALUE), { maxLength, selector: ([key]) => JSON.parse(key) as string })
    .map((members) => members.map(([key, value]) => ({ key: `"x-${key.slice(1)}`, value })));
}

/** An object with these members in any order and with any white space between them. */
export function jsonObject(...parts: readonly Arbitrary<readonly Member[]>[]): Arbitrary<string> {
  return fc
    .tuple(fc.tuple(...parts), fc.infiniteStream(SPACE), fc.infiniteStream(fc.nat()))
    .map(([members, spaces, keys]) => {
      const next = (): string => String(spaces.next().value);
      const ordered = members
        .flat()
        .map((member) => ({ member, rank: Number(keys.next().value) }))
        .toSorted((a, b) => a.rank - b.rank)
        .map(({ member }) => `${next()}${member.key}${next()}:${next()}${member.value}${next()}`);
      return `{${ordered.join(',')}}`;
    });
}

/** A member whose value is generated. */
export function member(key: string, value: Arbitrary<string>): Arbitrary<Member[]> {
  return value.map((text) => [{ key: JSON.stringify(key), value: text }]);
}

/** A member that is there at times. */
export function maybe(key: string, value: Arbitrary<string>): Arbitrary<Member[]> {
  return fc.oneof(fc.constant<Member[]>([]), member(key, value));
}

/** An id that JSON-RPC allows: a string, or an integer of any size. */
export const jsonId: Arbitrary<string> = fc.oneof(
  jsonString,
  fc.constantFrom('0', '1', '-7', '9007199254740993', '123456789012345678901234567890'),
  fc.integer().map(String),
);

/** The seed of this run: `FC_SEED` of the environment, or another one each time; it is printed with the test. */
export function chooseSeed(): number {
  const given = process.env['FC_SEED'];
  return given === undefined ? randomBytes(4).readInt32LE() : Number(given);
}
