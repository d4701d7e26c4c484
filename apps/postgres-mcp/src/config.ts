/** The settings of this server: the shared ones and how to reach Postgres. */
import { z } from 'zod';
import {
  redactSettings,
  redactUrl,
  type Setting,
  type SettingSources,
  type SettingValues,
  loadSettings,
} from '@database-mcp/config';
import { serverSettings } from '@database-mcp/mcp-kit';
import type { DatabaseOptions } from './database.ts';

const SETTINGS = {
  ...serverSettings({ instance: 'postgres', port: 8001 }),
  url: {
    env: 'POSTGRES_URL',
    secret: true,
    schema: z
      .string()
      .refine(
        (text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text),
        'it must look like postgresql://user:password@host:5432/database (special characters in the password as %XX)',
      )
      .optional(),
  },
  pgHost: { env: 'PGHOST', schema: z.string().default('localhost') },
  pgPort: {
    env: 'PGPORT',
    schema: z.coerce.number('it must be a port number').int().min(1).max(65_535).default(5432),
  },
  pgUser: { env: 'PGUSER', schema: z.string().default('postgres') },
  pgPassword: { env: 'PGPASSWORD', secret: true, schema: z.string().optional() },
  pgDatabase: { env: 'PGDATABASE', schema: z.string().optional() },
  poolSize: {
    env: 'POSTGRES_POOL_SIZE',
    schema: z.coerce.number('it must be a whole number from 1 to 100').int().min(1).max(100).default(5),
  },
} satisfies Record<string, Setting>;

/** The validated settings. */
export type Config = SettingValues<typeof SETTINGS>;

/** Reads the settings. Throws a ConfigError that lists every problem. */
export function loadConfig(sources: SettingSources): Config {
  return loadSettings(SETTINGS, sources);
}

/** The effective settings, fit for the log. With an URL the PG* variables have no effect and are left out. */
export function describeConfig(config: Config): Record<string, unknown> {
  const { url } = config;
  if (url === undefined) return redactSettings(SETTINGS, config);
  const replaced = {
    pgHost: undefined,
    pgPort: undefined,
    pgUser: undefined,
    pgPassword: undefined,
    pgDatabase: undefined,
  };
  return { ...redactSettings(SETTINGS, { ...config, ...replaced }), [SETTINGS.url.env]: redactUrl(url) };
}

/** The part of the settings that the database needs. */
export function toDatabaseOptions(config: Config): Omit<DatabaseOptions, 'applicationName'> {
  return {
    url: config.url,
    host: config.pgHost,
    port: config.pgPort,
    user: config.pgUser,
    password: config.pgPassword,
    database: config.pgDatabase,
    poolSize: config.poolSize,
    timeoutMs: config.timeoutMs,
  };
}
