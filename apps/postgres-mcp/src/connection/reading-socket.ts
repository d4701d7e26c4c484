import { Socket } from 'node:net';

const BUFFER_BYTES = 64 * 1024;

/**
 * A socket that reads into one buffer again and again, and gives what came instead of emitting `data`: valid until the
 * function returns. With a buffer for each read a long answer leaves tens of MiB of them before they are collected.
 */
export function createReadingSocket(onChunk: (chunk: Buffer) => void): Socket {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  const callback = (length: number): boolean => {
    onChunk(buffer.subarray(0, length));
    return true;
  };
  return new JoiningSocket({ onread: { buffer, callback } });
}

/** Joins what was written while it was corked: the messages of a statement are some twenty pieces of a few bytes. */
class JoiningSocket extends Socket {
  override _writev(chunks: { chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'buffer' as BufferEncoding, callback);
  }
}
