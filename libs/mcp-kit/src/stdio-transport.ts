/**
 * MCP over standard input and output: one JSON-RPC message a line. Our own rather than the SDK's transport, because
 * large integers stay exact, the line length is bounded without ending the connection, and a line that is not JSON is
 * answered instead of dropped.
 */
import type { Readable, Writable } from 'node:stream';
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/server';
import { JSON_RPC_ERROR, toJsonRpcError } from '@database-mcp/errors';
import { parseExactJson } from './exact-json.ts';
import { stringifyMessage } from './table-json.ts';

/** The same bound as for an HTTP body. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;
const LINE_FEED = 0x0a;

/** A transport over the two streams; `onend` is called when the client closes its side. */
export function createStdioTransport(input: Readable, output: Writable, onend: () => void): Transport {
  let parts: Buffer[] = [];
  let size = 0;
  const transport: Transport = {
    async start() {
      input.on('data', onData).on('end', onend);
    },
    send: (message) => write(message),
    async close() {
      input.off('data', onData).off('end', onend);
      input.pause();
      transport.onclose?.();
    },
  };
  const write = (message: object): Promise<void> =>
    new Promise((resolve, reject) => {
      output.write(`${stringifyMessage(message)}\n`, (error) => (error ? reject(error) : resolve()));
    });
  const reply = (code: number, message: string): void =>
    void write(toJsonRpcError(null, code, message)).catch(() => {});
  const onLine = (line: Buffer): void => {
    const text = line.toString('utf8').trim();
    if (text === '') return;
    let message: unknown;
    try {
      message = parseExactJson(text);
    } catch (error) {
      return reply(
        JSON_RPC_ERROR.PARSE_ERROR,
        `The line is not valid JSON: ${error instanceof Error ? error.message : ''}`,
      );
    }
    if (typeof message !== 'object' || message === null || !('jsonrpc' in message)) {
      return reply(JSON_RPC_ERROR.INVALID_REQUEST, 'The line is not a JSON-RPC message.');
    }
    transport.onmessage?.(message as JSONRPCMessage);
  };
  const onData = (chunk: Buffer): void => {
    let rest = chunk;
    for (let end = rest.indexOf(LINE_FEED); end !== -1; end = rest.indexOf(LINE_FEED)) {
      const tail = rest.subarray(0, end);
      if (size + tail.length > MAX_LINE_BYTES)
        reply(JSON_RPC_ERROR.INVALID_REQUEST, `The line is larger than ${MAX_LINE_BYTES} bytes.`);
      else onLine(Buffer.concat([...parts, tail]));
      parts = [];
      size = 0;
      rest = rest.subarray(end + 1);
    }
    size += rest.length;
    if (size > MAX_LINE_BYTES) parts = [];
    else if (rest.length > 0) parts.push(rest);
  };
  return transport;
}
