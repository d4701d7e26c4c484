/**
 * Changes members of a JSON object while its text passes in pieces, so that a message of any length needs no memory.
 * Does what `editObject` of the bridge does with a text that is there as a whole, byte for byte. The text is taken to be
 * valid JSON; of one that is not, what comes out is not either.
 */
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SPACE,
} from './json-bytes.ts';
import { endsPrimitive, skipSpace } from './json-spans.ts';

/** What becomes of the members of an object. */
export interface SpliceRules {
  /** New source text of members (in place, or added at the end), or undefined to remove them. */
  edits?: Readonly<Record<string, string | undefined>>;
  /** Members that are objects, edited inside; one that is missing or no object is made anew. */
  within?: Readonly<Record<string, SpliceRules>>;
  /** The member is left out when nothing remains in it. */
  isOmittedEmpty?: boolean;
}

/** A key is held until it is known; no protocol has longer ones. */
const MAX_KEY_BYTES = 65_536;
const NOTHING = Buffer.alloc(0);

/** Finds the end of a value that comes in pieces. */
class ValueScanner {
  #depth = 0;
  #isInString = false;
  #isPrimitive = false;
  /** Backslashes at the end of the piece before, within a string. */
  #backslashes = 0;

  /** Starts with the value's first byte. */
  begin(first: number | undefined): void {
    this.#depth = 0;
    this.#isInString = false;
    this.#backslashes = 0;
    this.#isPrimitive = first !== QUOTE && first !== OPEN_BRACE && first !== OPEN_BRACKET;
  }

  /** Just after the value's end if that is in this piece, else -1. */
  scan(text: Buffer, from: number): number {
    if (this.#isPrimitive) return primitiveEnd(text, from);
    let at = from;
    while (at < text.length) {
      if (this.#isInString) {
        at = this.#stringEnd(text, at);
        if (at === -1) return -1;
        this.#isInString = false;
        if (this.#depth === 0) return at;
        continue;
      }
      const byte = text[at++];
      if (byte === QUOTE) this.#isInString = true;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth++;
      else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --this.#depth === 0) return at;
    }
    return -1;
  }

  #stringEnd(text: Buffer, from: number): number {
    let start = from;
    for (let at = text.indexOf(QUOTE, start); at !== -1; at = text.indexOf(QUOTE, start)) {
      const isEscaped = this.#count(text, start, at) % 2 === 1;
      this.#backslashes = 0;
      if (!isEscaped) return at + 1;
      start = at + 1;
    }
    this.#backslashes = this.#count(text, start, text.length);
    return -1;
  }

  /** The backslashes before `end`, those of the piece before included where they run on. */
  #count(text: Buffer, start: number, end: number): number {
    let count = 0;
    while (end - count > start && text[end - 1 - count] === BACKSLASH) count++;
    return count === end - start ? count + this.#backslashes : count;
  }
}

function primitiveEnd(text: Buffer, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (endsPrimitive(text[at] ?? 0)) return at;
  }
  return -1;
}

/** An object that is edited inside, while it is open. */
interface Frame {
  rules: SpliceRules;
  parent: Frame | undefined;
  /** Not written before something in it is. */
  key: string;
  isOpened: boolean;
  placed: Set<string>;
}

type State = 'value-start' | 'member' | 'key' | 'colon' | 'copy' | 'skip' | 'done';

/** Edits one object whose text is pushed piece by piece. */
export class JsonSplicer {
  readonly #rules: SpliceRules;
  readonly #frames: Frame[] = [];
  readonly #scanner = new ValueScanner();
  #state: State = 'value-start';
  /** Source text from the key's quote up to the value. */
  #prefix: Buffer = NOTHING;
  #key = '';
  #out: Buffer[] = [];

  constructor(rules: SpliceRules) {
    this.#rules = rules;
  }

  /** Whether the object has ended. */
  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** What comes out for this piece. Throws a RangeError for a key that is too long to be one. */
  push(text: Buffer): Buffer {
    let at = 0;
    while (at < text.length && this.#state !== 'done') at = this.#step(text, at);
    const out = this.#out;
    this.#out = [];
    return out.length === 1 && out[0] ? out[0] : Buffer.concat(out);
  }

  #step(text: Buffer, at: number): number {
    switch (this.#state) {
      case 'value-start':
        return this.#startValue(text, at);
      case 'member':
        return this.#startMember(text, at);
      case 'key':
        return this.#readKey(text, at);
      case 'colon':
        return this.#readColon(text, at);
      default:
        return this.#passValue(text, at, this.#state === 'copy');
    }
  }

  #startValue(text: Buffer, from: number): number {
    const at = skipSpace(text, from);
    this.#hold(text.subarray(from, at));
    if (at === text.length) return at;
    const frame = this.#frames.at(-1);
    const rules = frame ? frame.rules.within?.[this.#key] : this.#rules;
    const isAgain = frame !== undefined && frame.placed.has(this.#key);
    if (rules && text[at] === OPEN_BRACE && !isAgain) {
      frame?.placed.add(this.#key);
      this.#frames.push({ rules, parent: frame, key: this.#key, isOpened: false, placed: new Set() });
      this.#state = 'member';
      return at + 1;
    }
    const edits = frame?.rules.edits;
    const isEdited = edits !== undefined && Object.hasOwn(edits, this.#key);
    if (frame && isEdited && !isAgain && edits[this.#key] !== undefined) this.#add(frame, this.#key, edits[this.#key]);
    if (isEdited) frame?.placed.add(this.#key);
    const isKept = frame === undefined || (!isEdited && rules === undefined);
    if (frame && isKept) this.#separate(frame);
    if (isKept) this.#out.push(this.#prefix);
    this.#scanner.begin(text[at]);
    this.#state = isKept ? 'copy' : 'skip';
    return at;
  }

  #passValue(text: Buffer, at: number, isKept: boolean): number {
    const end = this.#scanner.scan(text, at);
    if (isKept) this.#out.push(text.subarray(at, end === -1 ? text.length : end));
    if (end === -1) return text.length;
    this.#state = this.#frames.length === 0 ? 'done' : 'member';
    return end;
  }

  #startMember(text: Buffer, from: number): number {
    let at = from;
    while (at < text.length && ((text[at] ?? 0) <= SPACE || text[at] === COMMA)) at++;
    if (at === text.length) return at;
    if (text[at] === CLOSE_BRACE) {
      this.#closeFrame();
      return at + 1;
    }
    this.#prefix = NOTHING;
    this.#scanner.begin(QUOTE);
    this.#state = 'key';
    return at;
  }

  #readKey(text: Buffer, at: number): number {
    const end = this.#scanner.scan(text, at);
    this.#hold(text.subarray(at, end === -1 ? text.length : end));
    if (end === -1) return text.length;
    this.#key = JSON.parse(this.#prefix.toString('utf8'));
    this.#state = 'colon';
    return end;
  }

  #readColon(text: Buffer, from: number): number {
    const at = skipSpace(text, from);
    const end = text[at] === COLON ? at + 1 : at;
    this.#hold(text.subarray(from, end));
    if (end > at) this.#state = 'value-start';
    return at === text.length || end > at ? end : at + 1;
  }

  #hold(piece: Buffer): void {
    if (piece.length === 0) return;
    if (this.#prefix.length + piece.length > MAX_KEY_BYTES) throw new RangeError('a key of the message is too long');
    this.#prefix = Buffer.concat([this.#prefix, piece]);
  }

  #closeFrame(): void {
    const frame = this.#frames.pop();
    if (!frame) return;
    this.#addMissing(frame);
    if (frame.isOpened) this.#out.push(Buffer.from('}'));
    else if (frame.rules.isOmittedEmpty !== true) {
      this.#open(frame);
      this.#out.push(Buffer.from('}'));
    }
    this.#state = this.#frames.length === 0 ? 'done' : 'member';
  }

  #addMissing(frame: Frame): void {
    const { within = {}, edits = {} } = frame.rules;
    for (const [key, text] of Object.entries(edits)) {
      if (text !== undefined && !frame.placed.has(key)) this.#add(frame, key, text);
    }
    for (const [key, rules] of Object.entries(within)) {
      const text = frame.placed.has(key) ? undefined : buildObject(rules);
      if (text !== undefined) this.#add(frame, key, text);
    }
  }

  #add(frame: Frame, key: string, text: string | undefined): void {
    this.#separate(frame);
    this.#out.push(Buffer.from(`${JSON.stringify(key)}:${text}`));
  }

  /** What stands before a member. */
  #separate(frame: Frame): void {
    if (frame.isOpened) this.#out.push(Buffer.from(','));
    else this.#open(frame);
  }

  #open(frame: Frame): void {
    if (frame.parent) {
      this.#separate(frame.parent);
      this.#out.push(Buffer.from(`${JSON.stringify(frame.key)}:`));
    }
    this.#out.push(Buffer.from('{'));
    frame.isOpened = true;
  }
}

/** The object in place of one that is missing, or undefined if it would have no member. */
function buildObject({ edits = {}, within = {} }: SpliceRules): string | undefined {
  const members: string[] = [];
  for (const [key, text] of Object.entries(edits)) {
    if (text !== undefined) members.push(`${JSON.stringify(key)}:${text}`);
  }
  for (const [key, rules] of Object.entries(within)) {
    const text = buildObject(rules);
    if (text !== undefined) members.push(`${JSON.stringify(key)}:${text}`);
  }
  return members.length === 0 ? undefined : `{${members.join(',')}}`;
}
