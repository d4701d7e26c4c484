/** What the database role of this server may do, and what that means: the last line of defence is a role with few rights. */
import type { Logger } from '@database-mcp/telemetry';
import { readRows } from './catalog.ts';
import type { Database } from './database.ts';
import { describeFailure, PROBE_TIMEOUT_MS } from './readiness.ts';

/** What the tools of this server may do: read only, or also write. */
export type Access = 'read' | 'write';

/** The findings about the database and the role. */
export interface Role {
  /** `PostgreSQL 18.4`. */
  product: string;
  role: string;
  /** What the role may do beyond reading, a sentence each; empty for a role that can only read. */
  warnings: string[];
}

/** Predefined roles of Postgres that can do more than read. */
const POWERFUL_ROLES =
  'pg_read_server_files pg_write_server_files pg_execute_server_program pg_write_all_data pg_signal_backend pg_maintain pg_checkpoint pg_create_subscription pg_signal_autovacuum_worker';
/** Functions that only a superuser may call unless somebody gave the right away. */
const POWERFUL_FUNCTIONS =
  'pg_read_file pg_read_binary_file pg_ls_dir pg_stat_file lo_import lo_export pg_reload_conf pg_rotate_logfile pg_switch_wal pg_promote pg_create_restore_point pg_logical_emit_message';

/** Version, role, whether it is a superuser; then lists of names as JSON text, in the order of FINDINGS. */
const ROLE_SQL = `
  WITH me AS (SELECT * FROM pg_catalog.pg_roles WHERE rolname = current_user),
  tables AS (
    SELECT c.oid, c.relkind, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name, c.relowner
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_')
  SELECT pg_catalog.current_setting('server_version'), current_user::text, me.rolsuper,
         pg_catalog.to_json(ARRAY(SELECT rolname::text FROM pg_catalog.pg_roles r
                WHERE r.rolsuper AND NOT me.rolsuper AND pg_catalog.pg_has_role(r.oid, 'MEMBER') ORDER BY 1))::text,
         pg_catalog.to_json(ARRAY(SELECT word FROM (VALUES ('create roles', me.rolcreaterole), ('create databases', me.rolcreatedb),
                 ('replicate the whole server', me.rolreplication), ('bypass row level security', me.rolbypassrls)) f (word, is_so) WHERE is_so))::text,
         pg_catalog.to_json(ARRAY(SELECT rolname::text FROM pg_catalog.pg_roles r
                WHERE r.rolname = ANY (pg_catalog.string_to_array($1, ' ')) AND pg_catalog.pg_has_role(r.oid, 'MEMBER') ORDER BY 1))::text,
         pg_catalog.to_json(ARRAY(SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p
                WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY (pg_catalog.string_to_array($2, ' '))
                  AND NOT me.rolsuper AND p.proacl IS NOT NULL AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE') ORDER BY 1))::text,
         pg_catalog.to_json(ARRAY(SELECT name FROM tables WHERE pg_catalog.pg_has_role(relowner, 'USAGE') ORDER BY 1))::text,
         pg_catalog.to_json(ARRAY(SELECT name FROM tables WHERE relkind IN ('r', 'p', 'v', 'f')
                AND (pg_catalog.has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
                     OR pg_catalog.has_any_column_privilege(oid, 'INSERT, UPDATE')) ORDER BY 1))::text,
         pg_catalog.to_json(ARRAY(SELECT name FROM tables WHERE CASE relkind WHEN 'S' THEN pg_catalog.has_sequence_privilege(oid, 'USAGE, UPDATE') END ORDER BY 1))::text,
         pg_catalog.to_json(ARRAY(SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_namespace n
                WHERE n.nspname !~ '^pg_' AND pg_catalog.has_schema_privilege(n.oid, 'CREATE') ORDER BY 1))::text,
         pg_catalog.to_json(ARRAY(SELECT 'schemas' WHERE pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')))::text
    FROM me`;

/** What a list of names means; with write access some of them are what the role is for. */
const FINDINGS: readonly { says: string; isForWriting?: boolean; isCounted?: boolean }[] = [
  { says: 'it can become a superuser by SET ROLE' },
  { says: 'it can' },
  { says: 'it has the rights of' },
  { says: 'it may call' },
  { says: 'it owns', isForWriting: true, isCounted: true },
  { says: 'it may write to', isForWriting: true, isCounted: true },
  { says: 'it may change the sequences', isForWriting: true, isCounted: true },
  { says: 'it may create tables and functions in', isForWriting: true },
  { says: 'it may create', isForWriting: true },
];
/** A longer list is counted. */
const MAX_NAMED = 3;

/** Asks the database. Rejects with a ToolError when it cannot be reached. */
export async function describeRole(database: Database, signal: AbortSignal, access: Access = 'read'): Promise<Role> {
  const [row = []] = await readRows(database, ROLE_SQL, [POWERFUL_ROLES, POWERFUL_FUNCTIONS], signal, 1);
  const [version, role, isSuper, ...lists] = row;
  const product = `PostgreSQL ${String(version).split(' ')[0]}`;
  if (isSuper === true) {
    const warning = 'it is a superuser: nothing in the database bounds what a function behind a SELECT does';
    return { product, role: String(role), warnings: [warning] };
  }
  const warnings = FINDINGS.flatMap(({ says, isForWriting, isCounted }, index) => {
    const names = JSON.parse(String(lists[index])) as string[];
    if (names.length === 0 || (isForWriting && access === 'write')) return [];
    const named = names.slice(0, MAX_NAMED).join(', ');
    if (names.length <= MAX_NAMED) return [`${says} ${named}`];
    return [isCounted ? `${says} ${named} and ${names.length - MAX_NAMED} more` : `${says} ${names.join(', ')}`];
  });
  return { product, role: String(role), warnings };
}

/** Where the way out is. */
const HOW_TO_MEND = 'npm run --silent postgres-mcp -- --print-role-sql prints the SQL of a proper role.';

/** Says in the log what the role may do, and gives the one line that clients see about this server. */
export async function introduce(
  database: Database,
  logger: Pick<Logger, 'info' | 'warn'>,
  access: Access = 'read',
): Promise<string> {
  try {
    const found = await describeRole(database, AbortSignal.timeout(PROBE_TIMEOUT_MS), access);
    const { product, role, warnings } = found;
    logger.info({ product, role, access }, 'the database is connected');
    if (warnings.length > 0) {
      logger.warn(
        { role, warnings },
        `The role ${role} can do more than this server needs: ${warnings.join('; ')}. ${HOW_TO_MEND}`,
      );
    }
    const posture = warnings.length > 0 ? ` The role ${role} can do more than that: ${warnings.join('; ')}.` : '';
    return `${product}${toPromise(access)}${posture}`;
  } catch (error) {
    logger.warn(`${describeFailure(error)} The server starts nevertheless and connects when it is asked.`);
    return `PostgreSQL${toPromise(access)}`;
  }
}

function toPromise(access: Access): string {
  const reading = 'every statement runs in a READ ONLY transaction that is rolled back.';
  if (access === 'read') return `, read-only: ${reading}`;
  return `. Except in the execute tool, ${reading} execute rehearses a write, and makes it when it is confirmed.`;
}
