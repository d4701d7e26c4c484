/** The server process: Postgres over MCP, by Streamable HTTP or standard input and output. */
import { failStart, runServer } from '@database-mcp/mcp-kit';
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

if (process.argv.includes(PRINT_ROLE_SQL)) {
  try {
    const sql = createRoleSql(readRoleSqlArguments(process.argv.slice(2)));
    await new Promise((resolve) => process.stdout.write(sql, resolve));
    process.exit(0);
  } catch (error) {
    failStart(process, error);
  }
}

await runServer(process, {
  name: NAME,
  version: manifest.version,
  loadConfig,
  describeConfig,
  async open({ config, logger, telemetry }) {
    const onConnectionLost = (reason: string): void => logger.warn(reason);
    const open = (target: Target): Database =>
      observeDatabase(
        createDatabase({ ...config, target, applicationName: NAME, onConnectionLost }),
        target,
        telemetry,
      );
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
    return {
      instructions: await introduce(database, logger, config.access),
      tools: createTools(database, config, writing),
      resourceTemplates: createResourceTemplates(database, config),
      ready: () => checkReadiness(database),
      close: () => database.close(),
    };
  },
});
