/** An OTLP receiver that counts spans and keeps none: `GET` anything gives the count. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { countSpans } from '@database-mcp/testing';

let spans = 0;
const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.end(String(spans));
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    spans += countSpans(Buffer.concat(chunks));
    response.end();
  });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const address = server.address();
if (address === null || typeof address === 'string') throw new Error('the receiver has no TCP address');
console.log(JSON.stringify({ url: `http://127.0.0.1:${address.port}` }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit());
