/**
 * The only file that knows the driver: connections, read-only transactions, portals, cancellation.
 * Every statement of a client goes through the extended protocol (one statement, also without parameters), inside a
 * READ ONLY transaction that is always rolled back. What a statement may be is the access policy's business.
 */
import type { Socket } from 'node:net';
import {
  Client,
  Connection,
  Pool,
  type ClientConfig,
  type CustomTypesConfig,
  type PoolClient,
  type Submittable,
} from 'pg';
import { ToolError } from '@database-mcp/errors';
import type { Cell, Column } from '@database-mcp/mcp-kit';
import { createTypeNames, type ColumnType, type RunCatalogQuery } from './column-types.ts';
import { createParameterTypes, ParameterDescription } from './parameter-types.ts';
import { checkParameters, isComposite, toParameterTexts, type ParameterType } from './parameters.ts';
import { createPortal, type Field } from './portal.ts';
import { noFreeConnection, rowTooLarge, toConnectionError, toReadError } from './sql-errors.ts';
import { CLEAN_UP_SQL, CONTROL_TIMEOUT_MS, toSetUpSql } from './transaction.ts';
import { converterOf, type CellConverter } from './values.ts';

/** How to reach Postgres; with `url` the other parts are ignored. */
export interface DatabaseOptions {
  url?: string;
  host: string;
  port: number;
  user: string;
  password?: string;
  database?: string;
  poolSize: number;
  /** The deadline of a call; the database's own limits are derived from it. */
  timeoutMs: number;
  applicationName: string;
  /** Told when an idle connection breaks. */
  onConnectionLost?: (reason: string) => void;
}

/** One statement with its parameters as JSON values. */
export interface Statement {
  sql: string;
  params?: readonly unknown[];
}

/** Takes the rows of an answer. */
export interface RowSink {
  /** No more rows than this are fetched. */
  maxRows: number;
  /** False when no further row is wanted. */
  push(row: Cell[]): boolean;
}

/** What is known of an answer besides its rows. */
export interface Answer {
  columns: Column[];
  /** What the database said along the way (RAISE NOTICE). */
  notices: string[];
}

/** The operations that the tools need. */
export interface Database {
  /** Runs one statement in a READ ONLY transaction of its own. Rejects with a ToolError; ends the statement on abort. */
  read(statement: Statement, sink: RowSink, signal: AbortSignal): Promise<Answer>;
  /** Resolves when the database answers, or when all connections are at work, which shows the same. */
  ping(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Beyond this a database counts as unreachable. */
const CONNECT_TIMEOUT_MS = 2_000;
/** How long a call waits for a free connection. */
const QUEUE_TIMEOUT_MS = 10_000;
/** A cancel request that comes before the statement has begun has no effect, so it is repeated. */
const CANCEL_REPEAT_MS = 200;
/** After a cancel request the statement gets this long to end before the connection is cut. */
const CANCEL_GRACE_MS = 800;
/** The first batch is small because the width of the rows is not known yet; later ones hold about this much. */
const FIRST_BATCH_ROWS = 32;
const BATCH_BYTES = 1024 * 1024;
const MAX_BATCH_ROWS = 1_000;
/** One message (a row) larger than this is refused: the driver holds it in memory as a whole. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const MAX_NOTICES = 5;

/** Undocumented parts of the driver's client that are needed to cancel and to cut a connection. */
interface ClientInternals {
  connection: { stream: Socket };
  processID: number;
  secretKey: number;
  host: string;
  port: number;
  ssl: ClientConfig['ssl'];
}

const internals = (client: PoolClient): ClientInternals => client as unknown as ClientInternals;

/** The same for a bare connection. */
interface CancelConnection extends Connection {
  connect(portOrPath: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
}

/** The text of every value, whatever its type: conversion is ours. */
const RAW_TEXT: CustomTypesConfig = { getTypeParser: () => (text: string) => text };

/** Creates the database. Nothing is connected before the first statement. */
export function createDatabase(options: DatabaseOptions): Database {
  const pool = createPool(options);
  let closing: Promise<void> | undefined;
  /** Connections on which a statement runs. */
  let working = 0;
  const types = { names: createTypeNames(), ofParameters: createParameterTypes() };
  const setUp = toSetUpSql(options.timeoutMs);

  /** Takes a connection on which a transaction is open. A connection that died unnoticed while idle is replaced once. */
  async function begin(signal: AbortSignal): Promise<PoolClient> {
    for (let attempt = 1; ; attempt++) {
      const client = await acquire(pool, signal, Math.min(QUEUE_TIMEOUT_MS, options.timeoutMs / 2));
      try {
        await control(client, setUp);
        return client;
      } catch (error) {
        cut(client);
        if (attempt === 2 || signal.aborted) throw toConnectionError(error);
      }
    }
  }

  return {
    async read(statement, sink, signal) {
      checkParameters(statement.params ?? []);
      const client = await begin(signal);
      const started = performance.now();
      working++;
      try {
        signal.throwIfAborted();
        const answer = await runPortal(client, statement, sink, signal, types);
        // Not awaited: the answer is complete, and the pool gives the connection to nobody before it is clean.
        void giveBack(client, signal.aborted);
        return answer;
      } catch (error) {
        await giveBack(client, signal.aborted);
        if (signal.aborted) throw error;
        throw toReadError(error, statement.sql, { deadlineMs: options.timeoutMs, tookMs: performance.now() - started });
      } finally {
        working--;
      }
    },
    async ping(signal) {
      if (working === options.poolSize) return;
      const client = await begin(signal);
      await giveBack(client, false);
    },
    close: () => (closing ??= pool.end()),
  };
}

function createPool(options: DatabaseOptions): Pool {
  const config: ClientConfig = {
    ...toTarget(options),
    application_name: options.applicationName,
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  };
  // The pool's own connection timeout would also end the wait for a free connection, so only the client gets one.
  class ConfiguredClient extends Client {
    constructor() {
      super(config);
      // A connection that breaks is reported by the statement on it; without a listener it would end the process.
      this.on('error', () => {});
    }
  }
  const pool = new Pool({ max: options.poolSize, Client: ConfiguredClient });
  pool.on('error', (error) => options.onConnectionLost?.(toConnectionError(error).message));
  return pool;
}

function toTarget(options: DatabaseOptions): ClientConfig {
  if (options.url !== undefined) return { connectionString: options.url };
  const { host, port, user, password, database = user } = options;
  return { host, port, user, password, database };
}

async function acquire(pool: Pool, signal: AbortSignal, waitMs: number): Promise<PoolClient> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  const timer = setTimeout(() => reject(noFreeConnection(pool.options.max)), waitMs);
  const connecting = pool.connect();
  try {
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
    return await Promise.race([connecting, stopped]);
  } catch (error) {
    // One that comes too late is not lost to the pool.
    connecting.then(
      (client) => client.release(),
      () => {},
    );
    if (error instanceof ToolError || signal.aborted) throw error;
    throw toConnectionError(error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Runs our own transaction control, with a limit of its own. */
async function control(client: PoolClient, sql: string): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('timeout expired')), CONTROL_TIMEOUT_MS);
  try {
    await Promise.race([client.query(sql), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends a connection at once. Postgres ends what still runs on it when it notices. */
function cut(client: PoolClient): void {
  internals(client).connection.stream.destroy();
  client.release(true);
}

/** A connection is reused only after an orderly rollback; a late cancel request must never meet another call's statement. */
async function giveBack(client: PoolClient, wasCancelled: boolean): Promise<void> {
  if (wasCancelled) return cut(client);
  try {
    await control(client, CLEAN_UP_SQL);
    client.release();
  } catch {
    cut(client);
  }
}

interface Types {
  names: ReturnType<typeof createTypeNames>;
  ofParameters: ReturnType<typeof createParameterTypes>;
}

async function runPortal(
  client: PoolClient,
  statement: Statement,
  sink: RowSink,
  signal: AbortSignal,
  types: Types,
): Promise<Answer> {
  const notices: string[] = [];
  const onNotice = (notice: { message?: string }): void => {
    if (notices.length < MAX_NOTICES && notice.message) notices.push(`The database says: ${notice.message}`);
  };
  const runCatalogQuery: RunCatalogQuery = async (text, values) => {
    const query = { text, values, rowMode: 'array', types: RAW_TEXT } as const;
    return (await client.query<(string | null)[]>(query)).rows;
  };
  const run = async (): Promise<readonly Field[]> => {
    const params = await bindParameters(client, statement, types.ofParameters, runCatalogQuery);
    // Not before: what Postgres says of a statement as it reads it would be said twice.
    client.on('notice', onNotice);
    return await fetchRows(client, statement.sql, params, sink);
  };
  const cancelling = watchAbort(client, signal);
  try {
    const fields = await Promise.race([run(), cancelling.gaveUp]);
    const columnTypes = fields.map((field): ColumnType => ({
      oid: field.dataTypeID,
      modifier: field.dataTypeModifier,
    }));
    const names = await types.names.lookUp(columnTypes, runCatalogQuery);
    return { columns: fields.map((field, index) => ({ name: field.name, type: names[index] ?? '' })), notices };
  } finally {
    client.off('notice', onNotice);
    cancelling.release();
  }
}

/** The parameters as text. Only for an array or object among them the database is asked for their types before. */
async function bindParameters(
  client: PoolClient,
  { sql, params = [] }: Statement,
  types: Types['ofParameters'],
  run: RunCatalogQuery,
): Promise<(string | null)[]> {
  if (!params.some(isComposite)) return toParameterTexts(params);
  const typeOids = await client.query(new ParameterDescription(sql)).typeOids;
  const found: ParameterType[] = [];
  for (const [index, value] of params.entries()) {
    if (isComposite(value)) found[index] = await types.lookUp(typeOids[index] ?? 0, run);
  }
  return toParameterTexts(params, found);
}

/** Fetches at most one row more than are wanted, so that it is known whether there are more. */
async function fetchRows(
  client: PoolClient,
  sql: string,
  params: (string | null)[],
  sink: RowSink,
): Promise<readonly Field[]> {
  const { stream } = internals(client).connection;
  let convert: CellConverter[] | undefined;
  let failure: unknown;
  let isFull = false;
  let taken = 0;
  let bytes = 0;
  let sinceLastRow = 0;
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    sinceLastRow += chunk.length;
    if (sinceLastRow > MAX_MESSAGE_BYTES) stream.destroy(rowTooLarge(MAX_MESSAGE_BYTES));
  };
  const onRow = (row: (string | null)[], fields: readonly Field[]): void => {
    sinceLastRow = 0;
    taken++;
    if (isFull) return;
    try {
      convert ??= fields.map((field) => converterOf(field.dataTypeID));
      isFull = !sink.push(row.map((text, index) => (text === null ? null : (convert?.[index]?.(text) ?? text))));
    } catch (error) {
      failure = error;
      isFull = true;
    }
  };
  const portal = createPortal({ sql, params, onRow }, (batch) => void client.query(batch as unknown as Submittable));
  stream.on('data', onData);
  try {
    for (let batch = FIRST_BATCH_ROWS; ;) {
      const hasMore = await portal.fetch(Math.min(batch, sink.maxRows + 1 - taken));
      if (!hasMore || isFull || taken > sink.maxRows) break;
      batch = Math.min(MAX_BATCH_ROWS, Math.max(1, Math.floor((BATCH_BYTES * taken) / bytes)));
    }
  } finally {
    stream.off('data', onData);
  }
  if (failure !== undefined) throw failure;
  return portal.fields;
}

/** On abort asks Postgres to end the statement; `gaveUp` rejects when that does not help in time. */
function watchAbort(client: PoolClient, signal: AbortSignal): { gaveUp: Promise<never>; release: () => void } {
  const { promise: gaveUp, reject } = Promise.withResolvers<never>();
  gaveUp.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  let repeat: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    timer = setTimeout(() => reject(signal.reason), CANCEL_GRACE_MS);
    repeat = setInterval(() => sendCancel(client), CANCEL_REPEAT_MS);
    sendCancel(client);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  return {
    gaveUp,
    release() {
      clearTimeout(timer);
      clearInterval(repeat);
      signal.removeEventListener('abort', onAbort);
    },
  };
}

/** A cancel request is a connection of its own that carries the key of the one to cancel (protocol §"Canceling Requests in Progress"). */
function sendCancel(client: PoolClient): void {
  const { host, port, ssl, processID, secretKey } = internals(client);
  const connection = new Connection({ ssl } as ClientConfig) as CancelConnection;
  const timer = setTimeout(() => connection.stream.destroy(), CONNECT_TIMEOUT_MS);
  const send = (): void => connection.cancel(processID, secretKey);
  connection.on('connect', () => (ssl ? connection.requestSsl() : send()));
  connection.on('sslconnect', send);
  // When it cannot be sent the connection of the statement is cut after the grace, and statement_timeout ends it.
  connection.on('error', () => {});
  connection.on('end', () => clearTimeout(timer));
  if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}`);
  else connection.connect(port, host);
}
