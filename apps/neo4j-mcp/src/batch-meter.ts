/**
 * Measures what arrives on a Bolt connection, so that memory stays bounded whatever a statement returns: the driver
 * itself holds a whole record, and a whole batch of records, however large (`RETURN range(1, 1000000000)` is one).
 * Owns the framing of Bolt 4 and 5; what happens when there is too much is the caller's.
 */

/** Takes the bytes of a connection as they come. */
export type BatchMeter = (bytes: Uint8Array) => void;

/** Signature of the one message that does not end a batch. */
const RECORD = 0x71;
const HEADER_BYTES = 2;
/** A message begins with the marker of a structure, and then its signature. */
const SIGNATURE_OFFSET = 1;

/** Creates a meter for one connection; `onExceeded` is called once, when a batch grows over the limit. */
export function createBatchMeter(limitBytes: number, onExceeded: () => void): BatchMeter {
  let batchBytes = 0;
  let messageOffset = 0;
  let chunkLeft = 0;
  let headerBytes = 0;
  let header = 0;
  let isExceeded = false;

  const readHeaderByte = (byte: number): void => {
    header = (header << 8) | byte;
    headerBytes += 1;
    if (headerBytes < HEADER_BYTES) return;
    chunkLeft = header;
    if (header === 0) messageOffset = 0;
    header = 0;
    headerBytes = 0;
  };

  return (bytes) => {
    for (let at = 0; at < bytes.length && !isExceeded;) {
      if (chunkLeft === 0) {
        readHeaderByte(bytes[at] ?? 0);
        at += 1;
        continue;
      }
      const size = Math.min(chunkLeft, bytes.length - at);
      const signatureAt = SIGNATURE_OFFSET - messageOffset;
      if (signatureAt >= 0 && signatureAt < size && bytes[at + signatureAt] !== RECORD) batchBytes = 0;
      batchBytes += size;
      messageOffset += size;
      chunkLeft -= size;
      at += size;
      if (batchBytes > limitBytes) {
        isExceeded = true;
        onExceeded();
      }
    }
  };
}
