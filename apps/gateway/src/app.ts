/** Wires the gateway together. */
import { createService, type Service } from '@database-mcp/service';
import type { Logger } from '@database-mcp/telemetry';
import { createUpstream } from './bridge/create-upstream.ts';
import { createCatalogue, type Catalogue } from './catalogue/catalogue.ts';
import { createListStore } from './catalogue/list-store.ts';
import type { GatewayConfig, UpstreamConfig } from './config.ts';
import { createAnswers } from './edge/answers.ts';
import { createClassifier } from './edge/classify.ts';
import { createMcpEndpoint } from './edge/mcp-endpoint.ts';
import { createSseEndpoint } from './edge/sse-endpoint.ts';
import { createSubscriptions } from './edge/subscriptions.ts';
import { createHubTools } from './hub-tools.ts';
import { createUpstreamSet, type UpstreamChange } from './upstream/upstream-set.ts';
import type { Upstream } from './upstream/upstream.ts';

/** Name of the gateway in logs and answers. */
export const SERVICE_NAME = 'database-mcp-gateway';
/** Version of the gateway. */
export const SERVICE_VERSION = '0.1.0';

/** A gateway that listens. */
export interface Gateway {
  readonly port: number;
  readonly url: string;
  /** Changes to these upstreams without dropping calls in progress. Rejects, and keeps the old, if names collide. */
  setUpstreams(configs: readonly UpstreamConfig[]): Promise<UpstreamChange>;
  /** Stops accepting, lets calls in progress finish, then ends. */
  close(): Promise<void>;
}

/** Starts the gateway. Rejects when the port is taken or when published tool names collide. */
export async function startGateway(config: GatewayConfig, logger: Logger): Promise<Gateway> {
  const upstreams = createUpstreamSet(config.upstreams, (each) => createUpstream(each, SERVICE_VERSION, logger));
  const catalogue = createCatalogue({
    version: SERVICE_VERSION,
    upstreams: upstreams.members(),
    createHubTools: (listStates) => createHubTools(SERVICE_NAME, SERVICE_VERSION, listStates),
    pageSize: config.pageSize,
    store: config.cacheDirectory === undefined ? undefined : createListStore(config.cacheDirectory, logger),
    logger,
  });
  const closeUpstreams = async (): Promise<void> => {
    catalogue.close();
    await upstreams.close();
  };
  try {
    await catalogue.start();
    const service = await listen(config, logger, catalogue, upstreams.byName);
    const close = async (): Promise<void> => {
      await service.close();
      await closeUpstreams();
    };
    const setUpstreams = (configs: readonly UpstreamConfig[]): Promise<UpstreamChange> =>
      upstreams.replace(configs, catalogue.setUpstreams.bind(catalogue));
    return { port: service.port, url: service.url, setUpstreams, close };
  } catch (error) {
    await closeUpstreams();
    throw error;
  }
}

async function listen(
  config: GatewayConfig,
  logger: Logger,
  catalogue: Catalogue,
  upstreams: ReadonlyMap<string, Upstream>,
): Promise<Service> {
  const serverInfo = { name: SERVICE_NAME, title: 'Database MCP Gateway', version: SERVICE_VERSION };
  const subscriptions = createSubscriptions(serverInfo);
  const core = { catalogue, answers: createAnswers(serverInfo, catalogue), upstreams, subscriptions, logger };
  const { maxBodyBytes, keepAliveMs } = config;
  const endpoint = { core, classifier: createClassifier(), maxBodyBytes, keepAliveMs, logger };
  const sse = createSseEndpoint(endpoint);
  const service = await createService({
    name: SERVICE_NAME,
    version: SERVICE_VERSION,
    host: config.host,
    port: config.port,
    allowedHosts: config.allowedHosts,
    allowedOrigins: config.allowedOrigins,
    logger,
    routes: { '/mcp': createMcpEndpoint(endpoint), '/sse': sse.stream, '/messages': sse.messages },
    ready: () => ({
      ready: catalogue.isAttempted(),
      upstreams: Object.fromEntries(catalogue.states().map(({ name, status }) => [name, status])),
    }),
  });
  catalogue.onChange(() => {
    logger.info({ tools: catalogue.list.routes.size }, 'the list of tools has changed');
    subscriptions.toolsChanged();
    sse.toolsChanged();
  });
  const endStreams = (): void => {
    subscriptions.drain();
    sse.drain();
  };
  service.draining.addEventListener('abort', endStreams, { once: true });
  return service;
}
