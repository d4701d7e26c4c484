/** The conformance fixture as a process of its own: `node libs/testing/src/conformance/main.ts --port N [--prefix x_] [--legacy]`. */
import { parseArgs } from 'node:util';
import { startConformanceServer } from './conformance-server.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    prefix: { type: 'string', default: '' },
    /** A session-keeping server of 2025-11-25 and older. */
    legacy: { type: 'boolean', default: false },
  },
});

const server = await startConformanceServer({
  port: Number(values.port),
  prefix: values.prefix,
  legacy: values.legacy ? 'only' : 'both',
});

console.log(JSON.stringify({ fixture: 'conformance', url: server.url }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.close());
