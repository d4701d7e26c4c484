/** Sends what reads to a replica, and to the primary while the replica cannot be reached. */
import { ToolError } from '@database-mcp/errors';
import type { Database } from './database.ts';
import type { Answer, RowSink } from './statement.ts';

/** A replica that could not be reached is left alone for this time. */
const RETRY_AFTER_MS = 10_000;
const FALLBACK_NOTICE = 'The read replica cannot be reached; this was read from the primary.';

/** Options of {@link createReplicatedDatabase}. */
export interface ReplicatedOptions {
  primary: Database;
  replica: Database;
  /** Told when reading falls back to the primary. */
  onFallback(reason: string): void;
}

/** Creates a database that reads from the replica and does everything else on the primary. */
export function createReplicatedDatabase({ primary, replica, onFallback }: ReplicatedOptions): Database {
  let downSince = -Infinity;

  async function readPrimary(...[statement, sink, signal]: Parameters<Database['read']>): Promise<Answer> {
    const answer = await primary.read(statement, sink, signal);
    return { ...answer, notices: [FALLBACK_NOTICE, ...answer.notices] };
  }

  return {
    ...primary,
    async read(statement, sink, signal) {
      if (performance.now() - downSince < RETRY_AFTER_MS) return await readPrimary(statement, sink, signal);
      let hasRows = false;
      const watched: RowSink = {
        ...sink,
        push(row) {
          hasRows = true;
          return sink.push(row);
        },
      };
      try {
        return await replica.read(statement, watched, signal);
      } catch (error) {
        // An answer that began cannot be begun again.
        if (!(error instanceof ToolError) || error.code !== 'UNAVAILABLE' || hasRows || signal.aborted) throw error;
        downSince = performance.now();
        onFallback(error.message);
        return await readPrimary(statement, sink, signal);
      }
    },
    // Reading works as long as one of them answers.
    ping: (signal) => replica.ping(signal).catch(() => primary.ping(signal)),
    async close() {
      await Promise.all([replica.close(), primary.close()]);
    },
  };
}
