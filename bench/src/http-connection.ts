/**
 * One kept-alive HTTP/1.1 connection that sends the same bytes again and again and reads the answers. Far cheaper than
 * a real client, so that the driver is never what a measurement is limited by. It understands what our servers and
 * proxies answer: a content-length, or chunks.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** An answer, read whole. */
export interface Answer {
  status: number;
  body: Buffer;
}

/** An open connection. */
export interface HttpConnection {
  /** Sends the request and reads its answer; one at a time. */
  exchange(): Promise<Answer>;
  close(): void;
}

const HEAD_END = '\r\n\r\n';

/** Opens a connection for one fixed request. */
export async function openConnection(url: URL, request: Buffer): Promise<HttpConnection> {
  const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
  await once(socket, 'connect');
  const answers = new AnswerReader(socket);
  return {
    exchange() {
      const answer = answers.next();
      socket.write(request);
      return answer;
    },
    close: () => socket.destroy(),
  };
}

/** The bytes of a POST request. */
export function buildRequest(url: URL, headers: Readonly<Record<string, string>>, body: string): Buffer {
  const lines = [`POST ${url.pathname} HTTP/1.1`, `host: ${url.host}`, `content-length: ${Buffer.byteLength(body)}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  return Buffer.from(`${lines.join('\r\n')}${HEAD_END}${body}`);
}

class AnswerReader {
  #chunks: Buffer[] = [];
  #size = 0;
  /** Total size of the answer being read; unknown until its head is there, and never known for a chunked one. */
  #expected: number | undefined;
  #waiting: PromiseWithResolvers<Answer> | undefined;

  constructor(socket: Socket) {
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('the connection was closed before the answer was whole')));
  }

  next(): Promise<Answer> {
    this.#waiting = Promise.withResolvers<Answer>();
    return this.#waiting.promise;
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#expected !== undefined && this.#size < this.#expected) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    this.#chunks = [bytes];
    let answer: Answer | undefined;
    try {
      answer = this.#read(bytes);
    } catch (error) {
      this.#waiting?.reject(error);
      return;
    }
    if (!answer) return;
    this.#chunks = [];
    this.#size = 0;
    this.#expected = undefined;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(answer);
  }

  #read(bytes: Buffer): Answer | undefined {
    const headEnd = bytes.indexOf(HEAD_END);
    if (headEnd === -1) return undefined;
    const head = bytes.toString('latin1', 0, headEnd);
    const status = Number(head.slice(9, 12));
    const bodyStart = headEnd + HEAD_END.length;
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length !== undefined) {
      this.#expected = bodyStart + Number(length);
      if (bytes.length < this.#expected) return undefined;
      return { status, body: bytes.subarray(bodyStart, this.#expected) };
    }
    if (!/\r\ntransfer-encoding: *chunked/i.test(head)) {
      throw new Error(`an answer has neither a content-length nor chunks: ${head}`);
    }
    const body = readChunks(bytes, bodyStart);
    return body && { status, body };
  }
}

/** The joined chunks; undefined when the last one is not there yet. */
function readChunks(bytes: Buffer, start: number): Buffer | undefined {
  if (bytes.toString('latin1', bytes.length - 5) !== '0\r\n\r\n') return undefined;
  const parts: Buffer[] = [];
  for (let at = start; at < bytes.length;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (!(size >= 0)) return undefined;
    if (size === 0) return Buffer.concat(parts);
    if (lineEnd + 2 + size > bytes.length) return undefined;
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
  return undefined;
}
