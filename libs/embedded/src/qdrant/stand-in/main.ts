/**
 * The stand-in as a process: `node main.ts [--port N] [--data FILE]`. Without a file its data are in memory only.
 * Prints `ready <port>` when it answers. Ends on SIGTERM and SIGINT, after saving what changed.
 */
import { parseArgs } from 'node:util';
import { createStandInServer, IMITATED_VERSION } from './server.ts';
import { loadSnapshot, saveSnapshot } from './snapshot.ts';
import { Store } from './store.ts';

const SAVE_DELAY_MS = 500;

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '6333' },
    data: { type: 'string' },
  },
});

// Whoever started this may be gone already when it wants to say something.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

let saving: NodeJS.Timeout | undefined;

function save(): void {
  clearTimeout(saving);
  saving = undefined;
  if (values.data === undefined) return;
  try {
    saveSnapshot(store, values.data);
  } catch (error) {
    console.error(`qdrant stand-in: cannot write ${values.data}: ${String(error)}. The data is in memory only.`);
  }
}

const store = new Store(() => {
  saving ??= setTimeout(save, SAVE_DELAY_MS);
});

try {
  if (values.data !== undefined) loadSnapshot(store, values.data);
  // What was just read need not be written.
  clearTimeout(saving);
  saving = undefined;
} catch (error) {
  console.error(`qdrant stand-in: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}

const server = createStandInServer({ store });

function end(): void {
  if (saving !== undefined) save();
  process.exit(0);
}

server.on('error', (error: NodeJS.ErrnoException) => {
  const taken = error.code === 'EADDRINUSE' ? ` Port ${values.port} is taken: choose another port.` : '';
  console.error(`qdrant stand-in: cannot listen on 127.0.0.1: ${error.message}.${taken}`);
  process.exit(1);
});

server.listen(Number(values.port), '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : values.port;
  console.error(
    `This is a small stand-in for Qdrant ${IMITATED_VERSION}, for trying things out. For the real one set QDRANT_URL, ` +
      'or install the qdrant binary (or name it in QDRANT_BINARY).',
  );
  console.log(`ready ${port}`);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, end);
