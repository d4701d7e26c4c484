/** A fixture server as a process of its own: `node libs/testing/src/fixture-main.ts --port N --prefix alpha_ [--raw]`. */
import { parseArgs } from 'node:util';
import { startFixtureServer } from './fixture/fixture-server.ts';
import { startRawUpstream } from './fixture/raw-upstream.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    prefix: { type: 'string' },
    tools: { type: 'string', default: '12' },
    /** Fixed bytes instead of a server, for measuring. */
    raw: { type: 'boolean', default: false },
    /** A server of 2026-07-28 only. */
    modern: { type: 'boolean', default: false },
  },
});

const common = {
  port: Number(values.port),
  toolCount: Number(values.tools),
  ...(values.prefix === undefined ? {} : { prefix: values.prefix }),
};
const server = values.raw
  ? await startRawUpstream(common)
  : await startFixtureServer({ ...common, legacy: values.modern ? 'reject' : 'stateless' });

console.log(JSON.stringify({ fixture: values.raw ? 'raw' : 'mcp', url: server.url }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.close());
