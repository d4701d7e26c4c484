/** Reads the protobuf wire format without knowing the messages: field numbers and raw values. */

/** The values of each field of a message, in their order: bytes, or the number of a varint or fixed field. */
export type Fields = ReadonlyMap<number, readonly (Buffer | bigint)[]>;

const WIRE = { VARINT: 0, FIXED_64: 1, BYTES: 2, FIXED_32: 5 } as const;

/** The fields of the message. Throws if the bytes are none. */
export function readFields(bytes: Buffer): Fields {
  const fields = new Map<number, (Buffer | bigint)[]>();
  forEachField(bytes, (field, value) => {
    const values = fields.get(field);
    if (values) values.push(value);
    else fields.set(field, [value]);
  });
  return fields;
}

/** Visits the fields in their order. */
export function forEachField(bytes: Buffer, visit: (field: number, value: Buffer | bigint) => void): void {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('the message is cut off');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error('a varint is too long');
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const field = tag >>> 3;
    const type = tag & 7;
    if (type === WIRE.VARINT) visit(field, varint());
    else if (type === WIRE.FIXED_64) visit(field, bytes.readBigUInt64LE((at += 8) - 8));
    else if (type === WIRE.FIXED_32) visit(field, BigInt(bytes.readUInt32LE((at += 4) - 4)));
    else if (type === WIRE.BYTES) {
      const length = Number(varint());
      if (at + length > bytes.length) throw new Error('a field is longer than its message');
      visit(field, bytes.subarray(at, (at += length)));
    } else throw new Error(`the wire type ${type} is not used by OTLP`);
  }
}

/** The last value of a field as bytes; empty without one. */
export function bytesOf(fields: Fields, field: number): Buffer {
  const value = fields.get(field)?.at(-1);
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}

/** All values of a field that are messages. */
export function messagesOf(fields: Fields, field: number): Fields[] {
  return (fields.get(field) ?? []).flatMap((value) => (Buffer.isBuffer(value) ? [readFields(value)] : []));
}

/** The last value of a field as text; empty without one. */
export function textOf(fields: Fields, field: number): string {
  return bytesOf(fields, field).toString('utf8');
}

/** The last value of a field as number; 0 without one. */
export function numberOf(fields: Fields, field: number): bigint {
  const value = fields.get(field)?.at(-1);
  return typeof value === 'bigint' ? value : 0n;
}

/** A 64-bit pattern as double. */
export function toDouble(bits: bigint): number {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(bits);
  return bytes.readDoubleLE();
}
