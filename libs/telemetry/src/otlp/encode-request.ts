/** The outer messages of OTLP requests: whose telemetry it is (opentelemetry-proto, resource.proto and common.proto). */
import type { Attributes } from '../tracer.ts';
import { writeAttributes } from './encode-attributes.ts';
import { ProtobufWriter } from './protobuf-writer.ts';

const LENGTH_DELIMITED = 2;
const RESOURCE = 1;
const SCOPE_ITEMS = 2;
const SCOPE = 1;
const ATTRIBUTES = 1;
const NAME = 1;
const VERSION = 2;
/** Room for tags and lengths. */
const SPARE_BYTES = 64;

/** Who sends. */
export interface Origin {
  resource: Attributes;
  /** Name and version of the code that records. */
  scope: { name: string; version: string };
}

/** Gives what stands before items of so many bytes; traces and metrics have the same outer form. */
export function createPrefix({ resource, scope }: Origin): (itemBytes: number) => Buffer {
  const resourcePart = encode((writer) => {
    writer.tag(RESOURCE, LENGTH_DELIMITED);
    const at = writer.begin();
    writeAttributes(writer, ATTRIBUTES, resource);
    writer.end(at);
  });
  const scopePart = encode((writer) => {
    writer.tag(SCOPE, LENGTH_DELIMITED);
    const at = writer.begin();
    writer.stringField(NAME, scope.name);
    writer.stringField(VERSION, scope.version);
    writer.end(at);
  });
  return (itemBytes) => {
    const scoped = encode((writer) => {
      writer.tag(SCOPE_ITEMS, LENGTH_DELIMITED);
      writer.varint(scopePart.length + itemBytes);
    });
    return encode((writer) => {
      writer.tag(1, LENGTH_DELIMITED);
      writer.varint(resourcePart.length + scoped.length + scopePart.length + itemBytes);
      writer.raw(resourcePart);
      writer.raw(scoped);
      writer.raw(scopePart);
    });
  };
}

/** The bytes that `write` writes. */
export function encode(write: (writer: ProtobufWriter) => void): Buffer {
  const writer = new ProtobufWriter(SPARE_BYTES);
  write(writer);
  return writer.bytes.subarray(0, writer.length);
}
