/** The best known rival, for comparison: installed into a temporary folder that is removed with it, never a dependency. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What is installed. */
export const RIVAL = { name: 'dbhub 1.4.0', package: '@bytebase/dbhub@1.4.0' } as const;

/** How to start it; `missing` says why it could not be installed. */
export type Rival = { kind: 'installed'; args: readonly string[] } | { kind: 'missing'; reason: string };

const INSTALL_TIMEOUT_MS = 120_000;
const run = promisify(execFile);

/** Installs it below the folder and configures it like ours: read-only, the same caps, timeout and pool. */
export async function installRival(
  folder: string,
  url: string,
  poolSize: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Rival> {
  // Its own scripts are not run: it needs none.
  const args = ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', RIVAL.package];
  try {
    await run('npm', args, { cwd: folder, timeout: INSTALL_TIMEOUT_MS, env: { ...process.env, ...env } });
  } catch (error) {
    const lines = (error as { stderr?: string }).stderr?.trim().split('\n') ?? [];
    return { kind: 'missing', reason: lines.find((line) => /\berror\b/i.test(line)) ?? String(error) };
  }
  const config = join(folder, 'dbhub.toml');
  writeFileSync(config, describe(url, poolSize), { mode: 0o600 });
  const main = join(folder, 'node_modules/@bytebase/dbhub/dist/index.js');
  return { kind: 'installed', args: [main, '--transport', 'stdio', '--config', config] };
}

/** Its configuration file; the form of the keys is in its documentation ("TOML Configuration"). */
function describe(url: string, poolSize: number): string {
  return `
[[sources]]
id = "default"
dsn = ${JSON.stringify(`${url}?sslmode=disable`)}
query_timeout = 30
pool_max_connections = ${poolSize}

[[tools]]
name = "execute_sql"
source = "default"
readonly = true
max_rows = 100
`;
}
