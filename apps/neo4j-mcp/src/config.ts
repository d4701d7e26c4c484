/** The settings of this server: those that all database servers share, and where Neo4j is. */
import { loadSettings, redactSettings, redactUrl, type SettingSources, type SettingValues } from '@database-mcp/config';
import { serverSettings } from '@database-mcp/mcp-kit';
import { z } from 'zod';

const EXAMPLE = 'bolt://127.0.0.1:7687 or neo4j+s://name.example.com';

/** What is wrong with an address, or undefined. */
function validateUri(text: string): string | undefined {
  const url = URL.parse(text);
  if (!url || !/^(bolt|neo4j)(\+s|\+ssc)?:$/.test(url.protocol) || !url.host) return `it must look like ${EXAMPLE}`;
  if (url.username || url.password) {
    return 'it must hold no user name or password; put them in NEO4J_USERNAME and NEO4J_PASSWORD';
  }
  if (url.search || url.hash || url.pathname.length > 1) {
    return 'it must end after the port; the name of the database goes in NEO4J_DATABASE';
  }
  return undefined;
}

const uri = z.string(`it must be set to the address of Neo4j, such as ${EXAMPLE}`).check((context) => {
  const message = validateUri(context.value);
  if (message) context.issues.push({ code: 'custom', input: context.value, message });
});

const SETTINGS = {
  ...serverSettings({ instance: 'neo4j', port: 8003 }),
  // Secret because a person may have written a password into it, which the error message must not repeat.
  uri: { env: 'NEO4J_URI', schema: uri, secret: true },
  username: { env: 'NEO4J_USERNAME', schema: z.string().min(1).default('neo4j') },
  password: { env: 'NEO4J_PASSWORD', schema: z.string().optional(), secret: true },
  database: { env: 'NEO4J_DATABASE', schema: z.string().min(1).optional() },
};

/** The effective configuration. */
export type Config = SettingValues<typeof SETTINGS>;

/** Reads the configuration; throws one ConfigError that lists every problem. */
export function loadConfig(sources: SettingSources): Config {
  return loadSettings(SETTINGS, sources);
}

/** The configuration as the log may show it. */
export function describeConfig(config: Config): Record<string, unknown> {
  return { ...redactSettings(SETTINGS, config), NEO4J_URI: redactUrl(config.uri) };
}
