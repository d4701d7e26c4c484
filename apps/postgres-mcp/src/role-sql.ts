/**
 * The SQL that makes a database role for this server: `npm run --silent postgres-mcp -- --print-role-sql | psql …`.
 * Text only, nothing is connected. It can be run again, also by an administrator who is no superuser (as on managed
 * services), and the role it makes passes the posture check of `role.ts`.
 */
import { parseArgs } from 'node:util';
import { ConfigError } from '@database-mcp/config';

/** The flag of the command line that asks for it. */
export const PRINT_ROLE_SQL = '--print-role-sql';

/** What the role is to be. */
export interface RoleSqlOptions {
  role: string;
  schemas: readonly string[];
  access: 'read' | 'write';
}

// NAMEDATALEN of Postgres, less the end.
const MAX_NAME_BYTES = 63;

/** Reads the flags. Throws a ConfigError that lists every problem. */
export function readRoleSqlArguments(argv: readonly string[]): RoleSqlOptions {
  const problems: string[] = [];
  const given = { role: ['mcp_reader'], schema: ['public'], access: ['read'], ...readFlags(argv, problems) };
  const [role = '', access] = [given.role.at(-1), given.access.at(-1)];
  for (const name of [role, ...given.schema]) {
    const shown = JSON.stringify(name);
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) problems.push(`${shown}: a name has at most ${MAX_NAME_BYTES} bytes`);
    // A line break would end a comment of the script, `$do$` a block of it.
    if (/\p{Cc}|\$do\$/u.test(name) || !name.isWellFormed()) problems.push(`${shown}: it cannot be used here`);
  }
  if (role.startsWith('pg_')) problems.push(`--role ${role}: Postgres keeps names that begin with pg_ for itself`);
  if (access !== 'read' && access !== 'write') problems.push(`--access ${access}: it must be read or write`);
  if (problems.length > 0) throw new ConfigError('The command line', problems);
  return { role, schemas: given.schema, access: access === 'write' ? 'write' : 'read' };
}

type Flag = 'role' | 'schema' | 'access';

function readFlags(argv: readonly string[], problems: string[]): Partial<Record<Flag, string[]>> {
  const args = argv.filter((arg) => arg !== PRINT_ROLE_SQL);
  const string = { type: 'string' } as const;
  const options = { role: string, schema: string, access: string };
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true });
  const given: Partial<Record<Flag, string[]>> = {};
  for (const token of tokens) {
    if (token.kind === 'positional') problems.push(`${JSON.stringify(token.value)}: this is not a flag`);
    if (token.kind !== 'option') continue;
    const { name, rawName, value } = token;
    if (!Object.hasOwn(options, name)) {
      problems.push(`${rawName}: with ${PRINT_ROLE_SQL} there are --role, --schema (also more than once) and --access`);
    } else if (!value) problems.push(`${rawName}: it needs a value`);
    else (given[name as Flag] ??= []).push(value);
  }
  return given;
}

/** The script. */
export function createRoleSql({ role, schemas, access }: RoleSqlOptions): string {
  const name = quote(role);
  const inSchemas = schemas.map(quote).join(', ');
  const rights = access === 'write' ? 'SELECT, INSERT, UPDATE, DELETE' : 'SELECT';
  const onSequences = access === 'write' ? 'USAGE, SELECT' : 'SELECT';
  const isReader = access === 'read';
  return `-- A role for postgres-mcp that may ${isReader ? 'read' : 'read and write the rows of'} the tables of ${inSchemas}, and nothing else.
-- Run it as the owner of the tables or an administrator, in the database to be served. It can be run again.
BEGIN;

DO $do$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${quoteText(role)}) THEN
    CREATE ROLE ${name} LOGIN;
  ELSIF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = ${quoteText(role)}) THEN
    RAISE EXCEPTION 'the role % exists and is a superuser; choose another name with --role', ${quoteText(role)};
  END IF;
  EXECUTE pg_catalog.format('GRANT CONNECT ON DATABASE %I TO ${escapeFormat(name)}', pg_catalog.current_database());
END
$do$;

-- What it may do to what is there.
REVOKE ALL ON SCHEMA ${inSchemas} FROM ${name};
GRANT USAGE ON SCHEMA ${inSchemas} TO ${name};
REVOKE ALL ON ALL TABLES IN SCHEMA ${inSchemas} FROM ${name};
REVOKE ALL ON ALL SEQUENCES IN SCHEMA ${inSchemas} FROM ${name};
GRANT ${rights} ON ALL TABLES IN SCHEMA ${inSchemas} TO ${name};
GRANT ${onSequences} ON ALL SEQUENCES IN SCHEMA ${inSchemas} TO ${name};

-- And to what those who own tables there, and you, will create later.
DO $do$
DECLARE
  owner_name name;
BEGIN
  FOR owner_name IN
    SELECT DISTINCT r.rolname
      FROM pg_catalog.pg_roles r
     WHERE r.rolname = current_user
        OR r.oid IN (SELECT c.relowner FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                      WHERE n.nspname IN (${schemas.map(quoteText).join(', ')}) AND c.relkind IN ('r', 'p', 'v', 'm', 'f'))
  LOOP
    BEGIN
      EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA ${escapeFormat(inSchemas)} GRANT ${rights} ON TABLES TO ${escapeFormat(name)}', owner_name);
      EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA ${escapeFormat(inSchemas)} GRANT ${onSequences} ON SEQUENCES TO ${escapeFormat(name)}', owner_name);
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE NOTICE 'tables that % creates later need a GRANT of their own: you may not set its default privileges', owner_name;
    END;
  END LOOP;
END
$do$;

-- For whoever else connects as this role; postgres-mcp sets its own limits.
${isReader ? `ALTER ROLE ${name} SET default_transaction_read_only = on;` : `ALTER ROLE ${name} RESET default_transaction_read_only;`}
ALTER ROLE ${name} SET statement_timeout = '60s';
ALTER ROLE ${name} SET idle_in_transaction_session_timeout = '60s';

COMMIT;

-- The password, typed so that it is in no history and no log (psql): \\password ${name}
--
-- To read all schemas, also future ones, instead of those above (Postgres 14 and later): GRANT pg_read_all_data TO ${name};
-- It covers every table, view and sequence of the database, so choose it only where nothing must stay hidden. Row
-- security holds for it all the same.
--
-- For all findings of postgres_health (statements and sessions of others): GRANT pg_read_all_stats TO ${name};
--
-- Databases made before Postgres 15 let everybody create tables in the schema public. It concerns all roles, so decide
-- yourself: REVOKE CREATE ON SCHEMA public FROM PUBLIC;${
    isReader
      ? ''
      : `
--
-- CREATE, ALTER and DROP need the ownership of a table, which is not given here: ALTER TABLE … OWNER TO ${name};`
  }
`;
}

/** Always in quotes, because a keyword can be a name. */
function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function quoteText(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** A quoted name inside of the text constant that is format's pattern. */
function escapeFormat(name: string): string {
  return name.replaceAll("'", "''").replaceAll('%', '%%');
}
