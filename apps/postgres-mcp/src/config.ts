/** The settings of this server: the shared ones, and how to reach Postgres, which are read as libpq reads them. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import {
  ConfigError,
  redactSettings,
  type Setting,
  type SettingSources,
  type SettingValues,
  loadSettings,
} from '@database-mcp/config';
import { serverSettings } from '@database-mcp/mcp-kit';
import { describeTarget, parseUrl, toTarget, type Parameters, type Target } from './connection/target.ts';

const SETTINGS = {
  ...serverSettings({ instance: 'postgres', port: 8001 }),
  poolSize: {
    env: 'POSTGRES_POOL_SIZE',
    schema: z.coerce.number('it must be a whole number from 1 to 100').int().min(1).max(100).default(5),
  },
  access: { env: 'POSTGRES_ACCESS', schema: z.enum(['read', 'write'], 'it must be read or write').default('read') },
  confirmKey: {
    env: 'POSTGRES_CONFIRM_KEY',
    secret: true,
    schema: z.string().min(32, 'it must have at least 32 characters; `openssl rand -base64 32` makes one').optional(),
  },
} satisfies Record<string, Setting>;

const text = z.string().optional();

const URLS = {
  url: { env: 'POSTGRES_URL', secret: true, schema: text },
  replicaUrl: { env: 'POSTGRES_REPLICA_URL', secret: true, schema: text },
} satisfies Record<string, Setting>;

/** What a connection URL leaves out; by the names that it has in one. */
const VARIABLES = {
  host: { env: 'PGHOST', schema: text },
  port: { env: 'PGPORT', schema: text },
  user: { env: 'PGUSER', schema: text },
  password: { env: 'PGPASSWORD', secret: true, schema: text },
  dbname: { env: 'PGDATABASE', schema: text },
  sslmode: { env: 'PGSSLMODE', schema: text },
  sslrootcert: { env: 'PGSSLROOTCERT', schema: text },
  sslcert: { env: 'PGSSLCERT', schema: text },
  sslkey: { env: 'PGSSLKEY', schema: text },
  target_session_attrs: { env: 'PGTARGETSESSIONATTRS', schema: text },
  application_name: { env: 'PGAPPNAME', schema: text },
  options: { env: 'PGOPTIONS', schema: text },
} satisfies Record<keyof Parameters, Setting>;

/** The validated settings. */
export type Config = SettingValues<typeof SETTINGS> & {
  target: Target;
  /** Where queries go when it is given. */
  replica?: Target;
};

/** Reads the settings. Throws a ConfigError that lists every problem. */
export function loadConfig(sources: SettingSources): Config {
  const problems: string[] = [];
  const settings = collect(() => loadSettings(SETTINGS, sources), problems);
  // Flags are those of the settings above.
  const urls = collect(() => loadSettings(URLS, { ...sources, argv: [] }), problems);
  const variables = collect(() => loadSettings(VARIABLES, { ...sources, argv: [] }), problems) ?? {};
  const readFile = sources.readFile ?? ((path: string) => readFileSync(path, 'utf8'));
  const primary = readTarget(URLS.url.env, urls?.url, variables, readFile, problems);
  // A replica has a place of its own; who connects to it, and how, is the same unless its URL says otherwise.
  const { host: _host, port: _port, target_session_attrs: _attrs, ...shared } = primary.parameters;
  const replica =
    urls?.replicaUrl === undefined
      ? undefined
      : readTarget(URLS.replicaUrl.env, urls.replicaUrl, shared, readFile, problems).target;
  if (!settings || problems.length > 0) throw new ConfigError('The configuration', [...new Set(problems)]);
  return { ...settings, target: primary.target, replica };
}

function collect<T>(read: () => T, problems: string[]): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

/** The target of a URL, completed by `others`; problems name the URL or the variable that holds the mistake. */
function readTarget(
  env: string,
  url: string | undefined,
  others: Parameters,
  readFile: (path: string) => string,
  problems: string[],
): { target: Target; parameters: Parameters } {
  const own = url === undefined ? { parameters: {}, problems: [] } : parseUrl(url);
  const parameters: Parameters = { ...others, ...own.parameters };
  const found = toTarget(parameters, readFile);
  problems.push(...own.problems.map((problem) => `${env} (its value is not shown): ${problem}`));
  for (const { parameter, message } of found.problems) {
    const isOfUrl = own.parameters[parameter] !== undefined;
    problems.push(isOfUrl ? `${env}: its ${parameter} ${message}` : `${VARIABLES[parameter].env} ${message}`);
  }
  return { target: found.target, parameters };
}

/** The effective settings, fit for the log. */
export function describeConfig(config: Config): Record<string, unknown> {
  return {
    ...redactSettings(SETTINGS, config),
    [URLS.url.env]: describeTarget(config.target),
    ...(config.replica ? { [URLS.replicaUrl.env]: describeTarget(config.replica) } : {}),
  };
}
