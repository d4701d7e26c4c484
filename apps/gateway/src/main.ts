/** The gateway process: `node main.ts --config gateway.yaml [--port N] [--host H]`. */
import { closeSync, openSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { ConfigError } from '@database-mcp/config';
import { stopOnSignals } from '@database-mcp/service';
import { createLogger, startTelemetry } from '@database-mcp/telemetry';
import { SERVICE_NAME, SERVICE_VERSION, startGateway } from './app.ts';
import { CollisionError } from './catalogue/catalogue.ts';
import { findConfigPath, loadGatewayConfig, redactConfig, type GatewayConfig } from './config.ts';
import { createReloader } from './reload.ts';
import { watchFile } from './watch-file.ts';

// While nothing is asked V8 makes the young generation small; grown by doubling, it is late for a burst (decision 28).
setFlagsFromString('--semi-space-growth-factor=16');

try {
  const sources = { env: process.env, argv: process.argv.slice(2) };
  const load = (): GatewayConfig => loadGatewayConfig(sources);
  const config = load();
  const logger = await createLogger({
    service: SERVICE_NAME,
    level: config.logLevel,
    pretty: process.stderr.isTTY === true,
  });
  logger.info({ config: redactConfig(config) }, 'starting');
  const telemetry = await startTelemetry({
    service: SERVICE_NAME,
    version: SERVICE_VERSION,
    host: config.host,
    settings: config.telemetry,
    logger,
  });
  if (telemetry.metricsUrl !== undefined) logger.info({ url: telemetry.metricsUrl }, 'metrics can be read');
  const gateway = await startGateway(config, logger, telemetry);
  const reloader = createReloader({ config, load, setUpstreams: gateway.setUpstreams, logger });
  const watching = watchFile(findConfigPath(sources) ?? '', {
    onChange: () => void reloader.reload(),
    onProblem: (reason) => logger.warn({ reason }, 'the configuration file cannot be watched; it is read regularly'),
  });
  // It may have changed while the first lists were waited for.
  void reloader.reload();
  const stop = async (): Promise<void> => {
    watching.close();
    await gateway.close();
    await telemetry.close();
  };
  stopOnSignals(process, stop, (error) => logger.error({ err: error }, 'the end was not orderly'));
  const hadTerminal = hasTerminal();
  process.on('SIGHUP', () => {
    // The same signal says that the terminal is gone, and then nobody could end the process any more.
    if (hadTerminal && !hasTerminal()) process.kill(process.pid, 'SIGTERM');
    else void reloader.reload(true);
  });
  // Last: whoever reads it may send a signal at once.
  logger.info({ url: `${gateway.url}/mcp` }, 'listening');
} catch (error) {
  // What the person who starts it can mend needs no stack; a cause is there when the operating system said no.
  const isExpected = error instanceof ConfigError || error instanceof CollisionError || hasCause(error);
  console.error(isExpected ? error.message : error);
  process.exit(1);
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

function hasCause(error: unknown): error is Error {
  return error instanceof Error && error.cause !== undefined;
}
