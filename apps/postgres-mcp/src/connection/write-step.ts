/**
 * One statement inside of a transaction that its caller keeps open, as a query of the driver, through the extended
 * protocol. Rows are passed on as they come and none is kept.
 */
import type { Field, ProtocolConnection } from './statement-exchange.ts';

/** What Postgres says at the end of a statement: `UPDATE 3`, `INSERT 0 1`, `CREATE TABLE`. */
export interface StepResult {
  tag: string;
  fields: readonly Field[];
}

/** A query of the driver. Submitted once, settled once. */
export class WriteStep {
  /** Rejects with what Postgres or the connection said. */
  readonly done: Promise<StepResult>;
  readonly #sql: string;
  readonly #params: readonly (string | null)[];
  readonly #onRow: (values: (string | null)[], fields: readonly Field[]) => void;
  readonly #outcome = Promise.withResolvers<StepResult>();
  #fields: readonly Field[] = [];
  #tag = '';
  #failure: unknown;

  constructor(
    sql: string,
    params: readonly (string | null)[] = [],
    onRow: (values: (string | null)[], fields: readonly Field[]) => void = () => {},
  ) {
    this.#sql = sql;
    this.#params = params;
    this.#onRow = onRow;
    this.done = this.#outcome.promise;
    // Whoever gave up on the connection does not wait for it any more.
    this.done.catch(() => {});
  }

  submit(connection: ProtocolConnection): void {
    connection.stream.cork();
    connection.parse({ text: this.#sql });
    connection.bind({ values: this.#params });
    connection.describe({ type: 'P', name: '' });
    connection.execute({});
    connection.sync();
    connection.stream.uncork();
  }

  handleRowDescription(message: { fields: Field[] }): void {
    this.#fields = message.fields;
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    if (this.#failure !== undefined) return;
    try {
      this.#onRow(message.fields, this.#fields);
    } catch (error) {
      this.#failure = error;
    }
  }

  handleCommandComplete(message: { text: string }): void {
    this.#tag = message.text;
  }

  handleError(error: Error): void {
    this.#outcome.reject(error);
  }

  handleReadyForQuery(): void {
    if (this.#failure === undefined) this.#outcome.resolve({ tag: this.#tag, fields: this.#fields });
    else this.#outcome.reject(this.#failure);
  }
}
