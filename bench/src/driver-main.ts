/** The load driver as a process of its own: takes jobs as JSON over HTTP, one at a time, and answers with the result. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runJob, type Job } from './load-driver.ts';

const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const result = await runJob(JSON.parse(Buffer.concat(chunks).toString('utf8')) as Job);
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
});
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ driver: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
});
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
