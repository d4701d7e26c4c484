/** Attributes and resources as OTLP `KeyValue` messages (opentelemetry-proto, common.proto). */
import type { Attributes } from '../tracer.ts';
import { ProtobufWriter } from './protobuf-writer.ts';

/** Longer texts are cut: a statement of a megabyte tells no more than its beginning. */
const MAX_VALUE_CHARS = 4_096;
/** Names come from code, so there are few; this is for mistakes. */
const MAX_KNOWN_NAMES = 1_000;
const KEY = 1;
const VALUE = 2;
const STRING = 1;
const BOOL = 2;
const INT = 3;
const DOUBLE = 4;
const LENGTH_DELIMITED = 2;

const knownNames = new Map<string, Buffer>();

/** The encoded `key` of an attribute, made once for each name. */
function keyBytes(name: string): Buffer {
  const known = knownNames.get(name);
  if (known) return known;
  const writer = new ProtobufWriter(name.length + 8);
  writer.stringField(KEY, name);
  const bytes = Buffer.from(writer.bytes.subarray(0, writer.length));
  if (knownNames.size < MAX_KNOWN_NAMES) knownNames.set(name, bytes);
  return bytes;
}

/** Writes each attribute as field `field`. */
export function writeAttributes(writer: ProtobufWriter, field: number, attributes: Readonly<Attributes>): void {
  for (const name in attributes) {
    const value = attributes[name];
    if (value === undefined) continue;
    writer.tag(field, LENGTH_DELIMITED);
    const pair = writer.begin();
    writer.raw(keyBytes(name));
    writer.tag(VALUE, LENGTH_DELIMITED);
    const any = writer.begin();
    writeValue(writer, value);
    writer.end(any);
    writer.end(pair);
  }
}

function writeValue(writer: ProtobufWriter, value: string | number | boolean): void {
  if (typeof value === 'string') {
    writer.stringField(STRING, value.length > MAX_VALUE_CHARS ? value.slice(0, MAX_VALUE_CHARS) : value);
  } else if (typeof value === 'boolean') writer.varintField(BOOL, value ? 1 : 0);
  else if (Number.isSafeInteger(value)) {
    writer.tag(INT, 0);
    writer.int64(value);
  } else writer.doubleField(DOUBLE, value);
}
