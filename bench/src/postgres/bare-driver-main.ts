/**
 * The reference: what a program with the same caps does that has no MCP. A pool of `pg`; for a call one message that
 * begins a READ ONLY transaction with a statement and a lock timeout, a portal (in one write) that reads one row more
 * than is wanted, the rows as JSON until a byte cap, and a rollback that is waited for: three round trips. It drives itself: takes jobs as JSON lines on
 * standard input and answers each with the result. `node bench/src/postgres/bare-driver-main.ts URL POOL_SIZE`
 */
import { createInterface } from 'node:readline';
import { Pool, type Submittable } from 'pg';
import { putLoad, type Load } from './load.ts';

const MAX_ROWS = 100;
const MAX_BYTES = 100_000;
const BEGIN = "BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = '28500'; SET LOCAL lock_timeout = '5000'";

const [connectionString, poolSize] = process.argv.slice(2);
const pool = new Pool({ connectionString, max: Number(poolSize) });
// Idle connections end with the database.
pool.on('error', () => {});

/** The driver's connection, as far as it is used here. */
interface ProtocolConnection {
  stream: { cork(): void; uncork(): void };
  parse(message: { text: string }): void;
  bind(message: object): void;
  describe(message: { type: 'P' }): void;
  execute(message: { rows: number }): void;
  sync(): void;
}

/** A query of the driver that reads the first rows of a statement, as text. */
class Portal {
  readonly rows: Promise<readonly (string | null)[][]>;
  readonly #sql: string;
  readonly #outcome = Promise.withResolvers<readonly (string | null)[][]>();
  readonly #rows: (string | null)[][] = [];

  constructor(sql: string) {
    this.#sql = sql;
    this.rows = this.#outcome.promise;
  }

  submit(connection: ProtocolConnection): void {
    connection.stream.cork();
    connection.parse({ text: this.#sql });
    connection.bind({});
    connection.describe({ type: 'P' });
    connection.execute({ rows: MAX_ROWS + 1 });
    connection.sync();
    connection.stream.uncork();
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    this.#rows.push(message.fields);
  }

  handleRowDescription(): void {}
  handlePortalSuspended(): void {}
  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.#outcome.resolve(this.#rows);
  }

  handleError(error: unknown): void {
    this.#outcome.reject(error);
  }
}

async function read(sql: string, expectedRows: number): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query(BEGIN);
    const portal = new Portal(sql);
    client.query(portal as unknown as Submittable);
    const rows: string[] = [];
    let bytes = 0;
    for (const row of await portal.rows) {
      const text = JSON.stringify(row);
      bytes += Buffer.byteLength(text);
      if (rows.length === MAX_ROWS || bytes > MAX_BYTES) break;
      rows.push(text);
    }
    if (rows.length !== expectedRows) throw new Error(`${rows.length} rows instead of ${expectedRows}`);
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

console.log('ready');
for await (const line of createInterface(process.stdin)) {
  const { sql, rows, load } = JSON.parse(line) as { sql: string; rows: number; load: Load };
  console.log(JSON.stringify(await putLoad(() => read(sql, rows), load)));
}
await pool.end();
