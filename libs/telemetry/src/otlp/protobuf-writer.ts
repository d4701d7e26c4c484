/**
 * Writes the protobuf wire format into a buffer that grows: just what OTLP needs of it. Every length is written in its
 * shortest form.
 */

const GROWTH = 2;
const LOW_7_BITS = 0x7f;
const MORE = 0x80;
/** Numbers below this are one byte as varint. */
const ONE_BYTE = 0x80;
const TWO_POW_32 = 4_294_967_296;
/** A varint of a length takes at most five bytes. */
const MAX_LENGTH_BYTES = 5;
/** Copying by hand beats the call into native code up to about this length. */
const SHORT_CHARS = 48;
/** A UTF-16 unit is at most three bytes of UTF-8. */
const MAX_UTF8_BYTES = 3;
const LENGTH_DELIMITED = 2;
const FIXED_64 = 1;
const FIXED_32 = 5;
const TAG_BITS = 3;

/** The writer; `bytes` and `length` are what was written. */
export class ProtobufWriter {
  bytes: Buffer;
  length = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafe(capacity);
  }

  /** Makes sure that so many more bytes fit. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * GROWTH, this.length + count));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  raw(bytes: Buffer): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** A number of at most 53 bits that is not negative. */
  varint(value: number): void {
    this.reserve(10);
    let rest = value;
    while (rest >= ONE_BYTE) {
      this.bytes[this.length++] = (rest & LOW_7_BITS) | MORE;
      rest = rest < TWO_POW_32 ? rest >>> 7 : Math.floor(rest / ONE_BYTE);
    }
    this.bytes[this.length++] = rest;
  }

  /** An integer of 64 bits in two's complement. */
  int64(value: number): void {
    if (value >= 0) return this.varint(value);
    let rest = BigInt.asUintN(64, BigInt(value));
    this.reserve(10);
    while (rest >= 128n) {
      this.bytes[this.length++] = Number(rest & 127n) | MORE;
      rest >>= 7n;
    }
    this.bytes[this.length++] = Number(rest);
  }

  tag(field: number, wireType: number): void {
    this.varint((field << TAG_BITS) | wireType);
  }

  varintField(field: number, value: number): void {
    this.tag(field, 0);
    this.varint(value);
  }

  fixed32Field(field: number, value: number): void {
    this.tag(field, FIXED_32);
    this.reserve(4);
    this.length = this.bytes.writeUInt32LE(value, this.length);
  }

  doubleField(field: number, value: number): void {
    this.tag(field, FIXED_64);
    this.double(value);
  }

  double(value: number): void {
    this.reserve(8);
    this.length = this.bytes.writeDoubleLE(value, this.length);
  }

  /** Milliseconds since 1970 as nanoseconds, which no double holds: in two halves, exact to the microsecond. */
  timeField(field: number, ms: number): void {
    this.tag(field, FIXED_64);
    this.reserve(8);
    const us = Math.floor(ms * 1_000);
    const high = Math.floor(us / TWO_POW_32);
    const low = (us - high * TWO_POW_32) * 1_000;
    const carry = Math.floor(low / TWO_POW_32);
    this.length = this.bytes.writeUInt32LE(low - carry * TWO_POW_32, this.length);
    this.length = this.bytes.writeUInt32LE(high * 1_000 + carry, this.length);
  }

  /** An integer that is not negative as `fixed64`. */
  fixed64(value: number): void {
    this.reserve(8);
    const high = Math.floor(value / TWO_POW_32);
    this.length = this.bytes.writeUInt32LE(value - high * TWO_POW_32, this.length);
    this.length = this.bytes.writeUInt32LE(high, this.length);
  }

  /** Hexadecimal digits as bytes. */
  hexField(field: number, digits: string): void {
    this.tag(field, LENGTH_DELIMITED);
    const count = digits.length / 2;
    this.varint(count);
    this.reserve(count);
    for (let at = 0; at < digits.length; at += 2) {
      this.bytes[this.length++] = (nibble(digits.charCodeAt(at)) << 4) | nibble(digits.charCodeAt(at + 1));
    }
  }

  stringField(field: number, text: string): void {
    this.tag(field, LENGTH_DELIMITED);
    const at = this.begin();
    this.text(text);
    this.end(at);
  }

  /** UTF-8 without a length. */
  text(text: string): void {
    this.reserve(text.length * MAX_UTF8_BYTES);
    if (text.length > SHORT_CHARS) {
      this.length += this.bytes.write(text, this.length);
      return;
    }
    const start = this.length;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code >= ONE_BYTE) {
        this.length = start + this.bytes.write(text, start);
        return;
      }
      this.bytes[this.length++] = code;
    }
  }

  /** Begins a part whose length is not known yet; `end` gets what this gives. One byte is kept for the length. */
  begin(): number {
    this.reserve(1);
    return ++this.length;
  }

  /** Writes the length of the part that began at `start`, moving it where one byte does not hold it. */
  end(start: number): void {
    const size = this.length - start;
    if (size < ONE_BYTE) {
      this.bytes[start - 1] = size;
      return;
    }
    this.reserve(MAX_LENGTH_BYTES);
    let lengthBytes = 1;
    for (let rest = size; rest >= ONE_BYTE; rest = Math.floor(rest / ONE_BYTE)) lengthBytes++;
    this.bytes.copyWithin(start - 1 + lengthBytes, start, this.length);
    this.length = start - 1;
    this.varint(size);
    this.length += size;
  }
}

function nibble(code: number): number {
  // '0' is 48, 'a' is 97.
  return code < 58 ? code - 48 : code - 87;
}
