/**
 * A database server as a process, from its settings to an orderly end. What is the database's own, its `main.ts` says:
 * the name, the settings, and what {@link ServerProgram.open} gives.
 */
import type { Readable, Writable } from 'node:stream';
import { inspect } from 'node:util';
import { ConfigError, type SettingSources, type SettingValues } from '@database-mcp/config';
import { stopOnSignals, type Readiness, type SignalSource } from '@database-mcp/service';
import { createLogger, startTelemetry, type Logger, type Telemetry } from '@database-mcp/telemetry';
import { serveMcp, type ServeOptions } from './serve-mcp.ts';
import type { serverSettings } from './server-settings.ts';

/** The part of `process` that a server needs. */
export interface ServerProcess extends SignalSource {
  readonly env: NodeJS.ProcessEnv;
  readonly argv: string[];
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean };
}

/** The settings that all database servers share, as they were read. */
export type ServerConfig = SettingValues<ReturnType<typeof serverSettings>>;

/** What a database server is made of. */
export interface ServerProgram<C extends ServerConfig> {
  /** `postgres-mcp`. */
  name: string;
  version: string;
  loadConfig(sources: SettingSources): C;
  /** The configuration as the log may show it. */
  describeConfig(config: C): Record<string, unknown>;
  open(parts: { config: C; logger: Logger; telemetry: Telemetry }): OpenedDatabase | Promise<OpenedDatabase>;
}

/** A database and what is served of it. It need not be reachable yet. */
export interface OpenedDatabase extends Pick<ServeOptions, 'instructions' | 'tools' | 'resourceTemplates' | 'ready'> {
  /** For the log, once it is served: which server it is, and what the role there may do. */
  describeRole?(signal: AbortSignal): Promise<object>;
  close(): Promise<void>;
}

const ROLE_TIMEOUT_MS = 5_000;

/** Runs the server until a signal comes or its client closes standard input; ends the process when it cannot start. */
export async function runServer<C extends ServerConfig>(
  process: ServerProcess,
  program: ServerProgram<C>,
): Promise<void> {
  try {
    await start(process, program);
  } catch (error) {
    failStart(process, error);
  }
}

/** Says on standard error why the process cannot do its work, and ends it. */
export function failStart(process: Pick<ServerProcess, 'stderr' | 'exit'>, error: unknown): never {
  // What the person who starts it can mend needs no stack; a cause is there when the operating system said no.
  const isExpected = error instanceof ConfigError || (error instanceof Error && error.cause !== undefined);
  process.stderr.write(`${isExpected ? error.message : inspect(error)}\n`);
  process.exit(1);
}

/** Whether the database can be used now, by its `ping`, whose rejection is fit for people who only see the server. */
export function checkReadiness(database: { ping(): Promise<void> }): Promise<Readiness> {
  return database.ping().then(
    () => ({ ready: true }),
    (error: Error) => ({ ready: false, reason: error.message }),
  );
}

async function start<C extends ServerConfig>(process: ServerProcess, program: ServerProgram<C>): Promise<void> {
  const { name, version } = program;
  const config = program.loadConfig({ env: process.env, argv: process.argv.slice(2) });
  const logger = await createLogger({
    service: name,
    level: config.logLevel,
    pretty: process.stderr.isTTY === true,
  });
  logger.info({ config: program.describeConfig(config) }, 'starting');
  const telemetry = await startTelemetry({ service: name, version, host: config.host, settings: config, logger });
  const database = await program.open({ config, logger, telemetry });
  const { instructions, tools, resourceTemplates, ready } = database;
  const serving = await serveMcp({
    ...config,
    name,
    version,
    instructions,
    tools,
    resourceTemplates,
    ready,
    stdio: { input: process.stdin, output: process.stdout },
    logger,
    telemetry,
  });
  const stop = async (): Promise<void> => {
    await serving.close();
    await database.close();
    await telemetry.close();
  };
  stopOnSignals(process, stop, (error) => logger.error({ err: error }, 'the end was not orderly'));
  void serving.ended.then(stop).then(() => process.exit(0));
  // After the signals: whoever waits for this line may send one at once.
  logger.info({ url: serving.url, transport: config.transport }, 'serving');
  await database.describeRole?.(AbortSignal.timeout(ROLE_TIMEOUT_MS)).then(
    (role) => logger.info({ role }, 'database role'),
    ({ message: reason }: Error) =>
      logger.warn({ reason }, 'the database cannot be used yet; calls will fail until it can'),
  );
}
