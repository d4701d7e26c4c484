/** The rights inside the embedded Postgres: one administrator, one role that can only read. */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { Client } from 'pg';

/** The superuser, for loading data. */
export const ADMIN_ROLE = 'postgres';
/** The role that servers use. */
export const READER_ROLE = 'mcp_reader';

// The defaults of Postgres (scram_iterations; a salt of 16 bytes).
const SCRAM_ITERATIONS = 4096;
const SCRAM_SALT_BYTES = 16;

/** The stored form of a password (RFC 5803), so that the password itself is in no statement that could be logged. */
export function createScramVerifier(password: string): string {
  const salt = randomBytes(SCRAM_SALT_BYTES);
  const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const storedKey = createHash('sha256').update(clientKey).digest('base64');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

/** Creates the reading role when it is not there; the same rights again otherwise. */
export async function createReaderRole(admin: Client, readerPassword: string): Promise<void> {
  const { rowCount } = await admin.query('SELECT FROM pg_roles WHERE rolname = $1', [READER_ROLE]);
  const rights = 'LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS';
  await admin.query(`
    BEGIN;
    ${rowCount === 0 ? `CREATE ROLE ${READER_ROLE} ${rights} PASSWORD '${createScramVerifier(readerPassword)}';` : ''}
    ALTER ROLE ${READER_ROLE} SET default_transaction_read_only = on;
    REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC;
    GRANT USAGE ON SCHEMA public TO ${READER_ROLE};
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${READER_ROLE};
    GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO ${READER_ROLE};
    ALTER DEFAULT PRIVILEGES FOR ROLE ${ADMIN_ROLE} IN SCHEMA public GRANT SELECT ON TABLES TO ${READER_ROLE};
    ALTER DEFAULT PRIVILEGES FOR ROLE ${ADMIN_ROLE} IN SCHEMA public GRANT SELECT ON SEQUENCES TO ${READER_ROLE};
    COMMIT`);
}
