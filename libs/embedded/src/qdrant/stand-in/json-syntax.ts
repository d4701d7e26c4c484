/**
 * Says what is wrong with a text that is not JSON, in the words of the Rust parser of the real server.
 * Called only after parsing failed, so it is written for clearness and not for speed.
 */

class SyntaxProblem extends Error {
  readonly position: number;

  constructor(problem: string, position: number) {
    super(problem);
    this.position = position;
  }
}

interface Cursor {
  readonly text: string;
  at: number;
}

/** The problem and its place, such as `trailing comma at line 1 column 13`. */
export function describeSyntaxError(text: string): string {
  const cursor: Cursor = { text, at: 0 };
  try {
    skipBlanks(cursor);
    readValue(cursor);
    skipBlanks(cursor);
    if (cursor.at < text.length) throw new SyntaxProblem('trailing characters', cursor.at + 1);
    return 'invalid JSON';
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    return `${error.message} at ${place(text, error.position)}`;
  }
}

function place(text: string, position: number): string {
  const before = text.slice(0, position).split('\n');
  return `line ${before.length} column ${Buffer.byteLength(before.at(-1) ?? '')}`;
}

function skipBlanks(cursor: Cursor): void {
  while (' \t\n\r'.includes(cursor.text[cursor.at] ?? '.')) cursor.at++;
}

function fail(cursor: Cursor, problem: string, atEnd: string): never {
  if (cursor.at >= cursor.text.length) throw new SyntaxProblem(atEnd, cursor.text.length);
  throw new SyntaxProblem(problem, cursor.at + 1);
}

function readValue(cursor: Cursor): void {
  const character = cursor.text[cursor.at];
  if (character === '{') return readObject(cursor);
  if (character === '[') return readArray(cursor);
  if (character === '"') return readString(cursor);
  for (const word of ['true', 'false', 'null']) {
    if (character !== word[0]) continue;
    for (const letter of word) {
      if (cursor.text[cursor.at] !== letter) fail(cursor, 'expected ident', 'EOF while parsing a value');
      cursor.at++;
    }
    return;
  }
  const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/.exec(cursor.text.slice(cursor.at, cursor.at + 400));
  if (number === null)
    fail(cursor, character === '-' ? 'invalid number' : 'expected value', 'EOF while parsing a value');
  cursor.at += number[0].length;
}

function readString(cursor: Cursor): void {
  cursor.at++;
  for (;;) {
    const character = cursor.text[cursor.at];
    if (character === undefined) fail(cursor, '', 'EOF while parsing a string');
    if (character < ' ') fail(cursor, 'control character (\\u0000-\\u001F) found while parsing a string', '');
    cursor.at++;
    if (character === '"') return;
    if (character !== '\\') continue;
    const escape = cursor.text[cursor.at] ?? '';
    const isValid =
      escape === 'u' ? /^[0-9a-fA-F]{4}/.test(cursor.text.slice(cursor.at + 1)) : '"\\/bfnrt'.includes(escape);
    if (!isValid || escape === '') fail(cursor, 'invalid escape', 'EOF while parsing a string');
    cursor.at += escape === 'u' ? 5 : 1;
  }
}

function readArray(cursor: Cursor): void {
  cursor.at++;
  skipBlanks(cursor);
  if (cursor.text[cursor.at] === ']') {
    cursor.at++;
    return;
  }
  for (;;) {
    readValue(cursor);
    skipBlanks(cursor);
    const separator = cursor.text[cursor.at];
    if (separator === ']') break;
    if (separator !== ',') fail(cursor, 'expected `,` or `]`', 'EOF while parsing a list');
    cursor.at++;
    skipBlanks(cursor);
    if (cursor.text[cursor.at] === ']') fail(cursor, 'trailing comma', '');
  }
  cursor.at++;
}

function readObject(cursor: Cursor): void {
  cursor.at++;
  skipBlanks(cursor);
  if (cursor.text[cursor.at] === '}') {
    cursor.at++;
    return;
  }
  for (;;) {
    if (cursor.text[cursor.at] !== '"') fail(cursor, 'key must be a string', 'EOF while parsing an object');
    readString(cursor);
    skipBlanks(cursor);
    if (cursor.text[cursor.at] !== ':') fail(cursor, 'expected `:`', 'EOF while parsing an object');
    cursor.at++;
    skipBlanks(cursor);
    readValue(cursor);
    skipBlanks(cursor);
    const separator = cursor.text[cursor.at];
    if (separator === '}') break;
    if (separator !== ',') fail(cursor, 'expected `,` or `}`', 'EOF while parsing an object');
    cursor.at++;
    skipBlanks(cursor);
    if (cursor.text[cursor.at] === '}') fail(cursor, 'trailing comma', '');
  }
  cursor.at++;
}
