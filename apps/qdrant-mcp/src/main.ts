/** The process: configuration, logger, database, serving, and an orderly end. */
import { ConfigError } from '@database-mcp/config';
import { serveMcp } from '@database-mcp/mcp-kit';
import { stopOnSignals } from '@database-mcp/service';
import { createLogger, startTelemetry } from '@database-mcp/telemetry';
import manifest from '../package.json' with { type: 'json' };
import { describeConfig, loadConfig } from './config.ts';
import { createDatabase } from './database.ts';
import { createTools } from './tools/index.ts';

const NAME = 'qdrant-mcp';
const INSTRUCTIONS =
  'Reads one Qdrant vector database. Begin with list_collections, then collection_info for vector size and payload keys.';
const ROLE_TIMEOUT_MS = 5_000;

try {
  const config = loadConfig({ env: process.env, argv: process.argv.slice(2) });
  const logger = await createLogger({ service: NAME, level: config.logLevel, pretty: process.stderr.isTTY === true });
  logger.info({ config: describeConfig(config) }, 'starting');
  const telemetry = await startTelemetry({
    service: NAME,
    version: manifest.version,
    host: config.host,
    settings: config,
    logger,
  });
  const database = createDatabase({ ...config, telemetry });
  const serving = await serveMcp({
    ...config,
    name: NAME,
    version: manifest.version,
    instructions: INSTRUCTIONS,
    tools: createTools(database, config),
    logger,
    telemetry,
    ready: () =>
      database.ping().then(
        () => ({ ready: true }),
        (error: Error) => ({ ready: false, reason: error.message }),
      ),
    stdio: { input: process.stdin, output: process.stdout },
  });
  const stop = async (): Promise<void> => {
    await serving.close();
    await database.close();
    await telemetry.close();
  };
  stopOnSignals(process, stop, (error) => logger.error({ err: error }, 'the end was not orderly'));
  void serving.ended.then(stop).then(() => process.exit(0));
  logger.info({ url: serving.url, transport: config.transport }, 'serving');
  await database.describeRole(AbortSignal.timeout(ROLE_TIMEOUT_MS)).then(
    (role) => logger.info({ role }, 'database role'),
    (error: Error) => logger.warn({ reason: error.message }, 'Qdrant cannot be used yet; calls will fail until it can'),
  );
} catch (error) {
  // What the person who starts it can mend needs no stack; a cause is there when the operating system said no.
  const isExpected = error instanceof ConfigError || (error instanceof Error && error.cause !== undefined);
  console.error(isExpected ? error.message : error);
  process.exit(1);
}
