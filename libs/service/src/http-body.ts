/** Reading a bounded request body and answering small JSON, for handlers that bypass Fastify. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** What became of reading a body. `aborted`: the client went away before the end. */
export type BodyOutcome = { kind: 'body'; bytes: Buffer } | { kind: 'too-large' } | { kind: 'aborted' };

/** After a refusal this much more is read and dropped, so that a client that is still sending gets to see the answer. */
const DISCARD_LIMIT_BYTES = 64 * 1024 * 1024;
/** … and for at most this long. */
const DISCARD_LIMIT_MS = 5_000;

/** Reads the whole body, at most `limit` bytes of it. A body over the limit is never held in memory. */
export function readBody(request: IncomingMessage, limit: number): Promise<BodyOutcome> {
  const announced = Number(request.headers['content-length']);
  if (announced > limit) return Promise.resolve({ kind: 'too-large' });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (outcome: BodyOutcome): void => {
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      resolve(outcome);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limit) finish({ kind: 'too-large' });
      else chunks.push(chunk);
    };
    const onEnd = (): void =>
      finish({ kind: 'body', bytes: chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks) });
    const onClose = (): void => finish({ kind: 'aborted' });
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

/** Sends a JSON answer with its length. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  sendJsonText(response, status, JSON.stringify(body));
}

/** Sends text that is JSON already. */
export function sendJsonText(response: ServerResponse, status: number, text: string | Buffer): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/**
 * Refuses a body that is still arriving: the answer is out at once, the bounded rest is read and dropped, and only then
 * the response ends. Ended earlier, a connection that is not kept alive would be reset while the client still sends,
 * and many clients then never see the answer.
 */
export function refuseBody(request: IncomingMessage, response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.write(text);
  const { socket } = request;
  const timer = setTimeout(() => socket.destroy(), DISCARD_LIMIT_MS);
  let dropped = 0;
  request.on('data', (chunk: Buffer) => {
    dropped += chunk.length;
    if (dropped > DISCARD_LIMIT_BYTES) socket.destroy();
  });
  request.on('end', () => {
    clearTimeout(timer);
    response.end();
  });
  socket.once('close', () => clearTimeout(timer));
}
