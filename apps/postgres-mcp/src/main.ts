/** The server process: Postgres over MCP, by Streamable HTTP or standard input and output. */
import { ConfigError } from '@database-mcp/config';
import { serveMcp } from '@database-mcp/mcp-kit';
import { stopOnSignals } from '@database-mcp/service';
import { createLogger, startTelemetry } from '@database-mcp/telemetry';
import manifest from '../package.json' with { type: 'json' };
import { describeConfig, loadConfig } from './config.ts';
import type { Target } from './connection/target.ts';
import { createDatabase, type Database } from './database.ts';
import { observeDatabase } from './observed-database.ts';
import { checkReadiness } from './readiness.ts';
import { createResourceTemplates } from './resources.ts';
import { createReplicatedDatabase } from './replica.ts';
import { createRoleSql, PRINT_ROLE_SQL, readRoleSqlArguments } from './role-sql.ts';
import { introduce } from './role.ts';
import { createTools } from './tools/index.ts';
import { createConfirmations } from './write/confirmation.ts';

const NAME = 'postgres-mcp';

try {
  const argv = process.argv.slice(2);
  if (argv.includes(PRINT_ROLE_SQL)) {
    const sql = createRoleSql(readRoleSqlArguments(argv));
    await new Promise((resolve) => process.stdout.write(sql, resolve));
    process.exit(0);
  }
  const config = loadConfig({ env: process.env, argv });
  const logger = await createLogger({ service: NAME, level: config.logLevel, pretty: process.stderr.isTTY === true });
  logger.info({ config: describeConfig(config) }, 'starting');
  const telemetry = await startTelemetry({
    service: NAME,
    version: manifest.version,
    host: config.host,
    settings: config,
    logger,
  });
  const onConnectionLost = (reason: string): void => logger.warn(reason);
  const open = (target: Target): Database =>
    observeDatabase(createDatabase({ ...config, target, applicationName: NAME, onConnectionLost }), target, telemetry);
  const primary = open(config.target);
  const database = config.replica
    ? createReplicatedDatabase({
        primary,
        replica: open(config.replica),
        onFallback: (reason) => logger.warn(`Reading from the primary instead of the replica: ${reason}`),
      })
    : primary;
  const writing =
    config.access === 'write'
      ? { confirmations: createConfirmations(config.confirmKey), instance: config.instance }
      : undefined;
  if (writing && config.confirmKey === undefined) {
    logger.info('POSTGRES_CONFIRM_KEY is not set: a confirmation is valid in this process only, until it ends');
  }
  const serving = await serveMcp({
    ...config,
    name: NAME,
    version: manifest.version,
    instructions: await introduce(database, logger, config.access),
    tools: createTools(database, config, writing),
    resourceTemplates: createResourceTemplates(database, config),
    ready: () => checkReadiness(database),
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
  // Said last: whoever waits for this line may send a signal at once.
  logger.info({ url: serving.url ?? 'stdio' }, 'serving');
} catch (error) {
  // A configuration or a port that can be mended needs no stack.
  const isExpected = error instanceof ConfigError || (error instanceof Error && error.cause !== undefined);
  console.error(isExpected ? error.message : error);
  process.exit(1);
}
