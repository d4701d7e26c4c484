/**
 * Rows of one statement by the extended protocol, batch after batch. The messages of a batch leave in one write: Parse,
 * Bind, Describe, Execute and Sync for the first, Execute and Sync for the others (inside of a transaction a portal
 * outlives Sync). The driver's own cursor writes eight times and waits once more for the end.
 */
import type { Duplex } from 'node:stream';

/** A column as Postgres describes it. */
export interface Field {
  name: string;
  dataTypeID: number;
  dataTypeModifier: number;
}

/** The part of the driver's connection that is used here. */
interface ProtocolConnection {
  readonly stream: Duplex;
  parse(query: { name: string; text: string; types: string[] }): void;
  bind(config: { portal: string; values: (string | null)[] }): void;
  describe(message: { type: string; name: string }): void;
  /** The driver's types want text for `rows`, the driver a number. */
  execute(message: { portal: string; rows: number }): void;
  sync(): void;
}

/** What a portal runs, and who takes the text of its rows. */
export interface PortalOptions {
  sql: string;
  params: (string | null)[];
  onRow(row: (string | null)[], fields: readonly Field[]): void;
}

/** A query of the driver. */
export type SubmitBatch = (batch: PortalBatch) => void;

/** Not the unnamed portal, which any other statement on the connection would replace. */
const NAME = 'rows';

/** An open portal. */
export interface Portal {
  readonly fields: readonly Field[];
  /** Fetches at most that many rows; false when the statement has ended. Rejects with what the database says. */
  fetch(maxRows: number): Promise<boolean>;
}

/** Creates the portal; nothing is sent before the first `fetch`. Only inside of a transaction, whose end closes it. */
export function createPortal(options: PortalOptions, submit: SubmitBatch): Portal {
  let isOpen = false;
  let fields: readonly Field[] = [];
  return {
    get fields() {
      return fields;
    },
    async fetch(maxRows) {
      const batch = new PortalBatch(options, isOpen ? fields : undefined, maxRows);
      isOpen = true;
      submit(batch);
      try {
        return await batch.hasMore;
      } finally {
        fields = batch.fields;
      }
    },
  };
}

/** One batch, as the driver's queue takes it. */
export class PortalBatch {
  /** Settles when the connection is free for the next query. */
  readonly hasMore: Promise<boolean>;
  fields: readonly Field[];
  readonly #outcome = Promise.withResolvers<boolean>();
  readonly #options: PortalOptions;
  readonly #isFirst: boolean;
  readonly #maxRows: number;
  #isSuspended = false;

  constructor(options: PortalOptions, fields: readonly Field[] | undefined, maxRows: number) {
    this.#options = options;
    this.#isFirst = fields === undefined;
    this.#maxRows = maxRows;
    this.fields = fields ?? [];
    this.hasMore = this.#outcome.promise;
  }

  submit(connection: ProtocolConnection): void {
    connection.stream.cork();
    if (this.#isFirst) {
      connection.parse({ name: '', text: this.#options.sql, types: [] });
      connection.bind({ portal: NAME, values: this.#options.params });
      connection.describe({ type: 'P', name: NAME });
    }
    connection.execute({ portal: NAME, rows: this.#maxRows });
    connection.sync();
    connection.stream.uncork();
  }

  handleRowDescription(message: { fields: Field[] }): void {
    this.fields = message.fields;
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    this.#options.onRow(message.fields, this.fields);
  }

  handlePortalSuspended(): void {
    this.#isSuspended = true;
  }

  handleCommandComplete(): void {}

  handleEmptyQuery(): void {}

  /** While it waits for data Postgres ignores the Sync that it already has, so it gets another. */
  handleCopyInResponse(connection: ProtocolConnection & { sendCopyFail(reason: string): void }): void {
    connection.sendCopyFail('COPY is not served here');
    connection.sync();
  }

  handleCopyData(): void {}

  handleReadyForQuery(): void {
    this.#outcome.resolve(this.#isSuspended);
  }

  handleError(error: unknown): void {
    this.#outcome.reject(error);
  }
}
