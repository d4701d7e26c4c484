/** The settings that all database servers share. */
import { z } from 'zod';
import type { Setting } from '@database-mcp/config';
import { LOG_LEVELS, TELEMETRY_SETTINGS } from '@database-mcp/telemetry';

const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean),
  );

const whole = (minimum: number, maximum: number, fallback: number) =>
  z.coerce
    .number(`it must be a whole number from ${minimum} to ${maximum}`)
    .int()
    .min(minimum)
    .max(maximum)
    .default(fallback);

/** The shared table; `instance` and `port` are the defaults of the database at hand. */
export function serverSettings(defaults: { instance: string; port: number }) {
  return {
    transport: {
      env: 'MCP_TRANSPORT',
      flag: 'transport',
      schema: z.enum(['streamable-http', 'stdio']).default('streamable-http'),
    },
    host: { env: 'MCP_HOST', flag: 'host', schema: z.string().min(1).default('127.0.0.1') },
    port: { env: 'MCP_PORT', flag: 'port', schema: whole(0, 65_535, defaults.port) },
    instance: {
      env: 'MCP_INSTANCE',
      flag: 'instance',
      schema: z
        .string()
        .regex(
          /^[a-z][a-z0-9_-]{0,30}$/,
          'it must be 1 to 31 of a-z, 0-9, _ and -, beginning with a letter: it is the prefix of the tool names',
        )
        .default(defaults.instance),
    },
    logLevel: { env: 'LOG_LEVEL', schema: z.enum(LOG_LEVELS).default('info') },
    allowedHosts: { env: 'MCP_ALLOWED_HOSTS', schema: list },
    allowedOrigins: { env: 'MCP_ALLOWED_ORIGINS', schema: list },
    maxRows: { env: 'MCP_MAX_ROWS', schema: whole(1, 100_000, 1_000) },
    maxBytes: { env: 'MCP_MAX_BYTES', schema: whole(1_000, 10_000_000, 100_000) },
    maxCellBytes: { env: 'MCP_MAX_CELL_BYTES', schema: whole(100, 1_000_000, 10_000) },
    auditLog: { env: 'MCP_AUDIT_LOG', schema: z.string().min(1).optional() },
    traceContent: {
      env: 'MCP_TRACE_CONTENT',
      schema: z
        .enum(['true', 'false'], 'it must be true or false')
        .default('false')
        .transform((text) => text === 'true'),
    },
    ...TELEMETRY_SETTINGS,
    timeoutMs: { env: 'MCP_TIMEOUT_MS', schema: whole(100, 600_000, 30_000) },
  } satisfies Record<string, Setting>;
}
