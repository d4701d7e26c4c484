import type { ProcessExit } from './guard.ts';

/** How to start an embedded database. */
export interface StartOptions {
  /** Port on 127.0.0.1; a free one when absent. */
  port?: number | undefined;
  /** Kept between runs and created when absent; without it the data go to a temporary folder that is removed at the end. */
  dataDirectory?: string | undefined;
  /** Receives a line about each long step. */
  onProgress?: ((line: string) => void) | undefined;
}

/** What every embedded server process offers. */
export interface EmbeddedServer {
  readonly port: number;
  readonly pid: number;
  /** Settles when the server has ended, whoever ended it; does not keep the calling process alive. */
  readonly exited: Promise<ProcessExit>;
  /** Ends the server; resolves when it and its temporary folder are gone. */
  stop(): Promise<void>;
}
