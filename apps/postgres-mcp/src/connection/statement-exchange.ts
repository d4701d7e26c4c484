/**
 * One statement of a client on the wire, as a query of the driver: transaction, settings, statement and clean-up are
 * written together, so that an ordinary call is one round trip. The statement goes through the extended protocol
 * (documentation §55.2.3), which takes one statement only, and up to its Sync an error anywhere skips the rest: it
 * never runs outside of its transaction. The clean-up is a message of its own, which runs also after an error.
 */

import { ToolError } from '@database-mcp/errors';

/** What is used of the driver's connection; each call writes one message of the protocol. */
export interface ProtocolConnection {
  readonly stream: { cork(): void; uncork(): void };
  parse(message: { text: string }): void;
  bind(message: { portal?: string; values?: readonly (string | null)[] }): void;
  describe(message: { type: 'P' | 'S'; name: string }): void;
  execute(message: { portal?: string; rows?: number }): void;
  flush(): void;
  sync(): void;
  query(sql: string): void;
  once(event: 'parameterDescription', listener: (message: { dataTypeIDs: number[] }) => void): unknown;
  off(event: 'parameterDescription', listener: (message: { dataTypeIDs: number[] }) => void): unknown;
}

/** A column as Postgres describes it. */
export interface Field {
  name: string;
  dataTypeID: number;
  dataTypeModifier: number;
}

/** What is sent and what is wanted of it. */
export interface ExchangeOptions {
  /** Statements of ours before it: BEGIN and the settings. */
  setUp: readonly string[];
  sql: string;
  /** `describe` asks for the types of the parameters and runs nothing. */
  run: 'describe' | { params: readonly (string | null)[]; maxRows: number; skip: number };
  /** Statements of ours after it, whatever became of it. */
  cleanUp: string;
  /** Asks Postgres to answer to the set-up by itself, which shows that a connection lives. */
  isProbing: boolean;
  /** False when no more rows are wanted. */
  onRow(values: (string | null)[], fields: readonly Field[]): boolean;
  /** Told of each row after that. */
  onUnwantedRow(): void;
  /** How many rows the next batch may have after `taken` rows. */
  batchSize(taken: number): number;
  /** Puts the exchange into the driver's queue again: the driver counts one query for each ReadyForQuery. */
  resubmit(exchange: StatementExchange): void;
}

/** Answers up to this many rows come in one batch, before their width is known. */
const FIRST_BATCH_ROWS = 128;
/** Names the cursor that continues a statement; the SQL before the client's, which moves positions in errors. */
export const CURSOR_PREFIX = 'DECLARE mcp_rows NO SCROLL CURSOR FOR ';
/** The unnamed one. */
const PORTAL = '';

/** An error of the protocol, as far as the exchange looks at it. */
interface ServerError extends Error {
  code?: string;
  severity?: string;
}

/** A query of the driver; see {@link ExchangeOptions}. Submitted once, settled once. */
export class StatementExchange {
  /** The columns, when all rows are there; rejects with what went wrong, when the connection is at rest. */
  readonly done: Promise<readonly Field[]>;
  /** Settles when the connection is clean and can take the next query, or is broken. */
  readonly atRest: Promise<void>;
  /** The types of the parameters, when asked to describe. */
  typeOids: readonly number[] = [];
  /** The transaction is open: what goes wrong from now on is about the statement. */
  isOpen = false;
  /** The connection cannot be used again. */
  isBroken = false;
  readonly #options: ExchangeOptions;
  readonly #outcome = Promise.withResolvers<readonly Field[]>();
  readonly #rest = Promise.withResolvers<void>();
  #connection: ProtocolConnection | undefined;
  #stage: 'new' | 'statement' | 'clean-up' = 'new';
  #preludeLeft = 0;
  #hasSentCleanUp = false;
  #fields: readonly Field[] = [];
  #failure: unknown;
  #wanted = 0;
  #taken = 0;
  #takenInBatch = 0;
  #isFull = false;

  readonly #onParameters = (message: { dataTypeIDs: number[] }): void => {
    this.typeOids = message.dataTypeIDs;
  };

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.done = this.#outcome.promise;
    this.atRest = this.#rest.promise;
  }

  /** Whether what Postgres says now is about the client's statement. */
  get isAtStatement(): boolean {
    return this.#stage === 'statement' && this.#preludeLeft === 0;
  }

  submit(connection: ProtocolConnection): void {
    if (this.#stage !== 'new') {
      this.#stage = 'clean-up';
      return;
    }
    this.#stage = 'statement';
    this.#connection = connection;
    // One write for all messages.
    connection.stream.cork();
    for (const sql of this.#options.setUp) this.#runOwn(sql);
    if (this.#options.isProbing) connection.flush();
    this.#sendStatement(connection);
    connection.stream.uncork();
  }

  handleRowDescription(message: { fields: Field[] }): void {
    if (this.isAtStatement) this.#fields = message.fields;
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    if (!this.isAtStatement) return;
    if (this.isBroken) return;
    this.#takenInBatch++;
    if (this.#isFull) return this.#options.onUnwantedRow();
    try {
      this.#isFull = !this.#options.onRow(message.fields, this.#fields);
    } catch (error) {
      this.#failure = error;
      this.#isFull = true;
    }
  }

  handleCommandComplete(): void {
    if (this.#stage !== 'statement') return;
    if (this.#preludeLeft === 0) this.#endBatch();
    else if (--this.#preludeLeft === 0) this.isOpen = true;
  }

  handlePortalSuspended(): void {
    this.#endBatch();
  }

  handleEmptyQuery(): void {
    this.#endBatch();
  }

  handleCopyInResponse(): void {
    // Postgres takes everything up to a CopyDone for data now, the clean-up among it.
    this.#break(copyRefused());
  }

  handleCopyData(): void {
    this.#break(copyRefused());
  }

  handleError(error: ServerError): void {
    const isFromServer = error.severity !== undefined && error.severity !== 'FATAL' && error.severity !== 'PANIC';
    if (!isFromServer || this.#stage === 'clean-up') return this.#break(error);
    this.#failure ??= error;
    this.#sendCleanUp();
    this.#options.resubmit(this);
  }

  handleReadyForQuery(): void {
    this.#connection?.off('parameterDescription', this.#onParameters);
    if (this.#stage === 'clean-up') {
      if (this.#failure !== undefined) this.#outcome.reject(this.#failure);
      return this.#rest.resolve();
    }
    if (this.#failure === undefined) this.#outcome.resolve(this.#fields);
    this.#options.resubmit(this);
  }

  /** Gives up: settles with what there is, without waiting for the database. */
  stop(): void {
    this.isBroken = true;
    this.#outcome.resolve(this.#fields);
    this.#rest.resolve();
  }

  #break(error: Error): void {
    this.isBroken = true;
    this.#outcome.reject(this.#failure ?? error);
    this.#rest.resolve();
  }

  #runOwn(sql: string): void {
    this.#preludeLeft++;
    this.#connection?.parse({ text: sql });
    this.#connection?.bind({});
    this.#connection?.execute({});
  }

  #sendStatement(connection: ProtocolConnection): void {
    const { run, sql } = this.#options;
    if (run === 'describe') {
      connection.once('parameterDescription', this.#onParameters);
      connection.parse({ text: sql });
      connection.describe({ type: 'S', name: '' });
      return this.#sendCleanUp();
    }
    if (run.skip > 0) {
      this.#preludeLeft += 2;
      connection.parse({ text: CURSOR_PREFIX + sql });
      connection.bind({ values: run.params });
      connection.execute({});
      connection.parse({ text: `MOVE FORWARD ${run.skip} FROM mcp_rows` });
      connection.bind({});
      connection.execute({});
    } else {
      connection.parse({ text: sql });
      connection.bind({ portal: PORTAL, values: run.params });
      connection.describe({ type: 'P', name: PORTAL });
    }
    this.#sendBatch(Math.min(FIRST_BATCH_ROWS, this.#rowsLeft()));
  }

  /** One more than the client wants, so that it is known whether there are more. */
  #rowsLeft(): number {
    const { run } = this.#options;
    return run === 'describe' ? 0 : run.maxRows + 1 - this.#taken;
  }

  #sendBatch(rows: number): void {
    const { run } = this.#options;
    this.#wanted = rows;
    this.#takenInBatch = 0;
    if (run !== 'describe' && run.skip > 0) {
      this.#connection?.parse({ text: `FETCH FORWARD ${rows} FROM mcp_rows` });
      this.#connection?.bind({});
      this.#connection?.describe({ type: 'P', name: '' });
      this.#connection?.execute({});
    } else this.#connection?.execute({ portal: PORTAL, rows });
    if (rows === this.#rowsLeft()) this.#sendCleanUp();
    else this.#connection?.flush();
  }

  #endBatch(): void {
    this.#taken += this.#takenInBatch;
    const isLast = this.#hasSentCleanUp || this.#isFull || this.#takenInBatch < this.#wanted;
    if (isLast) {
      // The answer need not wait for the clean-up; an error does, so that nothing runs any more when it is told.
      if (this.#failure === undefined) this.#outcome.resolve(this.#fields);
      this.#sendCleanUp();
    } else this.#sendBatch(Math.min(this.#options.batchSize(this.#taken), this.#rowsLeft()));
  }

  #sendCleanUp(): void {
    if (this.#hasSentCleanUp) return;
    this.#hasSentCleanUp = true;
    this.#connection?.sync();
    this.#connection?.query(this.#options.cleanUp);
  }
}

function copyRefused(): ToolError {
  return new ToolError({ code: 'READ_ONLY', message: 'COPY is not served here.', hint: 'Use SELECT.' });
}
