/** The settings of this server: those that all database servers share, and where Qdrant is. */
import { loadSettings, redactSettings, redactUrl, type SettingSources, type SettingValues } from '@database-mcp/config';
import { serverSettings } from '@database-mcp/mcp-kit';
import { z } from 'zod';

/** What is wrong with an address, or undefined. */
function validateUrl(text: string): string | undefined {
  const url = URL.parse(text);
  if (!url || !['http:', 'https:'].includes(url.protocol)) return 'it must look like http://127.0.0.1:6333';
  if (url.username || url.password) return 'it must hold no user name or password; put the key in QDRANT_API_KEY';
  if (url.search || url.hash) return 'it must have no query and no fragment';
  return undefined;
}

const url = z.string('it must be set to the address of Qdrant, such as http://127.0.0.1:6333').check((context) => {
  const message = validateUrl(context.value);
  if (message) context.issues.push({ code: 'custom', input: context.value, message });
});

const SETTINGS = {
  ...serverSettings({ instance: 'qdrant', port: 8002 }),
  // Secret because a person may have written a password into it, which the error message must not repeat.
  url: { env: 'QDRANT_URL', schema: url, secret: true },
  apiKey: {
    env: 'QDRANT_API_KEY',
    schema: z
      .string()
      .regex(/^[\x21-\x7e]+$/, 'it must be printable ASCII without blanks or line breaks')
      .optional(),
    secret: true,
  },
};

/** The effective configuration. */
export type Config = SettingValues<typeof SETTINGS>;

/** Reads the configuration; throws one ConfigError that lists every problem. */
export function loadConfig(sources: SettingSources): Config {
  return loadSettings(SETTINGS, sources);
}

/** The configuration as the log may show it. */
export function describeConfig(config: Config): Record<string, unknown> {
  return { ...redactSettings(SETTINGS, config), QDRANT_URL: redactUrl(config.url) };
}
