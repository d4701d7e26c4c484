/** Starts the Neo4j MCP server from the environment and the command line. */
import { serveMcp } from '@database-mcp/mcp-kit';
import { stopOnSignals } from '@database-mcp/service';
import { createLogger, type Logger } from '@database-mcp/telemetry';
import packageJson from '../package.json' with { type: 'json' };
import { loadConfig, redactConfig, type Config } from './config.ts';
import { createDatabase } from './database.ts';
import { checkReadiness } from './readiness.ts';
import { createTools } from './tools/index.ts';

const NAME = 'neo4j-mcp';
const INSTRUCTIONS =
  'Reads a Neo4j graph with Cypher. Begin with CALL db.labels() and CALL db.relationshipTypes(), or list the nodes of a ' +
  'label to see their properties. Nothing can be changed.';

async function start(config: Config, logger: Logger): Promise<void> {
  const database = createDatabase(config);
  const { maxRows, maxBytes, maxCellBytes } = config;
  const serving = await serveMcp({
    ...config,
    name: NAME,
    version: packageJson.version,
    instructions: INSTRUCTIONS,
    tools: createTools(database, { maxRows, maxBytes, maxCellBytes }),
    logger,
    ready: () => checkReadiness(database),
    stdio: { input: process.stdin, output: process.stdout },
  });
  const stop = async (): Promise<void> => {
    await serving.close();
    await database.close();
  };
  stopOnSignals(process, stop, (err) => logger.error({ err }, 'the end was not orderly'));
  logger.info({ url: serving.url, config: redactConfig(config) }, 'serving');
  database.describeRole(AbortSignal.timeout(config.timeoutMs)).then(
    (role) => logger.info(role, 'connected'),
    (error: Error) => logger.warn({ reason: error.message }, 'Neo4j cannot be used now; calls will try again'),
  );
  await serving.ended;
  await stop();
  process.exit(0);
}

try {
  const config = loadConfig({ env: process.env, argv: process.argv.slice(2) });
  await start(config, await createLogger({ service: NAME, level: config.logLevel, pretty: process.stderr.isTTY }));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
