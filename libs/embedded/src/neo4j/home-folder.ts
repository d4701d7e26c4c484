/** The home folder of one Neo4j server: its configuration and its first password. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LOCAL_HOST } from '../ports.ts';

/** The only user of Neo4j Community. */
export const NEO4J_USERNAME = 'neo4j';

const HASH_ITERATIONS = 1024;
const SALT_BYTES = 32;

function createConfiguration(port: number): string {
  const address = `${LOCAL_HOST}:${port}`;
  return `# Written at every start; changes are lost.
server.default_listen_address=${LOCAL_HOST}
server.bolt.enabled=true
server.bolt.listen_address=${address}
server.bolt.advertised_address=${address}
server.bolt.tls_level=DISABLED
server.bolt.telemetry.enabled=false
# Without these two LOAD CSV reads any file of this machine, even in a read session.
server.directories.import=import
dbms.security.allow_csv_import_from_file_urls=false
# Two waits of 5 seconds at every stop otherwise.
internal.dbms.bolt.netty_server_shutdown_quiet_period=0
server.http.enabled=false
server.https.enabled=false
server.memory.pagecache.size=64m
dbms.security.auth_enabled=true
dbms.usage_report.enabled=false
client.allow_telemetry=false
db.transaction.timeout=60s
db.tx_log.preallocate=false
db.tx_log.rotation.retention_policy=keep_none
db.tx_log.rotation.size=16m
db.logs.query.enabled=OFF
`;
}

function toHex(bytes: Buffer): string {
  return bytes.toString('hex').toUpperCase();
}

/** The line of auth.ini with which Neo4j sets the password at its first boot. */
export function createAuthLine(password: string): string {
  const salt = randomBytes(SALT_BYTES);
  let hash = createHash('sha256').update(salt).update(password).digest();
  for (let round = 1; round < HASH_ITERATIONS; round += 1) hash = createHash('sha256').update(hash).digest();
  return `${NEO4J_USERNAME}:SHA-256,${toHex(hash)},${toHex(salt)},${HASH_ITERATIONS}:\n`;
}

/** Whether a server has run in this home folder. */
export async function hasGraph(folder: string): Promise<boolean> {
  return await stat(join(folder, 'data', 'databases')).then(
    () => true,
    () => false,
  );
}

/** Writes the folders and files that the server reads at its start. */
export async function prepareHomeFolder(folder: string, port: number, password: string): Promise<void> {
  for (const name of ['conf', 'data/dbms', 'logs', 'plugins', 'import']) {
    await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
  }
  await writeFile(join(folder, 'conf', 'neo4j.conf'), createConfiguration(port), { mode: 0o600 });
  try {
    await writeFile(join(folder, 'data', 'dbms', 'auth.ini'), createAuthLine(password), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    // It stays from the first boot and is not looked at again.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
