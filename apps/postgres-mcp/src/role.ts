/** What the database role of this server may do, and what that means: the last line of defence is a role with few rights. */
import type { Logger } from '@database-mcp/telemetry';
import { readRows } from './catalog.ts';
import type { Database } from './database.ts';
import { describeFailure, PROBE_TIMEOUT_MS } from './readiness.ts';

/** The findings about the database and the role. */
export interface Role {
  /** `PostgreSQL 18.4`. */
  product: string;
  role: string;
  /** What the role may do beyond reading, a sentence each; empty for a role that can only read. */
  warnings: string[];
}

const ROLE_SQL = `
  SELECT pg_catalog.current_setting('server_version'), current_user::text, r.rolsuper, r.rolcreaterole, r.rolbypassrls,
         (SELECT pg_catalog.string_agg(m.rolname, ', ' ORDER BY m.rolname) FROM pg_catalog.pg_roles m
           WHERE m.rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program', 'pg_write_all_data', 'pg_signal_backend', 'pg_maintain')
             AND pg_catalog.pg_has_role(m.oid, 'USAGE')),
         (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
             AND pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')),
         pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
         (SELECT pg_catalog.string_agg(n.nspname, ', ' ORDER BY n.nspname) FROM pg_catalog.pg_namespace n
           WHERE n.nspname !~ '^pg_' AND pg_catalog.has_schema_privilege(n.oid, 'CREATE'))
    FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`;

/** Asks the database. Rejects with a ToolError when it cannot be reached. */
export async function describeRole(database: Database, signal: AbortSignal): Promise<Role> {
  const [row = []] = await readRows(database, ROLE_SQL, [], signal, 1);
  const [version, role, isSuper, createsRoles, bypassesRls, memberOf, writableTables, createsSchemas, createsIn] = row;
  const warnings: string[] = [];
  if (isSuper === true) {
    warnings.push('it is a superuser: functions inside a SELECT can read files and run programs on the database host');
  } else {
    if (createsRoles === true) warnings.push('it can create roles');
    if (bypassesRls === true) warnings.push('it bypasses row level security');
    if (memberOf !== null && memberOf !== undefined) warnings.push(`it has the rights of ${String(memberOf)}`);
    if (Number(writableTables) > 0) warnings.push(`it may write to ${String(writableTables)} tables`);
    if (createsSchemas === true) warnings.push('it may create schemas');
    if (createsIn !== null && createsIn !== undefined) warnings.push(`it may create tables in ${String(createsIn)}`);
  }
  return { product: `PostgreSQL ${String(version).split(' ')[0]}`, role: String(role), warnings };
}

/** Says in the log what the role may do, and gives the one line that clients see about this server. */
export async function introduce(database: Database, logger: Pick<Logger, 'info' | 'warn'>): Promise<string> {
  try {
    const { product, role, warnings } = await describeRole(database, AbortSignal.timeout(PROBE_TIMEOUT_MS));
    logger.info({ product, role }, 'the database is connected');
    for (const warning of warnings) {
      logger.warn(`the role ${role} can do more than read: ${warning}. Use a role with SELECT rights only.`);
    }
    return `${product}, read-only: every statement runs in a READ ONLY transaction that is rolled back.`;
  } catch (error) {
    logger.warn(`${describeFailure(error)} The server starts nevertheless and connects when it is asked.`);
    return 'PostgreSQL, read-only: every statement runs in a READ ONLY transaction that is rolled back.';
  }
}
