/**
 * The only file that knows the driver: connections, the pool, and which connection a statement gets. What is sent on it
 * is in `connection/`: one statement in one round trip, inside a READ ONLY transaction that is always rolled back. What
 * a statement may be is the access policy's business.
 */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Client, Connection, Pool, type ClientConfig, type PoolClient } from 'pg';
import type { Column, PoolState, SourceCell } from '@database-mcp/mcp-kit';
import { createTypeNames } from './column-types.ts';
import { createCheckout, discardIdle } from './connection/checkout.ts';
import { MessageGuard } from './connection/message-guard.ts';
import { createReadingSocket } from './connection/reading-socket.ts';
import { describeColumns, runStatement, type DriverClient, type Lease } from './connection/run-statement.ts';
import type { Field, ProtocolConnection } from './connection/statement-exchange.ts';
import { isSession, toAttempts, type Attempt, type Target } from './connection/target.ts';
import {
  CommitInDoubtError,
  runWrite,
  settleDoubt,
  type WritePlan,
  type WriteResult,
} from './connection/write-transaction.ts';
import { createParameterTypes } from './parameter-types.ts';
import { checkParameters } from './parameters.ts';
import type { Answer, RowSink, Statement } from './statement.ts';
import { CONTROL_TIMEOUT_MS, toSessionSettingsSql } from './transaction.ts';
import { isConnectionError, toConnectionError, toReadError, wrongSession } from './sql-errors.ts';

/** How to reach Postgres. */
export interface DatabaseOptions {
  target: Target;
  poolSize: number;
  /** The deadline of a call; the database's own limits are derived from it. */
  timeoutMs: number;
  /** Where the target does not name one. */
  applicationName: string;
  /** Told when an idle connection breaks. */
  onConnectionLost?: (reason: string) => void;
}

/** What became of a write. */
export interface WriteAnswer extends Omit<WriteResult, 'fields'> {
  columns: Column[];
}

/** The operations that the tools need. */
export interface Database {
  /** Runs one statement in a READ ONLY transaction of its own. Rejects with a ToolError; ends the statement on abort. */
  read(statement: Statement, sink: RowSink, signal: AbortSignal): Promise<Answer>;
  /**
   * Runs a write in a transaction of its own, which its plan commits or rolls back. Rejects with a ToolError; then
   * nothing was changed, except that OUTCOME_UNKNOWN says what it says.
   */
  write(plan: WritePlan, signal: AbortSignal): Promise<WriteAnswer>;
  /** Resolves when the database answers, or when all connections are at work, which shows the same. */
  ping(signal: AbortSignal): Promise<void>;
  /** The connections at this moment. */
  poolState(): PoolState;
  close(): Promise<void>;
}

/** Beyond this a database counts as unreachable. */
const CONNECT_TIMEOUT_MS = 2_000;
/** How long a call waits for a free connection. */
const QUEUE_TIMEOUT_MS = 10_000;
/** A connection that was idle for longer has to show that it lives before a statement counts as begun. */
const STALE_AFTER_MS = 5_000;

const SESSION_SQL = `
  SELECT pg_catalog.pg_is_in_recovery() AS standby, pg_catalog.current_setting('transaction_read_only') AS readonly`;
/** How long the database is asked what became of a COMMIT: when the call is over already, and otherwise. */
const LATE_DOUBT_MS = 350;
const DOUBT_MS = 3_000;

/** A connection that was dead already is told as such by then. */
const QUICK_LOSS_MS = 250;

/** The driver's connection with its undocumented parts. */
interface DriverConnection extends EventEmitter, Omit<ProtocolConnection, 'stream' | 'once' | 'off'> {
  readonly stream: Socket;
  attachListeners(stream: EventEmitter): void;
  connect(portOrPath: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
}

interface ConnectionOptions {
  ssl?: ClientConfig['ssl'];
  keepAlive?: boolean;
  stream?: Socket;
}

const DriverConnection = Connection as unknown as new (options: ConnectionOptions) => DriverConnection;

/** A connection whose parser sees what the guard lets through. */
class GuardedConnection extends DriverConnection {
  guard: MessageGuard | undefined;
  /** Whether the session has our settings. */
  holdsSettings = false;
  /** Whether the server was a standby when it was last asked, and whether it was promoted since. */
  isStandby = false;
  isPromoted = false;

  constructor(options: Omit<ConnectionOptions, 'stream'>) {
    const sink: { take?: (chunk: Buffer) => void } = {};
    // TLS reads for itself, and has buffers of its own.
    super(options.ssl ? options : { ...options, stream: createReadingSocket((chunk) => sink.take?.(chunk)) });
    sink.take = (chunk) => this.#take(chunk);
  }

  override attachListeners(stream: EventEmitter): void {
    const passed = new EventEmitter();
    // A copy: the parser keeps the beginning of a message until the rest of it comes.
    this.guard = new MessageGuard((chunk) => passed.emit('data', Buffer.from(chunk)));
    super.attachListeners(passed);
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  /** What the server says of itself, at the start and when it changes. */
  noteParameter({ parameterName, parameterValue }: { parameterName: string; parameterValue: string }): void {
    if (parameterName === 'server_encoding' && this.guard) this.guard.escapes = parameterValue === 'SQL_ASCII';
    if (parameterName !== 'in_hot_standby') return;
    this.isPromoted = this.isStandby && parameterValue === 'off';
    this.isStandby = parameterValue === 'on';
  }

  #take(chunk: Buffer): void {
    try {
      this.guard?.push(chunk);
    } catch (error) {
      this.stream.destroy(error instanceof Error ? error : undefined);
    }
  }
}

/** The driver's client with its undocumented parts that are needed to guard, cancel and cut a connection. */
interface ClientInternals extends DriverClient {
  connection: GuardedConnection;
  processID: number;
  secretKey: number;
  host: string;
  port: number;
  ssl: ClientConfig['ssl'];
}

const internals = (client: PoolClient): ClientInternals => client as unknown as ClientInternals;

/** Creates the database. Nothing is connected before the first statement. */
export function createDatabase(options: DatabaseOptions): Database {
  const pool: Pool = createPool(options, () => checkout.attempt);
  const checkout = createCheckout<PoolClient>({
    pool,
    attempts: toAttempts(options.target),
    waitMs: Math.min(QUEUE_TIMEOUT_MS, options.timeoutMs / 2),
  });
  let closing: Promise<void> | undefined;
  /** Connections on which a statement runs. */
  let working = 0;
  const returnedAt = new WeakMap<PoolClient, number>();
  const types = { names: createTypeNames(), ofParameters: createParameterTypes() };
  const context = { deadlineMs: options.timeoutMs, types };

  /** Gives `work` a connection of its own. One that died unnoticed while it was idle is replaced once, by a new one. */
  async function withConnection<T>(signal: AbortSignal, work: (lease: Lease) => Promise<T>): Promise<T> {
    for (let isRetry = false; ; isRetry = true) {
      if (isRetry) await discardIdle(pool);
      const client = await checkout.take(signal);
      const idleSince = returnedAt.get(client);
      const lease = toLease(client, idleSince);
      const sentAt = performance.now();
      working++;
      try {
        signal.throwIfAborted();
        return await work(lease);
      } catch (error) {
        const wasDead = idleSince !== undefined && isConnectionError(error) && wasDeadBefore(lease, sentAt);
        if (!wasDead || isRetry || signal.aborted) throw error;
      } finally {
        // Not awaited: the answer is complete, and nobody gets the connection before it is clean.
        void giveBack(client, lease, signal.aborted);
      }
    }
  }

  async function giveBack(client: PoolClient, lease: Lease, wasCancelled: boolean): Promise<void> {
    // A late cancel request must never meet another call's statement.
    if (!wasCancelled && !lease.isBroken)
      await within(CONTROL_TIMEOUT_MS, lease.atRest).catch(() => (lease.isBroken = true));
    working--;
    // What target_session_attrs asks for is checked when a connection is made.
    if (wasCancelled || lease.isBroken || internals(client).connection.isPromoted) return cut(client);
    returnedAt.set(client, performance.now());
    client.release();
  }

  async function read(statement: Statement, sink: RowSink, signal: AbortSignal): Promise<Answer> {
    checkParameters(statement.params ?? []);
    const sent = { ...statement, sql: `${statement.prefix ?? ''}${statement.sql}` };
    const started = performance.now();
    const describe = (lease: Lease, fields: readonly Field[]): Promise<Column[]> =>
      describeColumns(lease, fields, types, signal);
    try {
      const found = await withConnection(signal, async (lease) => {
        const { fields, notices } = await runStatement(lease, sent, sink, signal, context);
        return { fields, notices, columns: lease.isBroken ? undefined : await describe(lease, fields) };
      });
      const { fields, notices } = found;
      const columns = found.columns ?? (await withConnection(signal, (lease) => describe(lease, fields)));
      return { columns, notices };
    } catch (error) {
      if (signal.aborted) throw error;
      const time = { deadlineMs: options.timeoutMs, tookMs: performance.now() - started };
      throw toReadError(error, statement, time);
    }
  }

  return {
    read,
    write: createWrite({ withConnection, read, context }),
    async ping(signal) {
      if (working < pool.options.max) await read({ sql: 'SELECT 1' }, { maxRows: 1, push: () => true }, signal);
    },
    poolState: () => toPoolState(pool),
    close: () => (closing ??= pool.end()),
  };
}

interface WriteParts {
  withConnection<T>(signal: AbortSignal, work: (lease: Lease) => Promise<T>): Promise<T>;
  read: Database['read'];
  context: Parameters<typeof runWrite>[3];
}

function createWrite({ withConnection, read, context }: WriteParts): Database['write'] {
  const ask = async (sql: string, params: string[], signal: AbortSignal): Promise<SourceCell[][]> => {
    const rows: SourceCell[][] = [];
    await read({ sql, params }, { maxRows: 1, push: (row) => rows.push(row) < 1 }, signal);
    return rows;
  };
  const run = async (plan: WritePlan, signal: AbortSignal): Promise<WriteResult> => {
    try {
      return await withConnection(signal, (lease) => runWrite(lease, plan, signal, context));
    } catch (error) {
      if (!(error instanceof CommitInDoubtError)) throw error;
      return await settleDoubt(error, signal.aborted ? LATE_DOUBT_MS : DOUBT_MS, ask);
    }
  };
  return async (plan, signal) => {
    checkParameters(plan.statement.params ?? []);
    const started = performance.now();
    try {
      const { fields, ...result } = await run(plan, signal);
      // A write that was committed is told as such, whatever happens to the names of its columns' types.
      const columns = await withConnection(signal, (lease) =>
        describeColumns(lease, fields, context.types, signal),
      ).catch(() => fields.map(({ name }) => ({ name, type: '' })));
      return { ...result, columns };
    } catch (error) {
      if (signal.aborted) throw error;
      const time = { deadlineMs: context.deadlineMs, tookMs: performance.now() - started };
      throw toReadError(error, plan.statement, time);
    }
  };
}

/** Without a probe only the time tells whether a connection was dead or the statement broke it. */
function wasDeadBefore(lease: Lease, sentAt: number): boolean {
  return !lease.isOpen && (lease.isStale || performance.now() - sentAt < QUICK_LOSS_MS);
}

function toPoolState({ totalCount, idleCount, waitingCount, options: { max } }: Pool): PoolState {
  return { used: totalCount - idleCount, idle: idleCount, pending: waitingCount, max };
}

function toLease(client: PoolClient, idleSince: number | undefined): Lease {
  const driver = internals(client);
  const { guard } = driver.connection;
  if (!guard) throw new Error('a connection without a guard');
  return {
    client: driver,
    guard,
    holdsSettings: driver.connection.holdsSettings,
    isStale: idleSince !== undefined && performance.now() - idleSince > STALE_AFTER_MS,
    isOpen: false,
    isBroken: false,
    atRest: Promise.resolve(),
    sendCancel: () => sendCancel(driver),
  };
}

function createPool({ target, poolSize, ...options }: DatabaseOptions, chooseAttempt: () => Attempt): Pool {
  const { user, password, database, applicationName = options.applicationName } = target;
  class ConfiguredClient extends Client {
    readonly #session: Attempt['session'];
    readonly #guarded: GuardedConnection;

    constructor() {
      const { host, port, ssl, session } = chooseAttempt();
      const connection = new GuardedConnection({ ssl, keepAlive: true });
      const own = { host, port, ssl, connection, application_name: applicationName, options: target.options };
      // The pool's own connection timeout would also end the wait for a free connection, so only the client gets one.
      super({ ...own, user, password, database, connectionTimeoutMillis: CONNECT_TIMEOUT_MS } as ClientConfig);
      this.#session = session;
      this.#guarded = connection;
      connection.on('parameterStatus', (message) => connection.noteParameter(message));
      // A connection that breaks is reported by the statement on it; without a listener it would end the process.
      this.on('error', () => {});
    }

    override connect(): Promise<this>;
    override connect(callback: ((error: Error) => void) | ((error: null, client: Client) => void)): void;
    override connect(callback?: (error: Error & null, client: Client) => void): Promise<this> | void {
      const connected = super.connect().then(() => within(CONNECT_TIMEOUT_MS, this.#prepareSession()));
      connected.catch(() => this.#guarded.stream.destroy());
      if (!callback) return connected.then(() => this);
      const report = callback as (error: Error | null, client?: Client) => void;
      connected.then(() => report(null, this), report);
    }

    async #prepareSession(): Promise<void> {
      await this.#checkSession();
      const { processID } = internals(this as unknown as PoolClient);
      const { rows } = await this.query(toSessionSettingsSql(options.timeoutMs, processID));
      this.#guarded.holdsSettings = rows.length > 0;
    }

    async #checkSession(): Promise<void> {
      if (this.#session === 'any') return;
      const { rows } = await this.query<{ standby: boolean; readonly: string }>(SESSION_SQL);
      if (!rows[0] || !isSession(this.#session, rows[0].standby, rows[0].readonly === 'on')) throw wrongSession();
    }
  }
  const pool = new Pool({ max: poolSize, Client: ConfiguredClient });
  pool.on('error', (error) => options.onConnectionLost?.(toConnectionError(error).message));
  return pool;
}

/** Rejects when it takes longer. */
async function within(limitMs: number, work: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('timeout expired')), limitMs);
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends a connection at once. Postgres ends what still runs on it when it notices. */
function cut(client: PoolClient): void {
  internals(client).connection.stream.destroy();
  client.release(true);
}

/** A cancel request is a connection of its own that carries the key of the one to cancel (protocol §"Canceling Requests in Progress"). */
function sendCancel({ host, port, ssl, processID, secretKey }: ClientInternals): void {
  const connection = new DriverConnection({ ssl });
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
