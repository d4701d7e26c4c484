/** What the gateway can be told: `gateway.yaml`, and over it the environment and the command line. */
import { ConfigError, loadConfigFile, loadSettings, redactSettings } from '@database-mcp/config';
import { LOG_LEVELS, TELEMETRY_SETTINGS, type LogLevel, type TelemetrySettings } from '@database-mcp/telemetry';
import { z } from 'zod';

/** Requests larger than this are no queries; the SDK's own endpoint has the same default. */
const DEFAULT_MAX_BODY_BYTES = 4 * 1024 * 1024;
/** Proxies commonly end streams that are quiet for 30 to 60 s. */
const DEFAULT_KEEP_ALIVE_MS = 15_000;
/** A query is small; who needs longer for one holds connections open. */
const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
/** Real installations have tens of tools; one page serves them without a second request. */
const DEFAULT_PAGE_SIZE = 1_000;
const DEFAULT_PORT = 8000;
const MAX_PORT = 65_535;

const upstreamSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9_-]{1,32}$/, 'must be 1 to 32 of a-z, 0-9, _ and -')
      .describe('Name of the database, as clients see it in errors and in list_services'),
    url: z
      .string()
      .refine(isHttpUrl, 'must be an http:// or https:// URL, for example http://127.0.0.1:8001/mcp')
      .optional()
      .describe('MCP endpoint of the server (Streamable HTTP, or the deprecated HTTP+SSE)'),
    transport: z
      .enum(['auto', 'streamable-http', 'sse'])
      .default('auto')
      .describe('How the server at the url is spoken to; "auto" finds out'),
    era: z
      .enum(['auto', '2026-07-28', 'legacy'])
      .default('auto')
      .describe('The revisions that the server speaks; "legacy" begins with initialize, "auto" finds out'),
    command: z
      .string()
      .min(1)
      .optional()
      .describe('Program of a server on standard input and output, instead of a url; run without a shell'),
    args: z
      .array(z.string())
      .default([])
      .describe('Arguments of the command; they are not shown in logs, since many take a secret that way'),
    env: z
      .record(z.string().regex(/^[^=\0]+$/, 'must be the name of an environment variable'), z.string())
      .default({})
      .describe('Environment variables of the command, besides PATH, HOME and the like; values are secret'),
    cwd: z.string().min(1).optional().describe('Folder in which the command runs'),
    prefix: z
      .string()
      .regex(/^[A-Za-z0-9_-]{0,32}$/, 'must be at most 32 of A-Z, a-z, 0-9, _ and -')
      .optional()
      .describe('Prefix of the published tool names; default "<name>_", may be empty'),
    rewriteUris: z
      .boolean()
      .default(false)
      .describe(
        'Publish the resource URIs of this server with its name in front ("<name>+<uri>", user interfaces as ' +
          '"ui://<name>/…"): for a server whose URIs another one uses too',
      ),
    headers: z
      .record(
        z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be an HTTP header name'),
        z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'has characters that an HTTP header cannot hold'),
      )
      .default({})
      .describe('Headers sent to this server on every request, for example its own credential; values are secret'),
    timeoutMs: z.int().min(100).max(3_600_000).default(60_000).describe('Deadline of one call'),
    askTimeoutMs: z
      .int()
      .min(100)
      .max(3_600_000)
      .default(300_000)
      .describe(
        'How long a client may take to answer what the server asks during a call; the deadline does not run then',
      ),
    maxConcurrency: z.int().min(1).max(10_000).default(64).describe('Calls in progress at the server at one time'),
    maxQueue: z.int().min(0).max(100_000).default(256).describe('Calls that may wait for their turn; more are refused'),
  })
  .superRefine((upstream, context) => {
    for (const [key, message] of findMisfits(upstream)) context.addIssue({ code: 'custom', path: [key], message });
  })
  .transform((upstream) => ({
    ...upstream,
    prefix: upstream.prefix ?? `${upstream.name}_`,
    // A command has no address; its name stands for one wherever addresses are told or compared.
    url: upstream.url ?? `stdio:${upstream.name}`,
  }));

interface UpstreamForm {
  name: string;
  rewriteUris: boolean;
  url?: string;
  command?: string;
  cwd?: string;
  args: readonly string[];
  env: object;
  headers: object;
  transport: string;
}

/** Keys that contradict each other, with what to do about it. */
function* findMisfits(upstream: UpstreamForm): Generator<[string, string]> {
  const { url, command } = upstream;
  if (upstream.rewriteUris && !/^[a-z][a-z0-9-]*$/.test(upstream.name)) {
    yield ['rewriteUris', 'puts the name before URIs, so the name must begin with a letter and hold no underscore'];
  }
  if (url === undefined && command === undefined) {
    yield ['url', 'is missing: give the url of the server, or the command that starts it'];
  }
  if (command === undefined) {
    if (upstream.args.length > 0) yield ['args', 'needs a command; remove it, or give a command instead of the url'];
    if (Object.keys(upstream.env).length > 0) yield ['env', 'needs a command; a server at a url takes headers'];
    if (upstream.cwd !== undefined) yield ['cwd', 'needs a command; remove it'];
    return;
  }
  if (url !== undefined) yield ['command', 'and url exclude each other: remove one of them'];
  if (Object.keys(upstream.headers).length > 0) yield ['headers', 'need a url; a command takes env'];
  if (upstream.transport !== 'auto') yield ['transport', 'needs a url; a command speaks over its standard input'];
}

/** Schema of `gateway.yaml`; published as `gateway.schema.json`. */
export const gatewayFileSchema = z
  .strictObject({
    $schema: z.string().optional().describe('For editors'),
    host: z.string().min(1).default('127.0.0.1').describe('Address to listen on'),
    port: z.int().min(0).max(MAX_PORT).default(DEFAULT_PORT).describe('Port to listen on; 0 takes a free one'),
    allowedHosts: z.array(z.string().min(1)).default([]).describe('Further names in the Host header; "*" admits all'),
    allowedOrigins: z.array(z.string().min(1)).default([]).describe('Further browser origins'),
    maxBodyBytes: z
      .int()
      .min(1_024)
      .max(1_073_741_824)
      .default(DEFAULT_MAX_BODY_BYTES)
      .describe('Largest request body'),
    keepAliveMs: z
      .int()
      .min(50)
      .max(600_000)
      .default(DEFAULT_KEEP_ALIVE_MS)
      .describe('An event stream that was quiet for this long gets a comment, so that proxies keep it open'),
    requestTimeoutMs: z
      .int()
      .min(100)
      .max(3_600_000)
      .default(DEFAULT_REQUEST_TIMEOUT_MS)
      .describe(
        'A request must have arrived whole within this time (its headers within 10 s at most), and an answer must not ' +
          'wait longer for a client that does not read it; else the connection is closed',
      ),
    pageSize: z
      .int()
      .min(1)
      .max(10_000)
      .default(DEFAULT_PAGE_SIZE)
      .describe('Items on one page of a list; clients ask for the next page with a cursor'),
    cacheDirectory: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Folder that keeps the last lists of every server, so that a gateway that starts while one is down still ' +
          'lists its tools; without it nothing is kept between runs',
      ),
    metricsPort: z
      .int()
      .min(0)
      .max(MAX_PORT)
      .optional()
      .describe('Port of the metrics for Prometheus, at /metrics; 0 takes a free one, without it there are none'),
    upstreams: z
      .array(upstreamSchema)
      .min(1, 'must list at least one server')
      .describe('The servers, one per database'),
  })
  .superRefine(({ upstreams }, context) => {
    for (const [index, { name }] of upstreams.entries()) {
      const first = upstreams.findIndex((other) => other.name === name);
      if (first === index) continue;
      const message = `upstreams[${first}] has the name ${JSON.stringify(name)} too; names must differ`;
      context.addIssue({ code: 'custom', path: ['upstreams', index, 'name'], message });
    }
  });

/** The effective configuration of a gateway. */
export type GatewayConfig = Omit<z.output<typeof gatewayFileSchema>, '$schema'> & {
  logLevel: LogLevel;
  telemetry: TelemetrySettings;
};

/** The effective configuration of one upstream. */
export type UpstreamConfig = GatewayConfig['upstreams'][number];

/** Environment and command line of the process. */
export interface ConfigSources {
  env: Readonly<Record<string, string | undefined>>;
  argv: readonly string[];
}

const port = z.coerce.number('must be a port number').int().min(0).max(MAX_PORT).optional();

const SETTINGS = {
  config: {
    env: 'GATEWAY_CONFIG',
    flag: 'config',
    schema: z
      .string('no configuration file is named: start with --config gateway.yaml (or set GATEWAY_CONFIG)')
      .min(1, 'must be the path of a file'),
  },
  port: { env: 'MCP_PORT', flag: 'port', schema: port },
  host: { env: 'MCP_HOST', flag: 'host', schema: z.string().min(1).optional() },
  logLevel: { env: 'LOG_LEVEL', flag: 'log-level', schema: z.enum(LOG_LEVELS).default('info') },
  ...TELEMETRY_SETTINGS,
};

/** Reads the configuration: flag over environment over file over default. Throws one error that lists every problem. */
export function loadGatewayConfig(sources: ConfigSources): GatewayConfig {
  const settings = collect(() => loadSettings(SETTINGS, sources));
  // The file is read even if a flag is wrong, so that all problems are told at once.
  const path = settings.kind === 'value' ? settings.value.config : findConfigPath(sources);
  const file = path === undefined ? undefined : collect(() => loadConfigFile(path, gatewayFileSchema, sources.env));
  if (settings.kind === 'error') {
    const more = file?.kind === 'error' ? file.error.problems.map((problem) => `${path}: ${problem}`) : [];
    throw new ConfigError('The configuration', [...settings.error.problems, ...more]);
  }
  if (file?.kind !== 'value') throw file?.error ?? new ConfigError('The configuration', ['no file is named']);
  const { config: _path, host, port: listenPort, logLevel, ...telemetry } = settings.value;
  const { $schema: _schema, ...values } = file.value;
  const upstreams = values.upstreams.map((upstream) => withInheritedEnv(upstream, sources.env));
  const metricsPort = telemetry.metricsPort ?? values.metricsPort;
  return {
    ...values,
    upstreams,
    host: host ?? values.host,
    port: listenPort ?? values.port,
    logLevel,
    telemetry: { ...telemetry, metricsPort },
  };
}

/** What programs need to run at all; the gateway's other variables (its secrets among them) are not for commands. */
const INHERITED_ENV = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'TERM', 'LANG', 'TMPDIR', 'TZ'];

function withInheritedEnv(upstream: UpstreamConfig, env: ConfigSources['env']): UpstreamConfig {
  if (upstream.command === undefined) return upstream;
  const inherited: Record<string, string> = {};
  for (const name of INHERITED_ENV) {
    const value = env[name];
    if (value !== undefined) inherited[name] = value;
  }
  return { ...upstream, env: { ...inherited, ...upstream.env } };
}

/** The effective configuration, fit for the log. */
export function redactConfig(config: GatewayConfig): object {
  const upstreams = config.upstreams.map((upstream) => ({
    ...upstream,
    url: withoutCredentials(upstream.url),
    // Many commands take their key as an argument, and nothing tells which one it is.
    args: upstream.args.map(() => '***'),
    headers: Object.fromEntries(Object.keys(upstream.headers).map((name) => [name, '***'])),
    env: Object.fromEntries(Object.keys(upstream.env).map((name) => [name, '***'])),
  }));
  return { ...config, upstreams, telemetry: redactSettings(TELEMETRY_SETTINGS, config.telemetry) };
}

/** The URL without user, password, query and fragment: fit for clients. */
export function withoutCredentials(text: string): string {
  const url = new URL(text);
  if (url.protocol === 'stdio:') return text;
  return `${url.origin}${url.pathname}`;
}

type Collected<T> = { kind: 'value'; value: T } | { kind: 'error'; error: ConfigError };

function collect<T>(load: () => T): Collected<T> {
  try {
    return { kind: 'value', value: load() };
  } catch (error) {
    if (error instanceof ConfigError) return { kind: 'error', error };
    throw error;
  }
}

/** The path of the configuration file that the sources name, or undefined. */
export function findConfigPath(sources: ConfigSources): string | undefined {
  const at = sources.argv.indexOf('--config');
  const joined = sources.argv.find((argument) => argument.startsWith('--config='));
  const flag = at === -1 ? joined?.slice('--config='.length) : sources.argv[at + 1];
  return flag ?? sources.env['GATEWAY_CONFIG'];
}

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return (protocol === 'http:' || protocol === 'https:') && hostname !== '';
}
