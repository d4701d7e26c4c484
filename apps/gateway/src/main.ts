/** The gateway process: `node main.ts --config gateway.yaml [--port N] [--host H]`. */
import { ConfigError } from '@database-mcp/config';
import { stopOnSignals } from '@database-mcp/service';
import { createLogger } from '@database-mcp/telemetry';
import { SERVICE_NAME, startGateway } from './app.ts';
import { CollisionError } from './catalogue/catalogue.ts';
import { loadGatewayConfig, redactConfig } from './config.ts';

try {
  const config = loadGatewayConfig({ env: process.env, argv: process.argv.slice(2) });
  const logger = await createLogger({
    service: SERVICE_NAME,
    level: config.logLevel,
    pretty: process.stderr.isTTY === true,
  });
  logger.info({ config: redactConfig(config) }, 'starting');
  const gateway = await startGateway(config, logger);
  logger.info({ url: `${gateway.url}/mcp` }, 'listening');
  stopOnSignals(process, gateway.close, (error) => logger.error({ err: error }, 'the end was not orderly'));
} catch (error) {
  // What the person who starts it can mend needs no stack; a cause is there when the operating system said no.
  const isExpected = error instanceof ConfigError || error instanceof CollisionError || hasCause(error);
  console.error(isExpected ? error.message : error);
  process.exit(1);
}

function hasCause(error: unknown): error is Error {
  return error instanceof Error && error.cause !== undefined;
}
