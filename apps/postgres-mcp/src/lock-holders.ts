/** Says which table a statement waited for in vain, and which session holds it. */
import { ToolError } from '@database-mcp/errors';
import { readRows } from './catalog.ts';
import type { Database } from './database.ts';
import { collectUses } from './policy/statement-uses.ts';
import { parseSql } from './sql-parser.ts';

const MAX_HOLDERS = 3;

/** Only this mode stands in the way of reading (documentation §13.3.1). */
const HOLDERS_SQL = `
  SELECT l.relation::pg_catalog.regclass::text, l.pid, a.state
    FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
    LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
   WHERE l.granted AND l.mode = 'AccessExclusiveLock' AND c.relname = ANY ($1::text[])
     AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())`;

/** For a lock timeout the same error with the table and the holder; any other error as it is. */
export async function nameLockHolders(
  database: Database,
  error: unknown,
  sql: string,
  signal: AbortSignal,
): Promise<unknown> {
  if (!(error instanceof ToolError) || !isLockTimeout(error) || signal.aborted) return error;
  const outcome = await parseSql(sql);
  const uses = outcome.kind === 'parsed' ? collectUses(outcome.statements[0]?.node) : [];
  const names = uses.filter((use) => use.kind === 'relation').map((use) => use.name);
  const holders = await readRows(database, HOLDERS_SQL, [names], signal, MAX_HOLDERS).catch(() => []);
  if (holders.length === 0) return error;
  const texts = holders.map(([table, pid, state]) => {
    const doing = state === null ? '' : ` (${String(state)})`;
    return `${String(table)} is locked by the session of process ${String(pid)}${doing}`;
  });
  const { code, message, hint } = error;
  return new ToolError({ code, message, where: texts.join('; '), hint }, { cause: error });
}

function isLockTimeout(error: ToolError): boolean {
  return (error.cause as { code?: string } | undefined)?.code === '55P03';
}
